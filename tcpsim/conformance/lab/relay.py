"""The relay between the two hosts: it forwards, delays and drops packets, and logs them.

Owns: packets in flight, and the rows of `packets`. The simulator's own path decides about each packet, with
the same rules, random losses and delays. Refuses to know: when the relay is called (recording), and how its
rules are written in a trace (trace).
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Mapping
from typing import Any

from tcpsim.conformance.lab.ipv4 import protocol, segment_of
from tcpsim.conformance.lab.timestamps import Stamps
from tcpsim.conformance.traces.observation import relative
from tcpsim.path import Chooser, Path, Rule, Side, send
from tcpsim.path.rule import Lineage, Script
from tcpsim.tcp.segment import Segment, flag_letters

LETTER: dict[Side, str] = {"client": "A", "server": "B"}
DIRECTION: dict[Side, str] = {"client": "A>B", "server": "B>A"}
_CHANCE = "loss"  # what the path's element of chance says for itself
_MOST = 1 << 16


class Relay:
    """Carries packets; `tuns` are the descriptors of the devices by host, `stamps` tell what left them when.

    A packet is due its delay after it left, however late it is read, so a relay that comes late is late
    only by what exceeds the delay. Each row tells both: `read_us` after it left, `late_us` after it was due.
    """

    def __init__(
        self,
        path: Path,
        chooser: Chooser,
        tuns: Mapping[Side, int],
        stamps: Mapping[Side, Stamps],
        clock_us: Callable[[], int],
        start_ns: int,
    ) -> None:
        self.path = path
        self.chooser = chooser
        self.tuns = tuns
        self.stamps = stamps
        self.clock_us = clock_us
        self.start_ns = start_ns
        self.rows: list[dict[str, Any]] = []
        self.lost_by_chance: dict[Side, list[int]] = {"client": [], "server": []}
        self.cut: list[Rule] = []
        self._sent = {"client": 0, "server": 0}
        self._flying: list[tuple[int, int, Side, bytes, dict[str, Any]]] = []
        self._number = 0
        self._lines: dict[tuple[int, int], Lineage] = {}

    def next_us(self) -> int | None:
        """When the next packet is to come out."""
        return self._flying[0][0] if self._flying else None

    def read(self, side: Side) -> None:
        """A host has put one packet on the line."""
        try:
            packet = os.read(self.tuns[side], _MOST)
        except BlockingIOError:
            return
        read_us = self.clock_us()
        left_ns = self.stamps[side].left_ns(packet)
        now_us = read_us if left_ns is None else min(read_us, (left_ns - self.start_ns) // 1_000)
        row: dict[str, Any] = {"t": now_us / 1_000, "dir": DIRECTION[side]}
        receiver: Side = "server" if side == "client" else "client"
        segment = segment_of(packet)
        if segment is None:
            if protocol(packet) is not None:
                self.rows.append({"i": len(self.rows)} | row | {"proto": protocol(packet)})
            return
        row |= self._told(side, segment)
        self.rows.append({"i": len(self.rows)} | row | {"read_us": read_us - now_us})
        row = self.rows[-1]
        self._sent[side] += 1
        path, fates = send(self.path, side, segment, now_us, self.chooser)
        self.path = path._replace(flights=())  # the octets fly here
        for fate in fates:
            if fate.segment is not None:
                continue  # a box's own segment has no octets to write
            if fate.due_us is None:
                row["drop"] = fate.why
                if fate.why == _CHANCE:
                    self.lost_by_chance[side].append(self._sent[side])
            else:
                heapq.heappush(self._flying, (fate.due_us, self._number, receiver, packet, row))
                self._number += 1

    def write(self) -> None:
        """Everything that is due by now comes out."""
        while self._flying and self._flying[0][0] <= (now_us := self.clock_us()):
            due_us, _, receiver, packet, row = heapq.heappop(self._flying)
            os.write(self.tuns[receiver], packet)
            row |= {"t_out": now_us / 1_000, "late_us": now_us - due_us}

    def vanish(self, side: Side, now_us: int) -> None:
        """From now on nothing is heard of a host, and it hears nothing; what is under way still arrives."""
        rule = Rule(f"{side} vanishes", after_us=now_us)
        self.cut.append(rule)
        shared = self.path.shared
        element = shared[0] if shared else Script(())
        assert isinstance(element, Script)
        script = Script((*element.rules, rule), (*element.counts, 0), element.lineages)
        self.path = self.path._replace(shared=(script, *shared[1:]))

    def _told(self, sender: Side, segment: Segment) -> dict[str, Any]:
        """A segment as a trace writes it: numbers relative to the ISNs of its connection."""
        ports = (segment.src_port, segment.dst_port)
        ports = ports if sender == "client" else (ports[1], ports[0])
        line = self._lines.get(ports, Lineage(*ports))
        if segment.syn:
            line = line.seen(sender, segment)
        self._lines[ports] = line
        own, peer = line.client_isn, line.server_isn
        if sender == "server":
            own, peer = peer, own
        return {
            "conn": line.conn,
            "flags": flag_letters(segment.flags),
            "seq": relative(segment.seq, own),
            "ack": relative(segment.ack, peer) if segment.has_ack else None,
            "len": segment.len,
            "win": segment.wnd,
            "opt": _told_options(segment, peer),
        }


def _told_options(segment: Segment, peer_isn: int | None) -> dict[str, Any]:
    options = segment.options
    told: dict[str, Any] = {}
    if options.mss is not None:
        told["mss"] = options.mss
    if options.sack_permitted:
        told["sackok"] = 1
    if options.ts_val is not None:
        told["ts"] = [options.ts_val, options.ts_ecr]
    if options.wscale is not None:
        told["ws"] = options.wscale
    if options.sack:
        told["sack"] = [[relative(edge, peer_isn) for edge in block] for block in options.sack]
    return told
