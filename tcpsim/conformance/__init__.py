"""Be judged by others: scripts and recordings that nobody here wrote."""
