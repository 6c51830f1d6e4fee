"""Chaos Mesh: chaos objects as the cluster holds them."""
