"""The time at which each packet left its host, from the host's kernel (SO_TIMESTAMPING).

Owns: a packet socket on the TUN device, and matching its timestamps with the packets that the relay has read.
Refuses to know: what happens to a packet (relay). If the kernel gives no timestamp, a packet left when it was
read.

The socket must not see incoming packets: the kernel would keep a copy for it, and it does not merge packets
in a receive queue while somebody else holds them (skb_try_coalesce, skb_cloned).

Source: packet(7); Linux net/core/dev.c dev_queue_xmit_nit (a copy of each packet that is sent, with a
timestamp).
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time

_STAMP, _FILTER, _EVERY_PROTOCOL, _OUTGOING = 35, 26, 3, 4  # SO_TIMESTAMPNS, SO_ATTACH_FILTER, ETH_P_ALL, ...
_INSTRUCTION = struct.Struct("=HBBI")
_ONLY_OUTGOING = (
    (0x20, 0, 0, 0xFFFFF004),  # load the packet's type (SKF_AD_OFF + SKF_AD_PKTTYPE)
    (0x15, 0, 1, _OUTGOING),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
_TIMESPEC = struct.Struct("=qq")
_SECOND_NS = 1_000_000_000
_AT_ONCE_NS = 20_000
_MOST, _BUFFER = 1 << 16, 1 << 24
_HEADERS = 120  # enough of a packet to know it again


class Stamps:
    """The packets that leave through `device` of the present namespace, and when they did."""

    def __init__(self, device: str) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self.socket = socket.socket(socket.AF_PACKET, kind)  # hears nothing before bind()
        program = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*each) for each in _ONLY_OUTGOING))
        told = struct.pack("HL", len(_ONLY_OUTGOING), ctypes.addressof(program))
        self.socket.setsockopt(socket.SOL_SOCKET, _FILTER, told)
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
        offset_ns = _offset_ns()
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(_MOST, 100)
            except BlockingIOError:
                return
            for level, kind, content in control:
                if level == socket.SOL_SOCKET and kind == _STAMP:
                    seconds, nanoseconds = _TIMESPEC.unpack_from(content)
                    stamp_ns = seconds * _SECOND_NS + nanoseconds + offset_ns
                    self._told.append((data[:_HEADERS], stamp_ns))


def _offset_ns() -> int:
    """From the clock of the stamps to the monotonic one; read anew if something came between the readings."""
    while True:
        before_ns, told_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after_ns - before_ns < _AT_ONCE_NS:
            return (before_ns + after_ns) // 2 - told_ns
