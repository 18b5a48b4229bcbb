"""A timer that does not exist, added to a copy of the package as CONTRIBUTING says: everything knows it.

Its rule is that CLOSE-WAIT ends when the peer was silent for `close_wait_us`. Only files of `tcpsim/tcp`
change;
what the other rooms make of it is asked in a process of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import tcpsim

PACKAGE = Path(tcpsim.__file__).parent
ROOT = PACKAGE.parent

# file: (what stands there, what is put behind it)
EDITS: dict[str, list[tuple[str, str]]] = {
    "tcp/event.py": [("    LAST_ACK = 10  # lwIP\n", "    CLOSE_WAIT = 12\n")],
    "tcp/tcb.py": [
        ('    "wait_at_us": None,\n', '    "shut_at_us": None,\n'),
        ("    wait_at_us: int | None\n", "    shut_at_us: int | None\n"),
    ],
    "tcp/stack.py": [("    last_ack_us: Wait | None\n", "    close_wait_us: Wait | None\n")],
    "tcp/stacks/rfc9293.toml": [
        (
            'source = "RFC 9293 knows no limit but R2"\n',
            '\n[close_wait_us]\nvalue = "none"\nsource = "RFC 9293 knows none"\n',
        )
    ],
    "tcp/timers.py": [
        (
            "        _settle_wait(step)\n",
            "    if t.state is not State.CLOSE_WAIT or s.close_wait_us is None:\n"
            "        t.shut_at_us = None\n"
            "    elif t.shut_at_us is None:\n"
            "        t.shut_at_us = silent_since_us(t) + s.close_wait_us\n",
        ),
        ("from tcpsim.tcp.step import Step\n", "from tcpsim.tcp.state import State\n"),
    ],
    "tcp/timeouts.py": [
        ("_ACTS = {\n", '    "shut_at_us": _shut,\n'),
        (
            "# The retransmission slot\n",
            "\n\ndef _shut(step: Step) -> None:\n"
            "    t, limit_us = step.t, step.s.close_wait_us or 0\n"
            "    if step.now - timers.silent_since_us(t) < limit_us:\n"
            "        t.shut_at_us = timers.silent_since_us(t) + limit_us\n"
            "        return\n"
            "    step.fired(str(Timer.CLOSE_WAIT))\n"
            '    give_up(step, "CLOSE-WAIT limit", False)\n\n\n',
        ),
    ],
    "tcp/deadlines.py": [
        (
            "DECLARED = (\n",
            "    Declared(\n"
            '        "shut_at_us",\n'
            "        lambda _: Timer.CLOSE_WAIT,\n"
            '        "sk_timer",\n'
            "        lambda t, s, later_us: s.close_wait_us or 0,\n"
            "        lambda t, s, tunes: (s.close_wait_us or 0,),\n"
            "    ),\n",
        )
    ],
}

ASKED = """
import sys
from tcpsim.app import accept, close, connect, ignore, listen, receive, reboot, send, shutdown, wait
from tcpsim.app.program import Program
from tcpsim.conformance.traces.lateness import Clocks
from tcpsim.diagnosis.simulated_dump import sockets
from tcpsim.explore.chain import explore
from tcpsim.explore.untimed import AnyOrder
from tcpsim.pair import TimerFired, advance, new_pair
from tcpsim.pair.equivalence import Keys
from tcpsim.path import Quiet, Seeded, make_path
from tcpsim.tcp import deadlines
from tcpsim.tcp.equivalence import future
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tcpsim.web.graph import graph

def made(limit, before="1s"):
    profile = stack("rfc9293").with_knobs({"close_wait_us": limit})
    client = Program([connect(), wait(before), send(10), wait("10ms"), shutdown(), ignore()])
    server = Program([listen(), accept(), ignore()])
    return new_pair(client, server, profile, profile, make_path(10_000, 0.2, 0.2))

def waits(pair):
    while not any(t.state is State.CLOSE_WAIT for t in pair.server.system.end.sockets.values()):
        pair = advance(pair, Quiet())
    (t,) = pair.server.system.end.sockets.values()
    return pair, t

pair, t = waits(made("5s"))
s = pair.server.system.end.stack
assert t.shut_at_us is not None and deadlines.next_time(t) == t.shut_at_us
assert [str(each.timer) for each in deadlines.running(t)] == ["close-wait"]
(shown,) = [each for each in sockets(pair, "server", pair.now_us) if each.state is State.CLOSE_WAIT]
assert (shown.timer.kind, shown.timer.left_us) == ("keepalive", 5_000_000), shown
clocks = Clocks()
clocks.see("server", 1, t, pair.now_us, False)
assert clocks.latest_us("server", 1, t.shut_at_us) > t.shut_at_us
assert deadlines.longest_us(t, s, future.bounds(t, s, True, None)) >= 5_000_000
assert deadlines.silences_met(t, s)[0]

keys = Keys()
later = pair._replace(next_us=pair.next_us - 1)
assert keys.key(pair) != keys.key(later)

assert explore(made("5s"), 100).states >= 100
steps = AnyOrder(made("5s"), 1)
words, open_, seen = set(), [steps.start], set()
while open_ and len(seen) < 400 and "server: close-wait timer" not in words:
    at = open_.pop()
    for branch in steps.branches(at):
        words.update(branch.chosen)
        if steps.key(branch.pair) not in seen:
            seen.add(steps.key(branch.pair))
            open_.append(branch.pair)
assert "server: close-wait timer" in words, sorted(words)
names = {each.name for state in graph(made("5s"), 10_000_000, 0).states for each in state.running}
assert "close-wait" in names, names

events = []
while pair.next_us is not None:
    pair = advance(pair, Quiet(), events.append)
assert any(isinstance(each, TimerFired) and each.timer == "close-wait" for each in events)
(t,) = pair.server.system.end.sockets.values()
assert t.state is State.CLOSED and deadlines.next_time(t) is None
print("known everywhere")
"""


def _changed(text: str, edits: list[tuple[str, str]], name: str) -> str:
    for anchor, added in edits:
        assert text.count(anchor) >= 1, f"{name}: {anchor!r} is no longer there"
        text = text.replace(anchor, anchor + added, 1)
    return text


def test_a_new_timer_is_known_everywhere(tmp_path: Path) -> None:
    copy = tmp_path / "tcpsim"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        path = copy / name
        path.write_text(_changed(path.read_text(), edits, name))
    found = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (found.returncode, found.stdout) == (0, "known everywhere\n"), found.stderr


def test_contributing_lists_these_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text[text.index("A new timer has these parts") : text.index("## Add a scenario")]
    listed = set(re.findall(r"`((?:tcp/)[\w/.]+)`", table))
    assert listed == {name if not name.endswith(".toml") else "tcp/stacks/NAME.toml" for name in EDITS}
