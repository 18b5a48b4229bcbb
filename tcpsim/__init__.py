"""A TCP state-machine simulator for the end of connections."""

__version__ = "0.1.0"
