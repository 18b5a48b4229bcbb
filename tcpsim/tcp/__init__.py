"""TCP without I/O (RFC 9293). It uses only the standard library, and has no clock and no random numbers."""
