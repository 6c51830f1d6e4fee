"""Reading published datasets: light, typed and lazy. ``faultset.open`` and ``faultset.list`` are the ways in.

Nothing here knows how a dataset was made, and nothing needs more than pandas, pyarrow and an object store.
"""
