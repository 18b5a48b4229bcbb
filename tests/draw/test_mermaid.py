"""Ladders and the state diagram as mermaid: every line is of its grammar, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tcpsim
from tcpsim.catalogue import scenarios
from tcpsim.draw.mermaid import states_mermaid
from tcpsim.draw.states_text import fact_words
from tcpsim.tcp.lifecycle import TABLE
from tcpsim.tcp.state import State

_WHO = r"(client|relay(_\d+)?|server)"
_LINES = (
    r"sequenceDiagram",
    rf"  participant {_WHO}( as [^;#<>]+)?",
    rf"  {_WHO}(->>|-x|--\)){_WHO}: [^;<>]+(#\w+;[^;<>]*)*",
    rf"  Note (left|right) of {_WHO}: [^<>]*(<br>[^<>]*)*",
    r"  Note over client,server: [^;]+ pass",
)


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_every_line_is_mermaid(name: str) -> None:
    run = tcpsim.run(name)
    lines = run.mermaid().splitlines()
    for line in lines:
        assert any(re.fullmatch(form, line) for form in _LINES), line
    arrows = [line for line in lines if re.match(r"  \w+(->>|-x|--\))", line)]
    sent = [item.flight for item in run.story.items if item.kind == "send"]
    assert len(arrows) >= len(set(sent))
    lost = [line for line in arrows if "-x" in line]
    assert len(lost) >= sum(flight.lost is not None for flight in run.story.flights)


def test_what_mermaid_reads_as_syntax_is_text() -> None:
    words = tcpsim.run("normal-close", drop="server #2").mermaid()
    assert "server #35;2" in words
    assert not re.search(r"#\d+[^;\d]", words)


def test_the_diagram_has_every_row() -> None:
    """As an arrow, or inside the state that it leads from to CLOSED."""
    text = states_mermaid()
    lines = text.splitlines()
    assert "  ESTABLISHED --> CLOSE_WAIT: peer FIN / snd ACK" in lines
    assert "  TIME_WAIT --> [*]: 2 MSL over<br>superseded" in lines
    assert '  state "FIN-WAIT-2<br>(reset, aborted, gave up)" as FIN_WAIT_2' in lines
    for row in TABLE:
        begin, end = (
            "[*]" if state is State.CLOSED else str(state).replace("-", "_")
            for state in (row.state, row.next_state)
        )
        arrow = next((line for line in lines if line.startswith(f"  {begin} --> {end}: ")), "")
        named = next((line for line in lines if line.endswith(f" as {begin}")), "")
        assert fact_words(row.fact) in arrow or fact_words(row.fact) in named, row


def test_a_file_that_ends_in_mmd(tmp_path: Path) -> None:
    run = tcpsim.run("normal-close")
    assert run.save(tmp_path / "x.mmd").read_text(encoding="utf-8") == run.mermaid()
    assert tcpsim.states().save(tmp_path / "y.mmd").read_text(encoding="utf-8") == states_mermaid()
