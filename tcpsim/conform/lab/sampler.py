"""The states of both hosts over time, as far as one sees them by looking again and again.

Owns: the rows of `states` and `end_states`, how often one looks, and whether anything could still happen.
Refuses to know: how a namespace is asked (diag).

One looks every 4 ms; in a long recording after the first 2.5 s every 50 ms.
"""

from __future__ import annotations

from typing import Any

from tcpsim.conform.lab.diag import Diag, Seen
from tcpsim.conform.lab.relay import LETTER
from tcpsim.path import Side

FAST_MS, SLOW_MS, FAST_UNTIL_MS = 4, 50, 2_500


class Sampler:
    """Looks at both namespaces, and remembers what it saw last."""

    def __init__(self, diags: dict[Side, Diag], period_ms: int) -> None:
        self.diags = diags
        self.period_ms = period_ms
        self.rows: list[dict[str, Any]] = []
        self.samples = 0
        self.next_us = 0
        self.max_gap_us = 0
        self.changed_us = 0
        self._last_us = 0
        self._known: dict[tuple[Side, int], Seen] = {}

    def look(self, clock_us: Any) -> None:
        """One look at both hosts; `clock_us()` is asked after each, so that no state is told too early."""
        for side, diag in self.diags.items():
            seen = {each.cookie: each for each in diag.sockets()}
            now_us = clock_us()
            for cookie, each in seen.items():
                old = self._known.get((side, cookie))
                if old is None or _differs(old, each):
                    self._tell(side, each, now_us, old)
                self._known[side, cookie] = each
            for key in [key for key in self._known if key[0] == side and key[1] not in seen]:
                self._bury(side, self._known.pop(key), now_us)
        if self.samples:
            self.max_gap_us = max(self.max_gap_us, now_us - self._last_us)
        self._last_us = now_us
        self.samples += 1
        period_ms = FAST_MS if now_us < FAST_UNTIL_MS * 1_000 else self.period_ms
        self.next_us = max(self.next_us + period_ms * 1_000, now_us)

    def waits(self) -> bool:
        """Whether a timer runs that could still do something; the end of a TIME-WAIT does nothing."""
        return any(each.timer is not None and each.state != "TIME_WAIT" for each in self._known.values())

    def present(self, side: Side) -> list[str]:
        """The states of a host's sockets now."""
        return [each.state for key, each in self._known.items() if key[0] == side]

    def end_states(self) -> list[dict[str, Any]]:
        """What is there at the end."""
        return [_row(side, each) for (side, _), each in self._known.items()]

    def _tell(self, side: Side, seen: Seen, now_us: int, old: Seen | None) -> None:
        row = {"t": now_us / 1_000} | _row(side, seen)
        if old is not None and old[1:4] == seen[1:4]:
            row["rearmed"] = True
        else:
            self.changed_us = now_us
        self.rows.append(row)

    def _bury(self, side: Side, last: Seen, now_us: int) -> None:
        self.changed_us = now_us
        gone = {"t": now_us / 1_000, "side": LETTER[side], "id": last.cookie, "st": "GONE"}
        more = {"from": last.state, "kind": last.kind, "last_exp": last.expires_ms}
        self.rows.append(gone | more | {"sp": last.ports[0], "dp": last.ports[1]})


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
