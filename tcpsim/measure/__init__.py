"""Counting: census tables, the definition of a leak, intervals, sweeps, and results on disk."""
