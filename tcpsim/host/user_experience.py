"""What users got: pages and requests, how long each took, how it ended, and which errors occurred.

Owns: the record beside the census of sockets. Refuses to know: who the users are (browser, pool), and medians
(measure).
"""

from __future__ import annotations

from array import array
from collections import Counter


class Experience:
    """The record of one run, in order of the ends.

    `outcomes` are words ("answered", "EOF"); `stumbles` counts errors on a connection, by errno and by
    whether it had been used before, also where another try helped. `asked` counts what was begun.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.began_us = array("q")
        self.took_us = array("q")
        self.outcomes: list[str] = []
        self.stumbles: Counter[tuple[str, bool]] = Counter()

    def ended(self, began_us: int, now_us: int, outcome: str) -> None:
        """A page is there, or a request is answered, or it failed."""
        self.began_us.append(began_us)
        self.took_us.append(now_us - began_us)
        self.outcomes.append(outcome)

    @property
    def waiting(self) -> int:
        """Asked for, and neither there nor failed at the horizon."""
        return self.asked - len(self.outcomes)
