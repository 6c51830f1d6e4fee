"""Faultset turns fault-injection experiments on clouds into datasets that can be trusted."""

__version__ = "0.1.0"
