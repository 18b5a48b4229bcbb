"""The expected ends of scenarios.

Owns: short names for verdicts and for hosts that hold nothing any more. Refuses to know: any scenario.
"""

from __future__ import annotations

from tcpsim.catalogue.run import Verdict
from tcpsim.pair import ONLY_FD

__all__ = ["CLEAN", "GONE", "ONLY_FD", "PERMANENT", "RUNNING"]

CLEAN, PERMANENT, RUNNING = Verdict.CLEAN, Verdict.PERMANENT, Verdict.RUNNING
GONE = "gone"
