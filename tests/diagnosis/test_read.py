"""Every format, with what is irregular in real output; and that no line is lost."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tcpsim.dumps import Address, Dump, Owner, Socket, Timer, read
from tcpsim.dumps.dump import CONTINUED, KINDS, OTHER, SOCKET, UNREAD
from tcpsim.tcp.state import State

DATA = Path(__file__).parent.parent / "data" / "diagnose"


def one(line: str) -> Socket:
    dump = read(line)
    assert len(dump.sockets) == 1, dump.unread
    return dump.sockets[0]


def states(dump: Dump) -> dict[str, int]:
    return dict(Counter(str(each.state) for each in dump.sockets))


SAME = ["ss-tan", "ss-tanopi", "ss-tanope", "netstat-tanpo", "proc-net-tcp", "lsof-i"]


@pytest.mark.parametrize("name", SAME)
def test_one_host_in_six_formats(name: str) -> None:
    """Recorded at one moment on one host: all formats show the same connections."""
    dump = read((DATA / f"format.{name}.txt").read_bytes(), name)
    wanted = read((DATA / "format.ss-tanope.txt").read_bytes())
    assert {(each.state, each.local, each.peer) for each in dump.sockets if each.peer.port} == {
        (each.state, each.local, each.peer) for each in wanted.sockets if each.peer.port
    }
    assert states(dump) == {"LISTEN": 1, "CLOSE-WAIT": 12}
    assert dump.lines[UNREAD] == 0
    queues = {each.recv_q for each in dump.sockets if each.state is State.CLOSE_WAIT}
    assert queues == ({None} if name == "lsof-i" else {1})


def test_counters_in_five_formats() -> None:
    found = {
        name: read((DATA / f"format.{name}.txt").read_bytes())
        for name in ("nstat", "netstat-s", "sockstat", "ss-s")
    }
    assert all(dump.lines[UNREAD] == 0 for dump in found.values())
    assert found["nstat"].counters["TcpPassiveOpens"] == found["netstat-s"].counters["TcpPassiveOpens"] == 12
    assert found["sockstat"].counters["sockstat.TCP.inuse"] == 13
    assert found["ss-s"].counters["summary.estab"] == 12
    exporter = read("node_netstat_TcpExt_ListenOverflows 42\nnode_sockstat_TCP_orphan 1.2e+03\n# HELP x y")
    assert exporter.counters == {"TcpExtListenOverflows": 42, "sockstat.TCP.orphan": 1200}
    pairs = read("TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 0 7\n")
    assert pairs.counters["TcpExtListenOverflows"] == 7


ADDRESSES = [
    ('LISTEN 129 128 *:8080 *:* users:(("java",pid=4127,fd=61)) ', "LISTEN", ("*", 8080), ("*", None)),
    ("LISTEN 0 128 192.0.2.10%eth0:22 0.0.0.0:*", "LISTEN", ("192.0.2.10", 22), ("0.0.0.0", None)),
    (
        "ESTAB 0 0 [::ffff:192.0.2.10]:8080 [::ffff:198.51.100.20]:37711",
        "ESTABLISHED",
        ("192.0.2.10", 8080),
        ("198.51.100.20", 37711),
    ),
    (
        "tcp   ESTAB 0 0 [2001:db8:0:a::10]:45122 [2001:db8:0:b::7]:5432",
        "ESTABLISHED",
        ("2001:db8:0:a::10", 45122),
        ("2001:db8:0:b::7", 5432),
    ),
    (
        "ESTAB 0 0 ::ffff:10.0.0.1:80 ::ffff:10.0.0.2:5000",
        "ESTABLISHED",
        ("10.0.0.1", 80),
        ("10.0.0.2", 5000),
    ),
    ("ESTAB 0 0 10.0.0.1:ssh 10.0.0.2:5000", "ESTABLISHED", ("10.0.0.1", 22), ("10.0.0.2", 5000)),
    ("SYN-RECV 0 0 10.0.0.1:80 10.0.0.2:5000", "SYN-RECEIVED", ("10.0.0.1", 80), ("10.0.0.2", 5000)),
    (
        "tcp4       0      0  192.0.2.5.22           198.51.100.9.50514     FIN_WAIT_2",
        "FIN-WAIT-2",
        ("192.0.2.5", 22),
        ("198.51.100.9", 50514),
    ),
    (
        "tcp6       0      0  fe80::1%lo0.49152      fe80::1%lo0.631        CLOSE_WAIT",
        "CLOSE-WAIT",
        ("fe80::1", 49152),
        ("fe80::1", 631),
    ),
    (
        "tcp46      0      0  *.80                   *.*                    LISTEN",
        "LISTEN",
        ("*", 80),
        ("*", None),
    ),
    ("  TCP    [::1]:5000   [::1]:49999  SCHLIESSEN_WARTEN  77", "CLOSE-WAIT", ("::1", 5000), ("::1", 49999)),
    ("  TCP    10.0.0.1:80   10.0.0.2:4000  TIME_WAIT", "TIME-WAIT", ("10.0.0.1", 80), ("10.0.0.2", 4000)),
]


@pytest.mark.parametrize(("line", "state", "local", "peer"), ADDRESSES)
def test_addresses_and_states(
    line: str, state: str, local: tuple[str, int], peer: tuple[str, int | None]
) -> None:
    found = one(line)
    assert (str(found.state), found.local, found.peer) == (state, Address(*local), Address(*peer))


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("timer:(keepalive,1min12sec,0)", Timer("keepalive", 72_000_000, 1_000_000, 0)),
        ("timer:(on,1.804ms,3)", Timer("on", 1_804_000, 1_000, 3)),
        ("timer:(on,820ms,0)", Timer("on", 820_000, 1_000, 0)),
        ("timer:(timewait,56sec,0)", Timer("timewait", 56_000_000, 1_000_000, 0)),
        ("timer:(persist,12min,4)", Timer("persist", 720_000_000, 60_000_000, 4)),
        ("timer:(on,,2)", Timer("on", 0, 1_000, 2)),
        ("timer:(off,5sec,0)", None),
    ],
)
def test_timers_of_ss(column: str, wanted: Timer | None) -> None:
    assert one(f"ESTAB 0 0 10.0.0.1:80 10.0.0.2:5000 {column}").timer == wanted


def test_owners() -> None:
    shared = one(
        'ESTAB 0 36 10.0.0.1:22 10.0.0.2:50114 users:(("sshd",pid=20311,fd=4),("sshd",pid=20295,fd=4))'
    )
    assert shared.owners == (Owner("sshd", 20311, 4), Owner("sshd", 20295, 4))
    old = one('ESTAB 0 0 10.0.0.1:22 10.0.0.2:50114 users:(("sshd",20311,4))')
    assert old.owners == (Owner("sshd", 20311, 4),)
    blank = one("tcp 0 0 10.0.0.1:22 10.0.0.2:50114 ESTABLISHED 801/sshd: root@pts keepalive (7190.12/0/0)")
    assert blank.owners == (Owner("sshd: root@pts", 801),)
    assert blank.timer == Timer("keepalive", 7_190_120_000, 10_000, 0)
    nobody = read(
        'CLOSE-WAIT 1 0 10.0.0.1:80 10.0.0.2:5000\nESTAB 0 0 10.0.0.1:80 10.0.0.3:5 users:(("a",pid=1,fd=1))'
    )
    assert [each.owners for each in nobody.sockets] == [(), (Owner("a", 1, 1),)]
    unknown = read("CLOSE-WAIT 1 0 10.0.0.1:80 10.0.0.2:5000")
    assert unknown.sockets[0].owners is None


def test_wrapped_and_continued_lines() -> None:
    text = """\
