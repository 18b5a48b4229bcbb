"""What the sockets of a dump mean: what happened, who must act, and when they will end.

Owns: the judgement and its text. Refuses to know: formats (dumps), and how scenarios run (catalogue). It
imports neither numpy nor matplotlib.
"""

from __future__ import annotations
