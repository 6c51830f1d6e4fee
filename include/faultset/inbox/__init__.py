"""The inbox: runs that somebody dropped, from being noticed to lying where their verdict says.

``landing`` notices what is there and whole, ``claims`` takes one run out of everybody's way, ``roles`` recognises what
its files are, ``proposal`` writes the catalog entry that it would have, ``verdicts`` is what is said of it, ``filing``
moves it to its place. What a run is worth is decided elsewhere (``pipeline.weighing``).
"""
