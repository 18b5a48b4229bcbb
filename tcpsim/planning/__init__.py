"""Plans: what a server will hold at a rate of connections, which limit it meets first, and when to alert.

Owns: the computation from a rate and the programs to numbers, limits, remedies and alerts. Refuses to know:
how one connection ends (explore). Its answers are exact, and so are the plans.
"""

from __future__ import annotations
