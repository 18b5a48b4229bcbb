"""Traces of a real kernel: calls, segments and states with their times, replayed and compared.

    judge(path)      -> Verdict: PASS, FAIL with the first difference, or UNSUPPORTED with the reason
    find(paths)      -> the traces among files and folders, and what else was found there

docs/traces.md says how; `tcpsim conform` is the command.
"""

from tcpsim.conformance.traces.files import Found, find
from tcpsim.conformance.traces.verdict import Verdict, judge, judge_file

__all__ = ["Found", "Verdict", "find", "judge", "judge_file"]
