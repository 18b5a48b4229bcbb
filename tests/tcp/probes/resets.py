"""Probes of the end as programs bring it about: unread data, abort, data after close, a RST."""

from __future__ import annotations

from tcpsim.tcp.stack import Stack
from tests.tcp.probes.battery import CLIENT, MS, SERVER, Line, S, alone, flags_of, probe, sent_at
from tests.tcp.probes.closing import both_shut
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach


@probe("linux", "rst_on_unread_close", "rst_has_ack")
def close_with_unread_data(s: Stack) -> None:
    """RFC 2525 2.17; tcp.c __tcp_close: RST, which carries ACK (tcp_send_active_reset)."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(100 * MS)
    since = alone(line)
    line.close(CLIENT)
    assert line.flags(CLIENT, since) == ["RA"]


@probe("rfc9293", "rst_has_ack")
def abort_of_the_rfc(s: Stack) -> None:
    """RFC 9293 3.10.5: <SEQ=SND.NXT><CTL=RST>."""
    line = Line(s).open()
    since = alone(line)
    line.abort(CLIENT)
    assert line.flags(CLIENT, since) == ["R"]


@probe("linux", "rst_on_data_after_close")
def data_for_who_shut_down_reading(s: Stack) -> None:
    """tcp_input.c tcp_rcv_state_process step 7: RCV_SHUTDOWN is enough, owned or not; past RCV.NXT only."""
    line, _ = both_shut(s)
    assert flags_of(line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=100))).startswith("R")
    line, side = reach("FIN-WAIT-1/orphan", s)
    assert flags_of(line.inject(side, segment_for(line, side, "PA", at=10_000_000, length=100))) == "A"


@probe("rfc9293", "rst_on_data_after_close")
def data_for_nobody(s: Stack) -> None:
    """RFC 9293 3.6.1: when the program is gone; who has shut down reading alone is not. Behind the checks of
    3.10.7.4, so what lies outside the window is acknowledged."""
    line, _ = both_shut(s)
    assert "R" not in flags_of(line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=100)))
    line, side = reach("FIN-WAIT-2/orphan", s)
    assert flags_of(line.inject(side, segment_for(line, side, "PA", at=100_000, length=100))) == "A"
    assert flags_of(line.inject(side, segment_for(line, side, "PA", length=100))).startswith("R")


@probe("freebsd", "rst_on_unread_close", "rst_on_data_after_close")
def freebsd_closes_with_unread_data(s: Stack) -> None:
    """tcp_usrreq.c tcp_disconnect: sbflush and FIN; tcp_do_segment TF_CLOSED: data is reset wherever it
    lies."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(200 * MS)
    since = alone(line)
    line.close(CLIENT)
    assert line.flags(CLIENT, since) == ["FA"]
    beyond = segment_for(line, CLIENT, "PA", at=10_000_000, length=100)
    assert flags_of(line.inject(CLIENT, beyond)).startswith("R")


@probe("linux", "fin_ack_now", "delayed_ack_us")
def the_ack_of_a_fin_waits(s: Stack) -> None:
    """tcp_input.c tcp_fin: scheduled; behind data 40 ms in traces of 6.18."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(100 * MS)
    since = alone(line)
    line.inject(CLIENT, segment_for(line, CLIENT, "FA"))
    line.run(S)
    assert sent_at(line, CLIENT, since) == [40 * MS]


@probe("rfc9293", "fin_ack_now")
def the_ack_of_a_fin_comes_at_once(s: Stack) -> None:
    """RFC 9293 3.10.7.4 eighth."""
    line = Line(s).open()
    assert flags_of(line.inject(CLIENT, segment_for(line, CLIENT, "FA"))) == "A"


@probe("linux", "rst_flushes_reader")
def what_was_received_survives_a_rst(s: Stack) -> None:
    """tcp_input.c tcp_reset purges the write queue only; traces read 200 octets behind a RST."""
    line = Line(s).open()
    line.send(SERVER, 200)
    line.run(100 * MS)
    line.inject(CLIENT, segment_for(line, CLIENT, "R"))
    assert line.receive(CLIENT) == 200


@probe("linux", "reset_close_wait_error")
def a_rst_in_close_wait(s: Stack) -> None:
    """tcp_input.c tcp_reset: EPIPE."""
    line, side = reach("CLOSE-WAIT", s)
    line.inject(side, segment_for(line, side, "R"))
    assert line.error(side) == "EPIPE"


@probe("linux", "rst_on_abort_of_unsent")
def abort_of_an_unsent_fin(s: Stack) -> None:
    """tcp.c tcp_disconnect: RST in LAST-ACK too, where snd_nxt != write_seq; here a shut window holds the
    FIN."""
    line, side = reach("CLOSE-WAIT", s)
    line.inject(side, segment_for(line, side, "A", wnd=0))
    line.send(side, 100)
    line.shutdown(side)
    since = line.now
    line.abort(side)
    assert line.flags(side, since) == ["RA"]


@probe("rfc9293", "rst_on_abort_of_unsent")
def abort_in_last_ack(s: Stack) -> None:
    """RFC 9293 3.10.5: in LAST-ACK the TCB is deleted, and that is all."""
    line, side = reach("CLOSE-WAIT", s)
    line.inject(side, segment_for(line, side, "A", wnd=0))
    line.send(side, 100)
    line.shutdown(side)
    since = line.now
    line.abort(side)
    assert line.flags(side, since) == []


@probe("linux", "acks_repeat_controls")
def an_ack_is_an_ack(s: Stack) -> None:
    """RFC 9293 3.10.7.4 first: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, whatever of ours is outstanding."""
    line, side = reach("FIN-WAIT-1", s)
    assert flags_of(line.inject(side, segment_for(line, side, "PA", at=-50, length=10, ack=-1))) == "A"


@probe("freebsd", "acks_repeat_controls")
def an_ack_repeats_the_fin(s: Stack) -> None:
    """tcp_output.c tcp_outflags[TCPS_FIN_WAIT_1]: every segment that goes out has the FIN until it is
    acknowledged."""
    line, side = reach("FIN-WAIT-1", s)
    assert flags_of(line.inject(side, segment_for(line, side, "PA", at=-50, length=10, ack=-1))) == "FA"
