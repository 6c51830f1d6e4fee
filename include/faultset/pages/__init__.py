"""Pages for people: what each experiment did, what its versions hold, what was judged and what waits for a decision.

Reading models are pure or read what never changes; ``web.create`` serves them, and knows of whoever runs the DAGs
nothing but ``workflow.Workflow``. Who may read and who may act is the caller's to say.
"""
