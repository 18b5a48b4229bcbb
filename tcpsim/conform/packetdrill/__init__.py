"""packetdrill scripts, judged against the endpoint in virtual time (docs/packetdrill.md)."""

from tcpsim.conform.packetdrill.judge import judge, judge_file, read_script
from tcpsim.conform.packetdrill.mutate import Mutant, Survey, survey
from tcpsim.conform.packetdrill.verdict import Crossing, Judged, Verdict, ladder

__all__ = [
    "Crossing",
    "Judged",
    "Mutant",
    "Survey",
    "Verdict",
    "judge",
    "judge_file",
    "ladder",
    "read_script",
    "survey",
]
