"""Populations of a real kernel beside the exact model of one connection: counts, intervals, a verdict."""
