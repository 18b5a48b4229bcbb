"""Diagnosis: what the sockets of a dump mean: what must have happened, whose move it is, what ends it and
when.

Owns: the judgement, and its page. Refuses to know: formats (dumps), and how scenarios run (catalogue). It
imports neither numpy nor matplotlib.
"""

from __future__ import annotations
