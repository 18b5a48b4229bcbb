"""Ladders, the state diagram and curves. Only this package imports matplotlib."""
