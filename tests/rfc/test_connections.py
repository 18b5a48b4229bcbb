"""Opening, closing and keeping a connection as RFC 9293 wants it: 3.5, 3.6, 3.8.4, 3.9.1.1."""

from __future__ import annotations

import pytest

from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.segment import ACK, RST, SYN, Segment
from tcpsim.tcp.seqnum import add, diff
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, PORTS, SERVER, Line, S, profile, segment_for
from tests.tcp.ways import reach

RFC = profile("rfc9293")
HOUR = 3600 * S
PROBING = SocketOptions(keepalive=True, keep_idle_us=100 * S)


# 3.5: SYN-RECEIVED knows where it came from


def test_a_reset_in_syn_received_after_a_passive_open_returns_to_listen() -> None:
    """The program that listens is told nothing, and the next client is served."""
    line, side = reach("SYN-RECEIVED", RFC)
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.LISTEN
    assert line.accept() is None
    line.heal()
    line.ids.pop(CLIENT)
    line.connect(CLIENT, port=41_000)
    line.run(1 * S)
    assert line.accept() is not None


def test_a_reset_in_syn_received_after_an_active_open_is_told_to_the_program() -> None:
    line, side = reach("SYN-RECEIVED/simultaneous", RFC)
    line.inject(side, segment_for(line, side, "R"))
    assert line.state(side) == State.CLOSED
    assert line.error(side) == "ECONNREFUSED"


# 3.5.3


