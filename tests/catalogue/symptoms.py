"""From symptom to scenario: docs/symptoms.md and README's table. `python -m tests.catalogue.symptoms`.

Owns: the pages. `make docs` writes them; README's table stands between two markers, if it has them. Refuses
to know: which scenario has which symptom (tcpsim.catalogue.symptoms finds that by running them).
"""

from __future__ import annotations

import re
from pathlib import Path

from tcpsim.catalogue import Scenario, Symptom, matching, own_symptoms, scenarios
from tcpsim.catalogue.symptoms import FILE, OWNERS, written
from tcpsim.pair import SIDES
from tcpsim.tcp.state import State
from tests.catalogue.stories import link

ROOT = Path(__file__).parent.parent.parent
INDEX = ROOT / "tcpsim" / "catalogue" / FILE
PAGE, README = ROOT / "docs" / "symptoms.md", ROOT / "README.md"
BEGIN, END = "<!-- symptoms: make docs -->", "<!-- end of symptoms -->"
BLOCK = re.compile(f"{BEGIN}\\n.*?{END}", re.DOTALL)

# The states that people ask about most come first.
ORDER = (
    State.CLOSE_WAIT, State.FIN_WAIT_2, State.ESTABLISHED, State.TIME_WAIT, State.LAST_ACK, State.FIN_WAIT_1,
    State.CLOSING, State.SYN_RECEIVED, State.SYN_SENT, State.CLOSED,
)  # fmt: skip
HELD_BY = {
    "program": "a program",
    "queue": "nobody: it waits in the accept queue",
    "kernel": "nobody: only the kernel has it",
}
HEAD = (
    "| I see many sockets in | on the | held by | queued | one stays | read this | run this |",
    "|---|---|---|---|---|---|---|",
)

INTRODUCTION = """\
# From a symptom to a scenario

You see many sockets in one state. This page says which scenarios end like that, and what to run.

1. *State*: `ss -tan` shows it. `ss` says ESTAB for ESTABLISHED and SYN-RECV for SYN-RECEIVED. A socket
   that is CLOSED appears in no list of connections, but `lsof` shows its descriptor ("can't identify
   protocol").
2. *Side*: your host is the **server** of a connection if the local port is the one that your service
   listens on. Otherwise it is the **client**.
3. *Held by*: run `ss -tanp` as root. A socket with `users:` is held by that **program**. A socket without
   it waits in the accept queue, or only the kernel has it. The line of the listener tells these apart:
   its Recv-Q is the number of connections in the queue.
4. *Queued*: Recv-Q is what the program has not read. Send-Q is what the other end has not acknowledged.
   `ss` counts a FIN as one byte.

*One stays* is how long one socket stays in the run of the scenario. If it ends, you see rate times stay:
at 100 connections a second, 60 s of TIME-WAIT are 6,000 sockets. If it stays for ever, the number grows
until something runs out.

The same search from the shell, and from Python with `tcpsim.scenarios(state="CLOSE-WAIT",
side="server")`:

```console
$ tcpsim scenarios --state CLOSE-WAIT --side server --owner none
...
  CLOSE-WAIT on the server, in the accept queue, held by no program, 100 bytes unread; stays for ever
...
```

`make docs` makes this page from the runs of all scenarios, and a test runs them again.

## The best scenario for each symptom
"""

Place = tuple[State, str, str]


def places(only_own: bool) -> list[Place]:
    """The symptoms that the catalogue has; only those that a scenario is about, if asked."""
    every = [(state, side, owner) for state in ORDER for side in reversed(SIDES) for owner in OWNERS]
    found = [place for place in every if scenarios(*place)]
    return [place for place in found if not only_own or is_about(scenarios(*place)[0], place)]


def is_about(scenario: Scenario, place: Place) -> bool:
    return any((each.state, each.side, each.owner) == place for each in own_symptoms(scenario))


def table(only_own: bool, docs: str) -> list[str]:
    """One row for each symptom; `docs` is where the pages are, seen from this one."""
    rows = []
    for place in places(only_own):
        best = scenarios(*place)[0]
        (symptom,) = matching(best, *place)
        state, side, owner = place
        read = f"[{best.title}]({docs}{link(best)})"
        cells = (state, side, HELD_BY[owner], queued(symptom), symptom.how_long, read, f"`{command(best)}`")
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return [*HEAD, *rows]


def queued(symptom: Symptom) -> str:
    """Which of the two queues of `ss` are not empty."""
    names = [name for name, octets in (("Recv-Q", symptom.unread), ("Send-Q", symptom.unacked)) if octets]
    return ", ".join(names) or "-"


def command(best: Scenario) -> str:
    """What to run: with its fixes, where it has some."""
    return f"tcpsim {'compare' if best.cures or best.in_vain else 'run'} {best.name}"


def page() -> str:
    """docs/symptoms.md."""
    lines = [INTRODUCTION, *table(False, ""), "", "## All scenarios by symptom"]
    for state, side, owner in places(False):
        lines += ["", f"**{state} on the {side}**, held by {HELD_BY[owner]}:", ""]
        for each in scenarios(state, side, owner):
            (symptom,) = matching(each, state, side, owner)
            lines.append(f"- [{each.name}]({link(each)}), {symptom.how_long}: {each.title}")
    return "\n".join(lines) + "\n"


def block() -> str:
    """README's table with its markers."""
    return "\n".join([BEGIN, *table(True, "docs/"), END])


def readme() -> str:
    """README.md with the table as it is now; unchanged where it has no markers."""
    return BLOCK.sub(lambda _: block(), README.read_text(encoding="utf-8"))


if __name__ == "__main__":
    INDEX.write_text(written(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
