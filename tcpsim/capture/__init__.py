"""A run as a packet capture, for Wireshark and its kin."""

from tcpsim.capture.run import capture

__all__ = ["capture"]
