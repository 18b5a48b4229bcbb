"""packetdrill scripts, judged against the endpoint in virtual time (docs/packetdrill.md)."""

from tcpsim.conformance.packetdrill.folder import Reason, find_scripts, judge_files, reasons, survey_files
from tcpsim.conformance.packetdrill.judge import judge, judge_file, read_script
from tcpsim.conformance.packetdrill.mutate import Mutant, Survey, survey
from tcpsim.conformance.packetdrill.verdict import Crossing, Judged, Verdict, ladder

__all__ = [
    "Crossing",
    "Judged",
    "Mutant",
    "Reason",
    "Survey",
    "Verdict",
    "find_scripts",
    "judge",
    "judge_file",
    "judge_files",
    "ladder",
    "read_script",
    "reasons",
    "survey",
    "survey_files",
]
