"""The lab: a pair's two programs on two real hosts, recorded as a trace that can be replayed.

    job(name, title, pair, ...) -> Job    what to record; refuses what cannot be
    record(job) -> the trace                in real time, as root on Linux
    late_us(trace)                        how late the machine was meanwhile
    small(trace)                          without what nobody compares

docs/lab.md says how; `tcpsim lab` is the command.
"""

from tcpsim.conformance.lab.recording_plan import Job, job
from tcpsim.conformance.lab.supervisor import missing, record
from tcpsim.conformance.lab.trace import late_us, small

__all__ = ["Job", "job", "late_us", "missing", "record", "small"]
