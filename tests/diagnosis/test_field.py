"""Dumps as people post them, and what a good answer says. The four situations are invented."""

from __future__ import annotations

from pathlib import Path

from tcpsim.diagnosis.diagnose import Judged, judge
from tcpsim.diagnosis.findings import Finding
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.report import page
from tcpsim.dumps import read

DATA = Path(__file__).parent.parent / "data" / "diagnose"


def judged(name: str) -> Judged:
    return judge(Host(read((DATA / f"field.{name}.txt").read_bytes(), name)))


def of_kind(found: Judged, kind: str) -> Finding:
    (one,) = [each for each in found.findings if each.kind == kind]
    return one


def flat(found: Judged) -> str:
    return " ".join(page([found]).split())


def test_an_accept_queue_that_is_full() -> None:
    found = judged("ss-accept-queue")
    first = found.findings[0]
    assert (first.kind, first.number, first.owner, first.pids) == ("accept-queue", 25, "java", (4127,))
    assert (first.move, first.certainty, first.leak) == ("this program", "certain", True)
    assert first.ends.never
    assert "129" in first.notes[0]
    assert "25" in first.notes[0]
    assert "tcp_fin_timeout" in first.knobs.in_vain
    assert "a larger backlog" in first.knobs.in_vain
    handshakes = of_kind(found, "syn-received-queue-full")
    assert handshakes.number == 4
    assert handshakes.ends.latest_us is not None
    assert not any(each.bad for each in found.findings[1:])
    assert "ListenOverflows" in first.look
    assert "close()" not in first.owes


def test_fin_wait_1_on_loopback() -> None:
    found = judged("netstat-loopback-fin-wait-1")
    first = found.findings[0]
    assert (first.kind, first.number, first.owner) == ("accept-queue", 9, "dotnet")
    behind = of_kind(found, "fin-wait-1-unaccepted")
    assert behind.number == 11
    assert "not a loss" in behind.happened or "no loss" in behind.happened
    pooled = next(each for each in found.findings if each.port == 443)
    assert (pooled.kind, pooled.leak, pooled.owner) == ("close-wait-data-unread", False, "dotnet")
    assert of_kind(found, "last-ack").move == "this kernel"
    assert found.host.dump.partly


def test_a_tracker_that_is_full() -> None:
    found = judged("conntrack-close-wait")
    assert found.findings == ()
    assert found.bad
    assert found.tracker is not None
    assert found.tracker.dropping
    text = flat(found)
    assert "182 such flows a second fill 655,360" in text
    assert "no program owes a close()" in text
    assert "clients see timeouts, not refusals" in text
    assert "An ESTABLISHED entry without traffic stays for 86,400 s" in text
    assert "tcp_fin_timeout and keepalive of the programs change no entry" in text
    assert "nf_conntrack_tcp_timeout_close_wait at 60 to 120 s" in text


def test_ports_of_windows_that_are_used_up() -> None:
    found = judged("windows-de-time-wait")
    first = found.findings[0]
    assert (first.kind, first.number, first.leak) == ("time-wait", 25, False)
    assert first.limit.startswith("16,355 of 16,384 ephemeral ports")
    assert any("25 were read" in note for note in first.notes)
    assert any("136.3 such closes a second" in note for note in first.notes)
    assert "TcpTimedWaitDelay (now 2min)" in first.knobs.own
    assert of_kind(found, "close-wait").leak is False
    assert "16330 weitere Zeilen" in flat(found)
