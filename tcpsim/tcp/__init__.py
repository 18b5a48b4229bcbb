"""The protocol: a sans-IO TCP (RFC 9293). Standard library only; no clock, no random numbers."""
