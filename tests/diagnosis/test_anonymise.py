"""A dump that can be posted: nobody is named, and the answer is the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tcpsim
from tcpsim.dumps import read
from tcpsim.dumps.anonymise import anonymised
from tests.diagnosis import recordings

DATA = Path(__file__).parent.parent / "data" / "diagnose"
FILES = sorted(path for path in DATA.glob("*.txt") if path.name.startswith(("field", "format")))
_SECRETS = re.compile(
    r"10\.77\.\d+\.\d+|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|2001:db8:[1-9]|webapp|worker|java|dotnet|sshd|nginx|systemd"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_name_is_left_and_the_answer_is_the_same(path: Path) -> None:
    before = path.read_bytes()
    (after,) = anonymised([before])
    assert not _SECRETS.search(after), _SECRETS.search(after)
    old, new = read(before), read(after)
    assert old.lines == new.lines
    assert [(a.state, a.local.port, a.peer.port, a.recv_q, a.send_q, a.timer) for a in old.sockets] == [
        (b.state, b.local.port, b.peer.port, b.recv_q, b.send_q, b.timer) for b in new.sockets
    ]
    told = [
        [(each.kind, each.number, each.move, len(each.hosts)) for each in tcpsim.diagnose(text).findings]
        for text in (before, after)
    ]
    assert told[0] == told[1]


def test_both_ends_still_fit() -> None:
    both = [recordings.dumps("server-forgets")[side, 30.0] for side in ("server", "client")]
    found = tcpsim.diagnose(*anonymised(both))
    assert found.related is not None
    assert found.related.pairing is not None
    assert found.related.pairing.matched[0].number == 12


def test_hosts_and_clocks() -> None:
    lines = (
        "root@db7.corp.example:~# date",
        "Tue Mar  3 14:11:52 UTC 2026",
        "ESTAB 0 0 db7.corp.example:ssh 10.0.0.2:5",
    )
    (text,) = anonymised(["\n".join(lines)])
    assert "db7" not in text
    assert "14:11:52" in text


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("tcp6 0 0 :::22 :::* LISTEN -", "tcp6 0 0 :::22 :::* LISTEN -"),
        ("tcp6 0 0 fd00:1:2::7:5432 fd00::8:44321 A", "tcp6 0 0 2001:db8::1:5432 2001:db8::2:44321 A"),
        ("tcp6 0 0 fd00:1:2::7.5432 fd00::8.44321 A", "tcp6 0 0 2001:db8::1.5432 2001:db8::2.44321 A"),
        (
            "ESTAB 0 0 [::ffff:10.1.2.3]:80 [fd00::9]:443",
            "ESTAB 0 0 [::ffff:198.18.0.1]:80 [2001:db8::1]:443",
        ),
        ("src=fd00::9 dst=fd00::a sport=1 dport=2", "src=2001:db8::1 dst=2001:db8::2 sport=1 dport=2"),
        ("net.ipv4.tcp_fin_timeout = 60", "net.ipv4.tcp_fin_timeout = 60"),
    ],
)
def test_addresses_of_every_spelling(line: str, wanted: str) -> None:
    assert anonymised([line]) == [wanted]
