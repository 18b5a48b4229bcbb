"""Traces of a real kernel: calls, segments and states with their times (docs/traces.md).

    input     `schema` reads a file strictly; `setup` turns its sysctls, routes and loss rules into a pair
    replay    `replay` makes the same calls at the same times on that pair (`replayed_pair`, `recorded_line`)
    compare   `compare` holds what the kernel did beside the simulator; `not_compared` lists exceptions
    verdict   `verdict` takes the four steps: PASS, FAIL with the first difference, LATE or UNSUPPORTED

`tcpsim conform` is the command.
"""

from tcpsim.conformance.traces.files import Found, find
from tcpsim.conformance.traces.verdict import Verdict, judge, judge_file

__all__ = ["Found", "Verdict", "find", "judge", "judge_file"]
