"""LitmusChaos: results with the events of their namespace."""
