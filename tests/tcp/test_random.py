"""Whatever arrives and whatever is called: nothing raises, and what must always hold holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.tcp import deadlines
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.lifecycle import TABLE
from tcpsim.tcp.segment import Options, Segment
from tcpsim.tcp.seqnum import add, diff
from tcpsim.tcp.stack import names
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions, Tcb
from tcpsim.tcp.write_queue import octets
from tests.tcp.two_ends import CLIENT, PORTS, SERVER, Line, S
from tests.tcp.ways import reach

ARCS = {(row.state, row.next_state) for row in TABLE}
CALLS = (
    "send", "receive", "shut-wr", "shut-rd", "close", "abort", "connect", "listen", "accept",
    "keepalive", "linger2", "close-listener", "error",
)  # fmt: skip

offsets = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-70_000, -1448, 1448, 65_535, 1 << 20, 1 << 31]),
    st.integers(0, 2**32),
)
garbage = st.tuples(
    st.just("segment"),
    st.integers(0, 63),  # every combination of control bits
    offsets,
    offsets,
    st.sampled_from([0, 1, 10, 1448]),
    st.sampled_from([0, 1, 1000, 65_535]),
    st.sampled_from([None, -1000, -1, 0, 1, 1000]),  # the timestamp, from TS.Recent
    st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(1, 3_000)), max_size=3),
)
calls = st.tuples(
    st.just("call"), st.sampled_from([CLIENT, SERVER]), st.sampled_from(CALLS), st.integers(0, 5_000)
)
waits = st.tuples(st.just("wait"), st.sampled_from([1_000, 10_000, 250_000, 5 * S, 400 * S]))
loses = st.tuples(st.just("lose"), st.integers(1, 4))
moves = st.lists(st.one_of(garbage, calls, waits, loses), max_size=40)


def forged(line: Line, side: str, move: tuple) -> Segment:  # type: ignore[type-arg]
    """A segment with control bits, numbers and options as drawn, around what `side` expects."""
    _, flags, at, ack, length, wnd, ts_age, sack = move
    t = line.tcb(side) if line.ends[side].sockets else Tcb()
    options = Options(
        mss=536 if flags & 2 else None,
        ts_val=None if ts_age is None else add(t.ts_recent, ts_age),
        ts_ecr=None if ts_age is None else 1,
        sack=tuple((add(t.snd_una, left), add(t.snd_una, left + size)) for left, size in sack),
    )
    peer = SERVER if side == CLIENT else CLIENT
    ports = (PORTS[peer], PORTS[side])
    return Segment(*ports, flags, add(t.rcv_nxt, at), add(t.snd_nxt, ack), length, wnd, options)


def call(line: Line, side: str, what: str, octets: int) -> None:
    """A program's call, where the program has something to call it on."""
    if what == "connect":
        line.connect(side)
    elif what == "listen" and not line.ends[SERVER].listeners:
        line.listen(1)
    elif what == "accept" and line.ends[SERVER].listeners:
        line.accept()
    elif what == "close-listener" and line.listener in line.ends[SERVER].listeners:
        line.close_listener()
    elif side in line.ids and not line.gone(side) and not line.tcb(side).orphaned:
        on_a_socket(line, side, what, octets)


def on_a_socket(line: Line, side: str, what: str, octets: int) -> None:
    if what == "send":
        line.send(side, octets)
    elif what == "receive":
        line.receive(side, octets)
    elif what in ("shut-wr", "shut-rd"):
        line.shutdown(side, rd=what == "shut-rd", wr=what == "shut-wr")
    elif what == "close":
        line.close(side)
    elif what == "abort":
        line.abort(side)
    elif what == "keepalive":
        line.set(side, keepalive=True, keep_idle_us=3 * S, keep_intvl_us=1 * S, keep_cnt=2)
    elif what == "linger2":
        line.set(side, linger2_us=octets - 100)
    elif what == "error":
        line.error(side)