State Recv-Q Send-Q Local Address:Port Peer Address:Port
CLOSE-WAIT 1      0            10.77.2.2:8080
            10.77.1.2:54986  users:(("webapp",pid=1025,fd=12))
ESTAB      0      0            10.77.2.2:8080     10.77.1.2:54990
    users:(("webapp",pid=1025,fd=13)) timer:(keepalive,10sec,0)
ESTAB 0 0 10.77.2.2:8080 10.77.1.2:54991
\t cubic wscale:7,7 rto:204 rtt:0.5/0.2 cwnd:10
tcp        0      0 10.77.2.2:8080          10.77.1.2:54992
ESTABLISHED 1025/webapp
"""
    dump = read(text)
    assert dump.lines == {"headers": 1, SOCKET: 4, CONTINUED: 4}
    assert [each.peer.port for each in dump.sockets] == [54986, 54990, 54991, 54992]
    assert dump.sockets[1].timer == Timer("keepalive", 10_000_000, 1_000_000, 0)
    assert dump.sockets[2].rto_us == 204_000


def test_a_mixture_is_read_as_one_host() -> None:
    """The same connection in two formats is one, with what both say of it."""
    text = """\
CLOSE-WAIT 1 0 10.0.0.1:80 10.0.0.2:5000
java 4127 root 45u IPv4 12345 0t0 TCP 10.0.0.1:80->10.0.0.2:5000 (CLOSE_WAIT)
java 4128 root 45u IPv4 12345 0t0 TCP 10.0.0.1:80->10.0.0.2:5000 (CLOSE_WAIT)
java 4127 root 46u sock 0,8 0t0 777 protocol: TCP
udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*
"""
    dump = read(text)
    assert len(dump.sockets) == 1
    assert [owner.pid for owner in dump.sockets[0].owners or ()] == [4127, 4128]
    assert dump.sockets[0].recv_q == 1
    assert dump.counters["lsof.dead"] == 1
    assert dump.lines[OTHER] == 2


def test_what_is_cut_is_counted_and_told() -> None:
    text = "ESTAB 0 0 10.0.0.1:80 10.0.0.2:5000\n... 12,000 more lines ...\nCLOSE-WAIT 1 0 [::ffff:19"
    dump = read(text)
    assert dump.lines[SOCKET] == 1
    assert dump.lines[UNREAD] == 2
    assert dump.more == 12_000
    assert dump.unread == [(2, "... 12,000 more lines ..."), (3, "CLOSE-WAIT 1 0 [::ffff:19")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp850", "cp1252"])
def test_encodings_of_windows(encoding: str) -> None:
    text = "  Proto  Lokale Adresse\r\n  TCP    0.0.0.0:135   0.0.0.0:0   ABHÖREN   968\r\n"
    assert states(read(text.encode(encoding))) == {"LISTEN": 1}


def test_a_cut_ipv6_address_has_no_port() -> None:
    found = one("tcp6 0 0 2001:db8:12:34:5678:41014 2001:db8:99:aaaa:bb:443 ESTABLISHED -")
    assert found.local.port is found.peer.port is None


def test_times_of_a_dump() -> None:
    first = read("Tue Mar  3 14:11:52 UTC 2026\nESTAB 0 0 10.0.0.1:80 10.0.0.2:5000")
    second = read("2026-03-03 14:12:52\nESTAB 0 0 10.0.0.1:80 10.0.0.2:5000")
    assert first.taken_us is not None
    assert second.taken_us is not None
    assert second.taken_us - first.taken_us == 60_000_000


def test_conntrack_and_its_log() -> None:
    dump = read((DATA / "field.conntrack-close-wait.txt").read_bytes())
    assert Counter(each.state for each in dump.flows)["CLOSE_WAIT"] == 14
    assert dump.counters["flows shown"] == 655_318
    assert dump.settings["net.netfilter.nf_conntrack_max"] == "655360"
    assert len(dump.remarks) == 1
    proc = read(
        "ipv4     2 tcp      6 431999 ESTABLISHED src=1.2.3.4 dst=5.6.7.8 sport=1 dport=2 src=5.6.7.8"
        " dst=1.2.3.4 sport=2 dport=1"
    )
    assert proc.flows[0].left_s == 431_999


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_every_line_is_of_one_kind(path: Path) -> None:
    text = re.sub(r"^=== .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    dump = read(text)
    assert dump.total == len(text.splitlines())
    assert set(dump.lines) <= {*KINDS, CONTINUED}


def test_systems_are_told_by_their_formats() -> None:
    lines = {
        "tcp4 0 0 192.0.2.5.22 198.51.100.9.50514 ESTABLISHED": "freebsd",
        "tcp6 0 0 fe80::1%en0.49152 fe80::2%en0.631 ESTABLISHED": "macos",
        "TCP 10.0.0.1:80 10.0.0.2:4000 ESTABLISHED 7": "windows",
        "tcp 0 0 10.0.0.1:80 10.0.0.2:4000 ESTABLISHED": "linux",
    }
    assert {line: read(line).system for line in lines} == lines
