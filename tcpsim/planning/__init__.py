"""Planning: what a server will hold at a given rate of connections, which limit comes first, and what to
watch.

Owns: the question backwards: from a rate and a habit to numbers, limits, remedies and alerts. Refuses to
know: how one connection fares (explore): its answers are exact, and so is what is made of them here.
"""

from __future__ import annotations