def check(line: Line) -> None:
    """What always holds, in every stack."""
    for side in (CLIENT, SERVER):
        end = line.ends[side]
        for t in end.sockets.values():
            assert 0 <= diff(t.snd_nxt, t.snd_una) <= diff(t.write_seq, t.snd_una)
            assert sum(record.payload for record in t.sent) + octets(t.unsent) <= diff(t.write_seq, t.snd_una)
            assert t.readable >= 0
            assert t.pipe >= 0
            beside_syn = t.snd_una == t.iss  # the text of a SYN waits at RCV.NXT until ours is acknowledged
            assert all(diff(left, t.rcv_nxt) >= (not beside_syn) for left, _, _ in t.ooo)
            if t.state == State.CLOSED:
                assert deadlines.next_time(t) is None
                assert not t.sent
                assert not t.orphaned, "a closed orphan is forgotten"
            else:
                assert end.find(t.local_port, t.remote_port) is not None
            if t.state == State.TIME_WAIT:
                assert t.wait_at_us is not None
            if t.orphaned and end.stack.name == "linux":
                assert deadlines.next_time(t) is not None, "an orphan has a timer"
        for number, listener in end.listeners.items():
            children = [t for t in end.sockets.values() if t.parent == number]
            assert listener.embryonic == sum(t.state == State.SYN_RECEIVED for t in children)
            assert all(waiting in end.sockets for waiting in listener.accept_queue)


def play(line: Line, script: list[tuple]) -> None:  # type: ignore[type-arg]
    """Do all of it, checking after each move."""
    for number, move in enumerate(script):
        if move[0] == "segment":
            side = CLIENT if number % 2 else SERVER
            line.inject(side, forged(line, side, move))
        elif move[0] == "call":
            call(line, *move[1:])
        elif move[0] == "wait":
            line.run(move[1])
        else:
            every = move[1]
            line.loses = lambda side, seg, every=every: len(line.sent) % every == 0
        check(line)
    for noted in line.notes:
        if noted.note.kind == "state":
            assert (noted.note.old, noted.note.new) in ARCS


@settings(max_examples=150)
@given(script=moves)
@pytest.mark.parametrize("profile", ["linux", "rfc9293"])
@pytest.mark.parametrize("opened", [False, True])
def test_anything_goes(opened: bool, profile: str, script: list[tuple]) -> None:  # type: ignore[type-arg]
    line = Line(profile, profile, iss=2**32 - 5_000)
    if opened:
        line.open()
    play(line, script)


@settings(max_examples=15)
@given(script=moves)
@pytest.mark.parametrize("profile", names())
def test_anything_goes_on_every_stack(profile: str, script: list[tuple]) -> None:  # type: ignore[type-arg]
    line = Line(profile, "linux").open()
    play(line, script)


@settings(max_examples=60)
@given(script=st.lists(calls | waits | loses, max_size=25))
@pytest.mark.parametrize("profile", ["linux", "rfc9293"])
def test_without_forgery_both_ends_agree_on_what_was_read(
    profile: str,
    script: list[tuple],  # type: ignore[type-arg]
) -> None:
    """What one end has in order, the other has sent; what one took for acknowledged, the other has."""
    line = Line(profile, profile).open()
    ids = dict(line.ids)
    play(line, script)
    pair = [line.ends[side].sockets.get(ids[side]) for side in (CLIENT, SERVER)]
    for a, b in (pair, pair[::-1]):
        if a is None or b is None or State.CLOSED in (a.state, b.state):
            continue
        assert (a.irs, b.irs) == (b.iss, a.iss)
        assert diff(a.snd_una, b.rcv_nxt) <= 0 <= diff(a.snd_nxt, b.rcv_nxt)


def test_an_orphan_without_a_timer() -> None:
    """The contrast: plain RFC 9293 has an orphan that nothing will ever end, Linux has not."""
    line, side = reach("FIN-WAIT-2/orphan", "rfc9293")
    assert deadlines.next_time(line.tcb(side)) is None
    line, side = reach("FIN-WAIT-2/orphan", "linux")
    assert deadlines.next_time(line.tcb(side)) is not None


def test_an_end_is_immutable_from_outside() -> None:
    line = Line().open()
    before = line.ends[CLIENT]
    told = repr(before.sockets[line.ids[CLIENT]])
    tcp.send(before, line.ids[CLIENT], 100, line.now)
    tcp.close(before, line.ids[CLIENT], line.now)
    assert repr(before.sockets[line.ids[CLIENT]]) == told
    assert before.sockets[line.ids[CLIENT]].options == SocketOptions()