@pytest.mark.parametrize("way", ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK"])
def test_a_reset_may_carry_data(way: str) -> None:
    line, side = reach(way, RFC)
    assert line.inject(side, segment_for(line, side, "R", length=40)) == ()
    assert line.state(side) in (State.CLOSED, State.LISTEN)


# 3.6


def test_a_program_can_tell_a_close_from_an_abort() -> None:
    closed, side = reach("ESTABLISHED", RFC)
    closed.inject(side, segment_for(closed, side, "FA"))
    assert closed.tcb(side).eof
    assert closed.error(side) is None
    aborted, side = reach("ESTABLISHED", RFC)
    aborted.inject(side, segment_for(aborted, side, "R"))
    assert not aborted.tcb(side).eof
    assert aborted.error(side) == "ECONNRESET"


@pytest.mark.parametrize("closing", [False, True], ids=["first", "at-once"])
def test_who_closes_actively_waits_two_msl(closing: bool) -> None:
    """The peer, which closed second, does not wait."""
    line = Line(RFC, RFC).open()
    line.close(CLIENT)
    if closing:
        line.close(SERVER)
    line.run(1 * S)
    line.close(SERVER)
    line.run(1 * S)
    began = next(n.t_us for n in line.notes if n.side == CLIENT and n.note.new == State.TIME_WAIT)
    assert line.gone(SERVER) != closing
    line.run(began + RFC.time_wait_us - 1 - line.now)
    assert line.state(CLIENT) == State.TIME_WAIT
    line.run(1)
    assert line.gone(CLIENT)
    assert RFC.time_wait_us == 2 * 120 * S


def waiting(**knobs: object) -> tuple[Line, Segment]:
    """A server with a listener and a connection in TIME-WAIT; the next SYN of the same client."""
    stack = profile(RFC, **knobs)
    line = Line(stack, stack).open()
    line.close(SERVER)
    line.run(1 * S)
    line.close(CLIENT)
    line.run(10 * S)
    assert line.state(SERVER) == State.TIME_WAIT
    line.cut()
    t = line.tcb(SERVER)
    syn = segment_for(line, SERVER, "S", at=5_000)
    if t.ts_on:
        syn = syn._replace(options=syn.options._replace(ts_val=add(t.ts_recent, 1)))
    return line, syn


@pytest.mark.parametrize("timestamps", [False, True])
def test_a_new_syn_reopens_from_time_wait_beyond_the_old_sequence(timestamps: bool) -> None:
    line, syn = waiting(timestamps=timestamps)
    old = line.tcb(SERVER)
    (answer,) = line.inject(SERVER, syn)
    assert (answer.flags, answer.ack) == (SYN | ACK, add(syn.seq, 1))
    assert diff(answer.seq, old.snd_nxt) > 0


def test_timestamps_make_a_syn_new_whatever_its_sequence_number() -> None:
    """RFC 6191: a later timestamp is enough."""
    line, syn = waiting()
    (answer,) = line.inject(SERVER, syn._replace(seq=add(syn.seq, -50_000)))
    assert answer.flags == SYN | ACK


@pytest.mark.parametrize("timestamps", [False, True])
def test_an_old_duplicate_syn_does_not_disturb_time_wait(timestamps: bool) -> None:
    line, syn = waiting(timestamps=timestamps)
    stale = syn.options._replace(ts_val=line.tcb(SERVER).ts_recent - 1) if timestamps else syn.options
    (answer,) = line.inject(SERVER, syn._replace(seq=add(syn.seq, -50_000), options=stale))
    t = line.tcb(SERVER)
    assert (answer.flags, answer.seq, answer.ack) == (ACK, t.snd_nxt, t.rcv_nxt)
    assert line.state(SERVER) == State.TIME_WAIT


# 3.8.4


def test_keepalive_probes_a_peer_that_was_silent_for_the_interval() -> None:
    """Data or an ACK from the peer starts the interval anew; data of ours that is outstanding stops it."""
    line = Line(RFC, RFC).open(client=PROBING)
    line.run(60 * S)
    line.send(SERVER, 10)
    line.run(60 * S)
    line.send(CLIENT, 10)
    line.run(90 * S)
    assert line.told("timer", CLIENT).count("keepalive") == 0
    line.run(20 * S)
    assert line.told("timer", CLIENT).count("keepalive") == 1
    line.cut()
    line.send(CLIENT, 10)
    line.run(290 * S)
    assert line.told("timer", CLIENT).count("keepalive") == 1


def test_a_program_turns_keepalive_on_and_off() -> None:
    line = Line(RFC, RFC).open()
    line.set(CLIENT, keepalive=True, keep_idle_us=50 * S)
    line.run(60 * S)
    assert line.told("timer", CLIENT) == ["keepalive"]
    line.set(CLIENT, keepalive=False)
    line.run(HOUR)
    assert line.told("timer", CLIENT) == ["keepalive"]


@pytest.mark.parametrize("octets", [0, 1])
def test_a_probe_carries_nothing_or_one_octet_where_configured(octets: int) -> None:
    """<SEQ=SND.NXT-1>; either is answered, and neither is data for the program."""
    stack = profile(RFC, keepalive_probe_len=octets)
    line = Line(stack, RFC).open(client=PROBING)
    line.run(101 * S)
    probe = line.log(CLIENT)[-1].seg
    assert (probe.seq, probe.len) == (add(line.tcb(CLIENT).snd_nxt, -1), octets)
    assert line.log(SERVER)[-1].seg.ack == line.tcb(CLIENT).snd_nxt
    assert line.receive(SERVER) == 0


# 3.9.1.1


def test_a_passive_open_leaves_every_connection_as_it_was() -> None:
    line = Line(RFC, RFC).open()
    before = line.ends[SERVER]
    after, number = tcp.listen(before, PORTS[SERVER] + 1, 5)
    assert number not in before.listeners
    assert after.sockets == before.sockets
    assert after.listeners == {**before.listeners, number: after.listeners[number]}


@pytest.mark.parametrize("way", ["SYN-SENT", "SYN-RECEIVED/simultaneous"])
def test_a_program_can_listen_on_the_port_of_a_connection_that_is_opening(way: str) -> None:
    """The connection goes on, and another client reaches the listener."""
    line, side = reach(way, RFC)
    before = line.tcb(side)
    end, listener = tcp.listen(line.ends[side], before.local_port, 5)
    syn = Segment(50_000, before.local_port, SYN, 9_000, 0, 0, 65_535)
    opened = tcp.deliver(end, syn, line.now)
    assert opened.end.listeners[listener].embryonic == 1
    assert [seg.flags for seg in opened.segments] == [SYN | ACK]
    assert opened.end.sockets[line.ids[side]] == before


def test_a_connection_that_does_not_exist_is_refused() -> None:
    """3.10.7.1: whatever is for nobody is answered by a RST, a RST by nothing."""
    line = Line(RFC, RFC)
    nobody = Segment(PORTS[CLIENT], PORTS[SERVER], ACK, 5, 77, 10, 1_000)
    assert [(seg.flags, seg.seq) for seg in line.inject(SERVER, nobody)] == [(RST, 77)]
    assert line.inject(SERVER, nobody._replace(flags=RST | ACK)) == ()
