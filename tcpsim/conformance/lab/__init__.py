"""The lab: it runs the two programs of a pair on two real hosts and records a trace (docs/lab.md).

    job(name, title, pair, ...) -> Job    what to record; raises InputError for what cannot be recorded
    record(job) -> the trace              runs it in real time, as root on Linux
    late_us(trace)                        how late the machine was with a segment at most
    small(trace)                          the trace without what no judge compares

`traces` judges what the lab records. `tcpsim lab` is the command.
"""

from tcpsim.conformance.lab.recording_plan import Job, job
from tcpsim.conformance.lab.supervisor import missing, record
from tcpsim.conformance.lab.trace import late_us, small

__all__ = ["Job", "job", "late_us", "missing", "record", "small"]
