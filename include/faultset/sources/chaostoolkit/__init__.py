"""Chaos Toolkit: the journal that ``chaos run`` writes."""
