"""RFC 9293 3.5.1: the figures of half-open connections, message by message."""

from __future__ import annotations

import re

import pytest

from tcpsim.catalogue import play, scenario
from tcpsim.pair import Arrived, Event, Sent, StateChanged
from tcpsim.tcp.segment import ACK, PSH, Segment, flag_letters
from tcpsim.tcp.state import State

# As printed: who sends, the numbers by the figure's own names, octets of data, flags. Peer A is the client.
FIGURE_9 = """\
3. --> <SEQ=400><CTL=SYN>
4. <-- <SEQ=300><ACK=100><CTL=ACK>
5. --> <SEQ=100><CTL=RST>
7. --> <SEQ=400><CTL=SYN>
"""
FIGURE_10 = """\
2. <-- <SEQ=300><ACK=100><DATA=10><CTL=ACK>
3. --> <SEQ=100><CTL=RST>
"""
FIGURE_11 = """\
2. ... <SEQ=Z><CTL=SYN>
3. <-- <SEQ=X><ACK=Z+1><CTL=SYN,ACK>
4. --> <SEQ=Z+1><CTL=RST>
"""
LINE = re.compile(r"(\d)\. (-->|<--|\.\.\.) <SEQ=([^>]+)>(?:<ACK=([^>]+)>)?(?:<DATA=(\d+)>)?<CTL=([A-Z,]+)>")


def agree(figure: str, messages: list[tuple[str, Segment]]) -> dict[str, int]:
    """The messages are those of the figure; the numbers that stand for its names."""
    names: dict[str, int] = {}

    def named(name: str, number: int) -> None:
        base, plus, more = name.partition("+")
        number = (number - int(more if plus else 0)) % 2**32
        assert names.setdefault(base, number) == number, f"{name} is another number than before"

    lines = figure.splitlines()
    assert len(messages) >= len(lines)
    for line, (side, segment) in zip(lines, messages, strict=False):
        _, arrow, seq, ack, data, flags = LINE.fullmatch(line).groups()  # type: ignore[union-attr]
        assert side == ("server" if arrow == "<--" else "client"), line
        letters = {word[0] if word != "RST" else "R" for word in flags.split(",")}
        assert set(flag_letters(segment.flags & ~PSH)) == letters, line
        assert segment.len == int(data or 0), line
        named(seq, segment.seq)
        if ack is not None:
            named(ack, segment.ack)
        else:
            assert not segment.flags & ACK, line
    assert len(set(names.values())) == len(names)
    return names


def told(name: str, **overrides: object) -> tuple[Event, ...]:
    return play(scenario(name), **overrides).events


def sent(events: tuple[Event, ...], after_us: int) -> list[tuple[str, Segment]]:
    return [(e.side, e.segment) for e in events if isinstance(e, Sent) and e.t_us >= after_us]


def came_to(events: tuple[Event, ...], side: str, state: State | None) -> list[int]:
    return [e.t_us for e in events if isinstance(e, StateChanged) and e.side == side and e.new is state]


@pytest.mark.parametrize("stack", ["rfc9293", "linux", "freebsd"])
def test_figure_9(stack: str) -> None:
    events = told("half-open-discovery", stack_client=stack, stack_server=stack)
    messages = sent(events, 21_000_000)
    names = agree(FIGURE_9, messages)
    first = [segment for side, segment in sent(events, 0)[:8] if side == "client" and segment.len]
    assert names["100"] == (first[0].seq + first[0].len) % 2**32, "what B expects next of the old connection"
    aborted = came_to(events, "server", State.CLOSED)[0]
    opened = came_to(events, "server", State.SYN_RECEIVED)[1]
    assert 21_000_000 < aborted < opened, "B is CLOSED before the SYN of line 7 is there"
    times = [e.t_us for e in events if isinstance(e, StateChanged) and e.side == "client"]
    sending = came_to(events, "client", State.SYN_SENT)[1]
    after = next(t_us for t_us in times if t_us > sending)
    assert after > aborted, "A is in SYN-SENT from line 3 to line 7"


@pytest.mark.parametrize("stack", ["rfc9293", "linux", "freebsd"])
def test_figure_10(stack: str) -> None:
    events = told("half-open-meets-data", stack_client=stack, stack_server=stack)
    messages = sent(events, 500_000_000)
    agree(FIGURE_10, messages)
    assert len(messages) == 2
    rst = [e.t_us for e in events if isinstance(e, Arrived) and e.side == "server"][-1]
    assert came_to(events, "server", State.CLOSED)[0] == rst


@pytest.mark.parametrize("stack", ["rfc9293", "linux"])
def test_figure_11(stack: str) -> None:
    events = told("old-duplicate-syn", stack_client=stack, stack_server=stack)
    messages = sent(events, 0)
    agree(FIGURE_11, messages)
    assert len(messages) == 3
    assert len(came_to(events, "server", State.SYN_RECEIVED)) == 1
    played = play(scenario("old-duplicate-syn"), stack_client=stack, stack_server=stack)
    for machine in (played.ended.client, played.ended.server):
        assert not machine, "both only listen"


def test_without_the_reboot_there_is_no_rst() -> None:
    """The figures are about a half-open connection: a client that keeps its memory meets none of this."""
    events = told("half-open-discovery", client="closes-first")
    assert not [segment for _, segment in sent(events, 0) if "R" in flag_letters(segment.flags)]
