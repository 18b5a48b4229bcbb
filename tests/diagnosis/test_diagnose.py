"""The command: a dump in, an answer out, an exit status."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tcpsim as surface
from tcpsim import cli
from tcpsim.errors import InputError
from tests.diagnosis import recordings

LEAK = 'CLOSE-WAIT 1 0 192.0.2.1:8080 198.51.100.{}:{} users:(("app",pid=41,fd={}))\n'
Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tcpsim(capsys: pytest.CaptureFixture[str]) -> Program:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), out, err

    return call


@pytest.fixture
def leak(tmp_path: Path) -> str:
    path = tmp_path / "leak.txt"
    path.write_text("".join(LEAK.format(n, 40_000 + n, n) for n in range(1, 41)), encoding="utf-8")
    return str(path)


def test_a_leak_is_status_1(tcpsim: Program, leak: str) -> None:
    status, out, err = tcpsim("diagnose", leak)
    assert (status, err) == (1, "")
    assert "40 sockets leak" in out
    assert "tcpsim compare server-never-closes" in out
    assert "198.51.100" not in out


def test_addresses_are_printed_when_asked(tcpsim: Program, leak: str) -> None:
    _, out, _ = tcpsim("diagnose", leak, "--addresses")
    assert "198.51.100.1" in out


def test_a_healthy_host_is_status_0(tcpsim: Program, tmp_path: Path) -> None:
    path = tmp_path / "fine.txt"
    path.write_text(recordings.dumps("healthy")["server", 5.0], encoding="utf-8")
    status, out, _ = tcpsim("diagnose", str(path))
    assert status == 0
    assert "nothing leaks" in out


def test_standard_input(tcpsim: Program, leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(Path(leak).read_bytes())

    monkeypatch.setattr(sys, "stdin", Piped())
    status, out, _ = tcpsim("diagnose", "-")
    assert status == 1
    assert "40 CLOSE-WAIT" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no dump"),
        (("/nowhere/dump.txt",), "No such file"),
        (("LEAK", "--limit", "fds=3"), "nofile, ports"),
        (("LEAK", "--limit", "nofile=few"), "an integer above 0"),
        (("LEAK", "--after", "60"), "a number with a unit"),
        (("LEAK", "--after", "60s"), "two of one host"),
        (("LEAK", "LEAK"), "no time between them"),
        (("LEAK", "LEAK", "LEAK"), "one, or two"),
        (("LEAK", "--stack", "beos"), "beos"),
        (("LEAK", "--set", "tcp_fin_tiemout=3"), "tcp_fin_tiemout"),
        (("NOISE",), "no known format"),
        (("EMPTY",), "an empty text"),
        (("--anonymise",), "a FILE, or -"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tcpsim: Program, leak: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "noise.txt").write_text("to be\nor not to be\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    names = {"LEAK": leak, "NOISE": str(tmp_path / "noise.txt"), "EMPTY": str(tmp_path / "empty.txt")}
    status, out, err = tcpsim("diagnose", *[names.get(word, word) for word in words])
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err


def test_json_says_what_the_page_says(tcpsim: Program, leak: str) -> None:
    status, out, _ = tcpsim("diagnose", leak, "--json")
    found = json.loads(out)
    assert status == 1
    assert found["leaks"] is True
    (first,) = found["findings"]
    assert (first["kind"], first["count"], first["move"]) == ("close-wait-fin-unread", 40, "this program")
    assert first["ends"] == {"by": None, "earliest_us": None, "expected_us": None, "latest_us": None}
    assert found["dumps"][0]["lines"] == {"total": 40, "sockets": 40}
    assert "addresses" not in first


def test_two_dumps_and_a_limit(tcpsim: Program, leak: str, tmp_path: Path) -> None:
    later = tmp_path / "later.txt"
    later.write_text("".join(LEAK.format(n, 40_000 + n, n) for n in range(1, 101)), encoding="utf-8")
    status, out, _ = tcpsim("diagnose", leak, str(later), "--after", "60s", "--limit", "nofile=200")
    assert status == 1
    assert "40 -> 100 CLOSE-WAIT" in out
    assert "nofile=200 (app (pid 41), 103 used) is met in about 97 s" in out


def test_dates_in_the_dumps_stand_for_the_time_between() -> None:
    old = "Tue Mar  3 14:11:52 UTC 2026\n" + "".join(LEAK.format(n, 40_000 + n, n) for n in range(1, 41))
    new = "Tue Mar  3 14:12:52 UTC 2026\n" + "".join(LEAK.format(n, 40_000 + n, n) for n in range(1, 101))
    found = surface.diagnose(old, new)
    assert found.related is not None
    assert found.related.after_us == 60_000_000


def test_settings_of_the_host_count() -> None:
    line = "FIN-WAIT-2 0 0 192.0.2.1:8080 198.51.100.1:4000\n"
    plain = surface.diagnose(line * 1).findings[0].ends
    short = surface.diagnose(line + "net.ipv4.tcp_fin_timeout = 10\n").findings[0].ends
    asked = surface.diagnose(line, knobs={"tcp_fin_timeout": "10s"}).findings[0].ends
    assert plain.latest_us is not None
    assert short == asked
    assert short.latest_us is not None
    assert short.latest_us < 12_000_000 < plain.latest_us
    with pytest.raises(InputError):
        surface.diagnose(line, knobs={"tcp_fin_timeout": "soon"})


def test_the_result_is_like_every_other(tmp_path: Path, leak: str) -> None:
    found = surface.diagnose(Path(leak))
    assert found.table()[0]["count"] == 40
    assert found.save(tmp_path / "x.json").exists()
    assert "\n" not in repr(found)
    assert "<table>" in found._repr_html_()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux only")
def test_this_machine() -> None:
    found = surface.diagnose(live=True)
    assert found.answers[0].host.dump.name == "this machine"
    assert found.answers[0].host.dump.lines["unread"] == 0


def test_what_a_bsd_does_not_say() -> None:
    """There Recv-Q does not count a FIN, and FIN-WAIT-2 has a limit though a program holds it."""
    lines = [f"tcp4 0 0 192.0.2.5.80 198.51.100.9.{port} CLOSE_WAIT" for port in range(5_000, 5_010)]
    found = surface.diagnose("\n".join(lines))
    assert [each.kind for each in found.findings] == ["close-wait"]
    assert found.findings[0].look.startswith("sockstat")


def test_counters_alone() -> None:
    quiet = surface.diagnose("TcpExtListenOverflows 12 0.0\nTCP: inuse 5 orphan 3 tw 10 alloc 6 mem 2\n")
    assert not quiet.leaks
    assert any("accept queue full" in says for says, _ in quiet.answers[0].counters)
    near = surface.diagnose("TCP: inuse 5 orphan 120000 tw 10 alloc 6 mem 2\n")
    assert near.leaks
    dead = "java 4127 root 46u sock 0,8 0t0 777 protocol: TCP\n"
    assert surface.diagnose(dead * 9).leaks
    assert not surface.diagnose(dead).leaks


def test_a_probe_ends_a_close_wait_whose_peer_is_gone() -> None:
    found = surface.diagnose(
        "CLOSE-WAIT 1 0 192.0.2.1:80 198.51.100.1:4000 timer:(keepalive,5min,0)"
    ).findings[0]
    assert found.ends.earliest_us == 300_000_000
    assert "RST" in found.ends.by


def test_who_holds_a_fin_wait_2() -> None:
    """Owned, an orphan, or not to be told: by the owners that a dump shows."""
    listen = "tcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN {}\n"
    socket = "tcp 0 0 192.0.2.1:80 198.51.100.1:4000 FIN_WAIT2 {}\n"
    kinds = {
        owners: surface.diagnose(listen.format(owners[0]) + socket.format(owners[1])).findings[0].kind
        for owners in (("1/nginx", "1/nginx"), ("1/nginx", "-"), ("-", "-"))
    }
    assert list(kinds.values()) == ["fin-wait-2-owned", "fin-wait-2-orphan", "fin-wait-2"]
    assert surface.diagnose(socket.format("")).findings[0].kind == "fin-wait-2"


def test_what_is_known_of_the_rto_narrows_the_interval() -> None:
    line = "FIN-WAIT-1 0 1 192.0.2.1:80 198.51.100.1:4000 timer:(on,5sec,5)"
    wide = surface.diagnose(line).findings[0].ends
    narrow = surface.diagnose(f"{line}\n\t cubic rto:6528 backoff:5 cwnd:1").findings[0].ends
    assert narrow.latest_us is not None
    assert wide.latest_us is not None
    assert wide.earliest_us <= narrow.earliest_us
    assert narrow.latest_us - narrow.earliest_us < (wide.latest_us - wide.earliest_us) / 2
