"""packetdrill scripts, run against one endpoint in virtual time (docs/packetdrill.md).

    input     `parser` reads a text into a `script`; `dialect` knows what a system's scripts take for granted
    replay    `replay` plays the script: `syscalls` makes the calls, `packet_exchange` injects packets
    compare   `compare` holds each segment that the endpoint sends beside the packet that the script expects
    verdict   `judge` takes the four steps; a `Verdict` is PASS, FAIL or UNSUPPORTED, with its reason

`mutate` changes one expectation at a time and finds those that a script does not notice. `tcpsim packetdrill`
is the command.
"""

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
