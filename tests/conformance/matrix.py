"""The matrix: every state x every kind of segment, as packetdrill scripts and as a table on a page.

    python -m tests.conformance.matrix           what would be written
    python -m tests.conformance.matrix --write   writes the scripts and the table

The expectations are data (matrix_cells), each with its source (matrix_sources.toml); the ways into the states
are prologues (matrix_ways). A script delivers the segment, expects the answer, asserts the state, and then
delivers one more, whose answer shows the numbers and that nothing else was sent in between.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path

from tests.conformance import matrix_kills
from tests.conformance.matrix_cells import COLUMNS, KINDS, STACKS, Cell, Kind, cells
from tests.conformance.matrix_ways import WAYS, prologue

SCRIPTS = Path(__file__).parent / "scripts"
PAGE = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
SOURCES = tomllib.loads((Path(__file__).parent / "matrix_sources.toml").read_text(encoding="utf-8"))
BEGIN = "<!-- matrix: python -m tests.conformance.matrix --write -->"
END = "<!-- end of matrix -->"

GENERATED = ("rcv-", "kill-")

_PROBE = 777  # an acknowledgement number of no connection
# Before data has come, Linux's delay of a FIN's ACK is nothing (tcp_send_delayed_ack: ato 0)
_DELAY = {"rfc9293": "+0.20", "linux": "+0.00", "freebsd": "+0.04"}
_QUIET = ("CLO", "LIS", "EST", "FW2", "FW2o", "CW", "TW")  # nothing is resent: a late answer shows
_LINUX_STATES = """
ESTABLISHED SYN_SENT SYN_RECEIVED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED CLOSE_WAIT LAST_ACK LISTEN CLOSING
"""
_LINUX_STATE = {name: number for number, name in enumerate(_LINUX_STATES.split(), start=1)}
_FIN_HEARD = ("CW", "CLG", "LA", "TW")
_FIN_OUT = ("FW1", "FW1o", "CLG", "LA")
_SOCKSTAT = "sockstat -4 -P tcp -s -p 8080"


def name(cell: Cell) -> str:
    """The script's path below the folder of scripts."""
    return f"{cell.stack}/rcv-{cell.kind}-{COLUMNS[cell.way]}.pkt"


def script(cell: Cell) -> str:
    """The text of a cell's script."""
    way, kind = WAYS[cell.way], KINDS[cell.kind]
    seq = way.rcv_nxt + kind.at - _behind_fin(cell)
    ack = (way.snd_una if kind.una else way.snd_nxt) + kind.ack
    becomes = "" if cell.next_way == cell.way else f", and the state becomes {COLUMNS[cell.next_way].upper()}"
    lines = [
        f"// {COLUMNS[cell.way].upper()}, {cell.stack}: {kind.what}.",
        f"// The answer is {_words(cell.answer)}{becomes}.",
        f"// {source(cell.stack, cell.kind, cell.way)}",
        *prologue(cell.way, cell.stack),
        "",
        f"+0.01 < {_segment(kind, seq, ack)}",
        *_answered(cell, kind, seq, ack),
        *_state_is(cell),
        *_probed(cell, seq),
        *_error(cell),
    ]
    return "\n".join(lines) + "\n"


def source(stack: str, kind: str, way: str) -> str:
    """Who says what happens in this cell."""
    for kinds, ways, text in SOURCES.get(stack) or SOURCES[stack.partition("-")[0]]:
        if (kinds == "*" or kind in kinds.split()) and (ways == "*" or way in ways.split()):
            return str(text)
    raise LookupError(f"no source for {stack} {kind} {way}")


def _behind_fin(cell: Cell) -> int:
    """The peer's FIN, where it was received, comes again with its own number."""
    return int(cell.kind.startswith("fin-ack") and cell.way in _FIN_HEARD)


def _words(answer: str) -> str:
    return {
        "-": "nothing",
        "A": "an ACK at once",
        "a": "an ACK within its delay",
        "FA": "an ACK with our FIN",
        "R": "a RST at SEG.ACK",
        "RA": "a RST,ACK at 0",
        "RN": "a RST,ACK at SND.NXT",
        "SA": "a SYN,ACK",
    }[answer]


def _segment(kind: Kind, seq: int, ack: int) -> str:
    number = f" ack {ack % 2**32}" if "." in kind.flags.replace("-", "") else ""
    options = " <mss 1460>" if "S" in kind.flags else ""
    return f"{kind.flags} {seq}:{seq + kind.length}({kind.length}){number} win 65535{options}"


