"""Every branch of a connection: exact probabilities, leaks by name, and the paths to them. No sampling."""
