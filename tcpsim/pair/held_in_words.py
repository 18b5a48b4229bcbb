"""What a host holds of one connection, in words.

Owns: which sockets are alive, and the words for all of them together. Refuses to know: verdicts (catalogue).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from tcpsim.pair.pair import Held
from tcpsim.tcp.state import State

ONLY_FD: Final = "gone but for its descriptor"


def alive(held: tuple[Held, ...]) -> tuple[Held, ...]:
    """Those that are not CLOSED."""
    return tuple(each for each in held if each.state is not State.CLOSED)


def sockets_in_words(held: tuple[Held, ...]) -> str:
    """What a host holds of one connection: "gone", "CLOSE-WAIT", "2 ESTABLISHED + TIME-WAIT"."""
    counts = Counter(str(each.state) for each in alive(held))
    if not counts:
        return "gone" if not held else ONLY_FD
    return " + ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())
