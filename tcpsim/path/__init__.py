"""What may happen to a segment between two hosts: delay, loss, duplication, reordering, by chance or script.

Owns: the path and its elements, and the chooser through which chance enters. Refuses to know: what a
segment means to TCP, and who is at the ends.
"""

from tcpsim.path.choose import Choice, Chooser, Quiet, Seeded
from tcpsim.path.element import SIDES, Element, Fate, Side
from tcpsim.path.path import Path, due, inject, make_path, next_time, send

__all__ = [
    "SIDES",
    "Choice",
    "Chooser",
    "Element",
    "Fate",
    "Path",
    "Quiet",
    "Seeded",
    "Side",
    "due",
    "inject",
    "make_path",
    "next_time",
    "send",
]