def _rcv_nxt(cell: Cell, seq: int) -> int:
    """RCV.NXT behind the segment."""
    kind = KINDS[cell.kind]
    opens = "S" in kind.flags and (cell.next_way, cell.answer) in (("SR", "SA"), ("SR2", "SA"), ("EST", "A"))
    if opens and cell.way in ("LIS", "SS", "TW"):
        return seq + 1
    taken = 0
    if cell.way not in _FIN_HEARD and cell.answer in ("A", "a", "FA"):
        taken = 10 if cell.kind == "data-in-window" else int(cell.kind.startswith("fin-ack"))
    return WAYS[cell.way].rcv_nxt + taken


def _answered(cell: Cell, kind: Kind, seq: int, ack: int) -> list[str]:
    way = WAYS[cell.way]
    known = cell.way not in ("CLO", "LIS")  # our ISN is: a RST at 0 is at any number of the script
    ends = seq + kind.length + ("S" in kind.flags) + ("F" in kind.flags)
    fin, nxt, rcv_nxt = way.snd_nxt - 1, way.snd_nxt, _rcv_nxt(cell, seq)
    win = "" if cell.stack == "rfc9293" else " win 0"
    at_once = {
        "A": f". {nxt}:{nxt}(0) ack {rcv_nxt}",
        "a": f". {nxt}:{nxt}(0) ack {rcv_nxt}",
        "FA": f"F. {fin}:{fin}(0) ack {rcv_nxt}",
        "R": f"R {ack % 2**32}:{ack % 2**32}(0){win}",
        "RA": f"R. {'...' if known else '0:0'}(0) ack {ends}{win}",
        "RN": f"R. {nxt}:{nxt}(0) ack {rcv_nxt}{win}",
        "SA": f"S. {'...' if cell.way == 'TW' else '0:0'}(0) ack {rcv_nxt} <mss 1460>",
    }
    if cell.answer == "-":
        return []
    delay = _DELAY[cell.stack.partition("-")[0]] if cell.answer == "a" else "+0.00"
    return [f"{delay} > {at_once[cell.answer]}"]


def _state_is(cell: Cell) -> list[str]:
    """The state, as each system's own tools tell it."""
    state = WAYS[cell.next_way].state
    if state == "CLOSED" and WAYS[cell.way].listens:
        state = "LISTEN"
    if cell.stack == "rfc9293":
        return [f"+0.00 %{{ assert tcpi_state == TCPI_{state}, tcpi_state }}%"]
    if cell.stack == "linux":
        number = _LINUX_STATE[
            "CLOSED" if state == "TIME_WAIT" else state
        ]  # a mini-socket is not the program's
        return [f"+0.00 %{{ assert tcpi_state == {number}, tcpi_state }}%"]
    if cell.next_way == "SR" or cell.way == "CLO":  # the syncache is not listed
        return []
    if state in ("CLOSED", "LISTEN"):
        return [f"+0.00 `{_SOCKSTAT} | grep 192.0.2.1 | grep -v -c CLOSED | grep 0`"]
    shown = {"SYN_RECEIVED": "SYN_RCVD"}.get(state, state)
    return [f"+0.00 `{_SOCKSTAT} | grep 192.0.2.1 | grep -c {shown} | grep 1`"]


def _probed(cell: Cell, seq: int) -> list[str]:
    """One more segment, which the state that should be reached answers at once."""
    way = WAYS[cell.way]
    rcv_nxt = _rcv_nxt(cell, seq)
    wait = "+0.30" if cell.next_way in _QUIET and cell.answer == "-" else "+0.005"
    if cell.next_way in ("CLO", "LIS", "SS", "SR", "SR2"):
        return [
            f"{wait} < . {rcv_nxt}:{rcv_nxt}(0) ack {_PROBE} win 65535",
            f"+0.00 > R {_PROBE}:{_PROBE}(0)",
        ]
    out = cell.next_way in _FIN_OUT
    ack = way.snd_una if out else way.snd_nxt
    nxt = way.snd_nxt
    answer = f". {nxt}:{nxt}(0) ack {rcv_nxt}"
    if out and cell.stack.startswith("freebsd"):
        answer = f"F. {nxt - 1}:{nxt - 1}(0) ack {rcv_nxt}"
    left = rcv_nxt - 30
    return [f"{wait} < P. {left}:{left + 10}(10) ack {ack} win 65535", f"+0.00 > {answer}"]


