"""The part of docs/conformance.md about the traces of a real kernel.

    python -m tests.conformance.page FOLDER            prints it
    python -m tests.conformance.page FOLDER --write    writes it into the page

FOLDER contains the whole set, traces/ and plain/. tests/data/kernel is a selection of it. remaining.toml says
why a trace does not pass. A trace that fails and is not listed there is an error.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from itertools import groupby
from pathlib import Path

from tcpsim.conformance.traces import Verdict, judge_file
from tcpsim.conformance.traces.not_compared import reasons

PAGE = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
REMAINING = Path(__file__).parent / "remaining.toml"
BEGIN = "<!-- traces: python -m tests.conformance.page FOLDER --write -->"
END = "<!-- end of traces -->"
SETS = ("traces", "plain")
GROUPS = {
    "01": "normal close",
    "02": "CLOSE-WAIT leak, FIN-WAIT-2 expires",
    "03": "half-close by the server",
    "04": "data into FIN-WAIT-2 and FIN-WAIT-1",
    "05": "keepalive of a client in CLOSE-WAIT",
    "06": "FIN lost",
    "07": "ACK of the FIN lost",
    "08": "client vanishes",
    "09": "simultaneous close",
    "10": "last ACK lost",
    "11": "unread data at close, lingering close",
    "12": "SO_LINGER",
    "13": "data after the half-close",
    "14": "SYN, SYN-ACK and the handshake's ACK lost",
    "15": "data lost",
    "16": "TCP_USER_TIMEOUT",
    "17": "TIME-WAIT and resets, reuse of ports, half-open",
    "18": "tcp_fin_timeout, TCP_LINGER2",
    "19": "length of TIME-WAIT",
    "20": "close into a zero window",
}


def verdicts(folder: Path) -> dict[str, Verdict]:
    """The verdict on every trace of the set, by name ("plain/06i")."""
    return {
        f"{kind}/{path.stem}": judge_file(path)
        for kind in SETS
        for path in sorted((folder / kind).glob("*.json"))
    }


def remaining() -> dict[str, str]:
    """Why a trace does not pass."""
    return {name: entry["reason"] for name, entry in tomllib.loads(REMAINING.read_text()).items()}


def section(judged: dict[str, Verdict]) -> str:
    """The text between the marks."""
    told, failed = remaining(), [name for name, verdict in judged.items() if verdict.verdict != "PASS"]
    if set(failed) != set(told):
        raise SystemExit(f"{REMAINING.name} tells of {sorted(told)}; {failed} do not pass")
    passed = Counter(
        (name.split("/")[0], name.split("/")[1][:2], v.verdict == "PASS") for name, v in judged.items()
    )

    def share(kind: str, group: str) -> str:
        good, bad = passed[kind, group, True], passed[kind, group, False]
        return f"{good} of {good + bad}" if good + bad else ""

    lines = ["| | situation | default stack | plain stack |", "|---|---|---|---|"]
    lines += [f"| {g} | {what} | {share('traces', g)} | {share('plain', g)} |" for g, what in GROUPS.items()]
    total = sum(passed.values())
    head = "One trace does not pass:" if len(failed) == 1 else "These traces do not pass:"
    lines += ["", f"{total - len(failed)} of {total} pass."]
    if failed:
        lines += ["", head, ""]
        lines += [f"- `{name}` ({judged[name].title}): {told[name]}" for name in failed]
    lines += [
        "",
        "These traces are not compared in full, because the same kernel differs from run to run:",
        "",
    ]
    for reason, entries in groupby(
        sorted(reasons().items(), key=lambda entry: entry[1]), lambda entry: entry[1]
    ):
        names = ", ".join(name for name, _ in entries)
        lines.append(f"- {names}: {reason}.")
    passing = {name: v.reason for name, v in judged.items() if v.verdict == "PASS" and v.reason}
    needed = [name for name, why in passing.items() if not why.startswith("with ")]
    lines += ["", f"Without this exemption, {', '.join(needed)} would not pass."] if needed else []
    chosen = {name: why for name, why in passing.items() if why.startswith("with ")}
    lines += ["", *[f"`{name}` passes {why}." for name, why in chosen.items()]] if chosen else []
    return "\n".join(lines)


def page_with(text: str) -> str:
    """The page with this text between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    found = section(verdicts(Path(sys.argv[1])))
    if "--write" in sys.argv:
        PAGE.write_text(page_with(found), encoding="utf-8")
    else:
        print(found)
