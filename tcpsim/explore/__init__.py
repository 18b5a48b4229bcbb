"""Every branch: exact probabilities, every leak by name, the ways into it. Refuses to know: sampling."""