def _error(cell: Cell) -> list[str]:
    """What the program is told, where it still has a descriptor and a way to go."""
    if cell.way not in ("EST", "CW"):
        return []
    reset = "EPIPE" if (cell.stack, cell.way) == ("linux", "CW") else "ECONNRESET"  # Linux tcp_reset
    error = reset if cell.next_way == "CLO" else "0"
    return [f"+0.00 getsockopt(4, SOL_SOCKET, SO_ERROR, [{error}], [4]) = 0"]


def scripts() -> dict[str, str]:
    """Every script by its path."""
    return {name(cell): script(cell) for cell in cells() if cell.answer != "x"} | matrix_kills.scripts()


# The page


def section() -> str:
    """The part of docs/conformance.md between its marks."""
    count = Counter(cell.stack for cell in cells() if cell.answer != "x")
    found = {(cell.stack, cell.kind, cell.way): cell for cell in cells()}
    lines = [
        BEGIN,
        "",
        "Each cell shows the answer to a segment and the next state. If the stacks differ, the lines are",
        "rfc9293, linux and freebsd, in this order. Every cell is a script in tests/conformance/scripts that",
        "passes, and its head names its source. There are "
        + ", ".join(f"{count[stack]} for {stack}" for stack in STACKS)
        + ".",
        "",
        "- `-`: no answer",
        "- `A`: an ACK at once; `a`: an ACK within the delay; `FA`: an ACK with our FIN again",
        "- `R`: <SEQ=SEG.ACK>; `RA`: <SEQ=0><ACK=...>; `RN`: <SEQ=SND.NXT>; each is a RST",
        "- `SA`: SYN,ACK",
        "- `n/a`: there is no such segment, because nothing is old, outstanding or in a window in this state",
        "",
    ]
    for ways in (list(COLUMNS)[:6], list(COLUMNS)[6:]):
        lines += [
            "| | " + " | ".join(COLUMNS[way].upper() for way in ways) + " |",
            "|---" * (len(ways) + 1) + "|",
        ]
        for kind in KINDS:
            shown = [_shown([found[stack, kind, way] for stack in STACKS[:3]]) for way in ways]
            lines.append(f"| {kind} | " + " | ".join(shown) + " |")
        lines.append("| killed (ss -K, tcpdrop) | " + " | ".join(map(_killed, ways)) + " |")
        lines.append("")
    lines += ["These scripts test timers and special cases:", "", *map(_other, others()), ""]
    return "\n".join([*lines, END])


def others() -> list[Path]:
    """The scripts that were written by hand."""
    return sorted(path for path in SCRIPTS.rglob("*.pkt") if not path.name.startswith(GENERATED))


def _other(path: Path) -> str:
    told = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("// ")
    return f"- {path.parent.name}/{path.stem}: {told}"


def _killed(way: str) -> str:
    """The row that is no segment: linux and freebsd, one below the other where they differ."""
    told = [stack.get(way, "n/a") for stack in matrix_kills.ANSWERS.values()]
    return told[0] if len(set(told)) == 1 else "<br>".join(told)


def _shown(three: list[Cell]) -> str:
    texts = []
    for cell in three:
        arrow = "" if cell.next_way == cell.way else f" to {COLUMNS[cell.next_way].upper()}"
        texts.append("n/a" if cell.answer == "x" else f"{cell.answer}{arrow}")
    return texts[0] if len(set(texts)) == 1 else "<br>".join(texts)


def page(text: str) -> str:
    """The page with its part renewed, or added at its end."""
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n## Segments and states\n\n{section()}\n"
    head, _, rest = text.partition(BEGIN)
    return head + section() + rest.partition(END)[2]


def main(arguments: list[str]) -> None:
    if arguments != ["--write"]:
        print(section())
        return
    wanted = scripts()
    for path in SCRIPTS.glob("*/*.pkt"):
        if path.name.startswith(GENERATED) and str(path.relative_to(SCRIPTS)) not in wanted:
            path.unlink()
    for path, text in wanted.items():
        (SCRIPTS / path).parent.mkdir(parents=True, exist_ok=True)
        (SCRIPTS / path).write_text(text, encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
