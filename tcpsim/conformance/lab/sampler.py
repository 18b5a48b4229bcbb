"""The sampler: it asks the kernel repeatedly for the states of the sockets of both hosts.

Owns: the rows of `states` and `end_states`, the sampling interval, and whether anything can still happen.
Refuses to know: how a namespace is asked (sock_diag).

The interval is 4 ms. In a long recording it is 50 ms after the first 2.5 s, and it is longer if a sample
takes long. `Sampler` runs in a process of its own, so that a sample delays no packet. `Watch` is the
recording's side of it. Each row has the time of the sample before (`since`): the change came after that.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from tcpsim.conformance.lab import linux
from tcpsim.conformance.lab.relay import LETTER
from tcpsim.conformance.lab.sock_diag import Diag, Seen
from tcpsim.path import Side

FAST_MS, SLOW_MS, FAST_UNTIL_MS = 4, 50, 2_500
_PRIORITY = 5  # below relay and programs
_SHARE = 4  # one looks during a quarter of the time at most
_TELLS_US = 50_000  # how often one says that nothing has changed
_MOST = 1 << 20
Clock = Callable[[], int]


class Sampler:
    """Looks at both namespaces, and remembers what it saw last."""

    def __init__(self, diags: dict[Side, Diag], period_ms: int, clock_us: Clock) -> None:
        self.diags = diags
        self.period_ms = period_ms
        self.clock_us = clock_us
        self.rows: list[dict[str, Any]] = []
        self.samples = 0
        self.next_us = 0
        self.max_gap_us = 0
        self.max_cost_us = 0
        self.changed_us = 0
        self._looked_us: dict[Side, int] = dict.fromkeys(diags, 0)
        self._known: dict[tuple[Side, int], Seen] = {}

    def live(self, post: socket.socket) -> NoReturn:
        """Look and tell, until the other end says anything or is closed; then look once more, and go."""
        linux.hurry(_PRIORITY)
        told_us = 0
        while True:
            wait_s = max(0, self.next_us - self.clock_us()) / 1_000_000
            over, _, _ = select.select([post], (), (), wait_s)
            self.look()
            if over:
                self._tell_all(post, {"end_states": self._end_states(), "stats": self._stats()})
                os._exit(0)
            if self.rows or self.clock_us() - told_us >= _TELLS_US:
                told_us = self.clock_us()
                self._tell_all(post, {})

    def look(self) -> None:
        """One look at both hosts; the clock is read after each, so that no state is told too early."""
        began_us = self.clock_us()
        for side, diag in self.diags.items():
            seen = {each.cookie: each for each in diag.sockets()}
            now_us = self.clock_us()
            for cookie, each in seen.items():
                old = self._known.get((side, cookie))
                if old is None or _differs(old, each):
                    self._tell(side, each, now_us, old)
                self._known[side, cookie] = each
            for key in [key for key in self._known if key[0] == side and key[1] not in seen]:
                self._bury(side, self._known.pop(key), now_us)
            if self.samples:
                self.max_gap_us = max(self.max_gap_us, now_us - self._looked_us[side])
            self._looked_us[side] = now_us
        self.samples += 1
        cost_us = self.clock_us() - began_us
        self.max_cost_us = max(self.max_cost_us, cost_us)
        period_ms = FAST_MS if began_us < FAST_UNTIL_MS * 1_000 else self.period_ms
        self.next_us = max(self.next_us + period_ms * 1_000, began_us + _SHARE * cost_us)

    def _waits(self) -> bool:
        """Whether a timer runs that could still do something; the end of a TIME-WAIT does nothing."""
        return any(each.timer is not None and each.state != "TIME_WAIT" for each in self._known.values())

    def _end_states(self) -> list[dict[str, Any]]:
        return [_row(side, each) for (side, _), each in self._known.items()]

    def _stats(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "max_gap_ms": self.max_gap_us / 1_000,
            "max_cost_ms": self.max_cost_us / 1_000,
        }

    def _tell_all(self, post: socket.socket, more: dict[str, Any]) -> None:
        """Everything that is new, and what is there now."""
        present: dict[Side, list[str]] = {side: [] for side in self.diags}
        for (side, _), each in self._known.items():
            present[side].append(each.state)
        message = {
            "rows": self.rows,
            "looked_us": max(self._looked_us.values()),
            "changed_us": self.changed_us,
            "waits": self._waits(),
            "present": present,
        }
        post.send(json.dumps(message | more).encode())
        self.rows = []

    def _tell(self, side: Side, seen: Seen, now_us: int, old: Seen | None) -> None:
        row = self._when(side, now_us) | _row(side, seen)
        if old is not None and old[1:4] == seen[1:4]:
            row["rearmed"] = True
        else:
            self.changed_us = now_us
        self.rows.append(row)

    def _bury(self, side: Side, last: Seen, now_us: int) -> None:
        self.changed_us = now_us
        gone = {"side": LETTER[side], "id": last.cookie, "st": "GONE"}
        more = {"from": last.state, "kind": last.kind, "last_exp": last.expires_ms}
        self.rows.append(self._when(side, now_us) | gone | more | {"sp": last.ports[0], "dp": last.ports[1]})

    def _when(self, side: Side, now_us: int) -> dict[str, Any]:
        return {"t": now_us / 1_000, "since": self._looked_us[side] / 1_000}


class Watch:
    """The sampler's process, without the descriptors of `lines`, and what it has told so far."""

    def __init__(
        self, diags: dict[Side, Diag], period_ms: int, clock_us: Clock, lines: Iterable[int]
    ) -> None:
        self.period_ms = period_ms
        self.rows: list[dict[str, Any]] = []
        self.end_states: list[dict[str, Any]] = []
        self.stats: dict[str, Any] = {}
        self.looked_us = 0
        self.changed_us = 0
        self.waits = True
        self.present: dict[Side, list[str]] = {side: [] for side in diags}
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            self.socket.close()
            for line in lines:
                os.close(line)
            try:
                Sampler(diags, period_ms, clock_us).live(theirs)
            except BaseException as error:  # whatever it is, the recording has to hear of it
                theirs.send(json.dumps({"error": repr(error)}).encode())
            finally:
                os._exit(1)
        theirs.close()

    def hear(self, block: bool = False) -> None:
        """Take in what was told since; with `block`, the next of it."""
        try:
            content = self.socket.recv(_MOST, 0 if block else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        message = json.loads(content or b'{"error": "it was killed"}')
        if "error" in message:
            raise RuntimeError(f"sampler: {message['error']}")
        self.rows += message["rows"]
        self.looked_us, self.changed_us = message["looked_us"], message["changed_us"]
        self.waits, self.present = message["waits"], message["present"]
        self.end_states, self.stats = message.get("end_states", []), message.get("stats", {})

    def end(self) -> None:
        """One more look, and everything that is to be told."""
        self.socket.send(b"over")
        while not self.stats:
            self.hear(block=True)


def _differs(old: Seen, new: Seen) -> bool:
    """Another state, holder or timer; more retransmissions; other queues; or the timer was started again."""
    if old[1:5] != new[1:5] or old[6:8] != new[6:8]:
        return True
    return new.timer is not None and new.expires_ms > old.expires_ms


def _row(side: Side, seen: Seen) -> dict[str, Any]:
    return {
        "side": LETTER[side],
        "id": seen.cookie,
        "st": seen.state,
        "kind": seen.kind,
        "tm": seen.timer,
        "exp": seen.expires_ms,
        "rtx": seen.retransmits,
        "rq": seen.readable,
        "wq": seen.unacked,
        "sp": seen.ports[0],
        "dp": seen.ports[1],
    } | seen.facts
