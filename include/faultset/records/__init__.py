"""Records that are handed on: what a file says, with no opinion on what it means; a module for each floor.

Everything here is plain and frozen, free of secrets (readers redact), with times in aware UTC. Parsing ends at the
border: whoever holds one of these may rely on its types and ranges.
"""
