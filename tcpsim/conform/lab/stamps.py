"""When each packet left its host, told by that host's kernel.

Owns: a packet socket on the line's device, and matching what it tells with what the relay has read. Refuses
to know: what becomes of a packet (relay). Where the kernel tells nothing, a packet left when it was read.

Source: packet(7); Linux net/core/dev.c dev_queue_xmit_nit (a copy of each packet that is sent, stamped).
"""

from __future__ import annotations

import socket
import struct
import time

_STAMP, _EVERY_PROTOCOL, _OUTGOING = 35, 3, 4  # SO_TIMESTAMPNS, ETH_P_ALL, PACKET_OUTGOING
_TIMESPEC = struct.Struct("=qq")
_SECOND_NS = 1_000_000_000
_MOST, _BUFFER = 1 << 16, 1 << 24
_HEADERS = 120  # enough of a packet to know it again


class Stamps:
    """The packets that leave through `device` of the present namespace, and when they did."""

    def __init__(self, device: str) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self.socket = socket.socket(socket.AF_PACKET, kind, socket.htons(_EVERY_PROTOCOL))
        self.socket.setsockopt(socket.SOL_SOCKET, _STAMP, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.socket.bind((device, _EVERY_PROTOCOL))
        self._told: list[tuple[bytes, int]] = []

    def left_ns(self, packet: bytes) -> int | None:
        """When a packet that was just read left its host, on the monotonic clock; None: nobody tells."""
        self._hear()
        start = packet[:_HEADERS]
        for place, (told, stamp_ns) in enumerate(self._told):
            if told == start:
                del self._told[: place + 1]  # what left before it was never read
                return stamp_ns
        return None

    def _hear(self) -> None:
        """Everything that has been told since."""
        offset_ns = time.monotonic_ns() - time.time_ns()
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(_MOST, 100)
            except BlockingIOError:
                return
            if address[2] != _OUTGOING:
                continue
            for level, kind, content in control:
                if level == socket.SOL_SOCKET and kind == _STAMP:
                    seconds, nanoseconds = _TIMESPEC.unpack_from(content)
                    stamp_ns = seconds * _SECOND_NS + nanoseconds + offset_ns
                    self._told.append((data[:_HEADERS], stamp_ns))
