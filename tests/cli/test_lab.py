"""`tcpsim lab` on a real kernel: it records, compares, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tcpsim.conformance.lab import missing, supervisor
from tests.patience import PATIENCE_S

KERNEL = Path(__file__).parents[1] / "data" / "kernel"
TCPSIM = Path(sysconfig.get_path("scripts")) / "tcpsim"
Tcpsim = Callable[..., tuple[int, str, str]]
needs_a_lab = pytest.mark.usefixtures("machine_with_a_lab")


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed program, as a user starts it."""
    command = [str(TCPSIM), "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def recorded(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same; skips where the machine was too late for a verdict, after having tried again."""
    done = lab(*arguments)
    if done.returncode == 3:
        pytest.skip(done.stdout + done.stderr)
    return done


@pytest.fixture(scope="session")
def machine_with_a_lab(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips, and says why, on a machine where nothing can be recorded."""
    lack = missing()
    if lack is None:  # root in a container may still lack the right to make a namespace or a device
        out = tmp_path_factory.mktemp("lab") / "tried.json"
        said = lab("record", "normal-close", "--horizon", "1ms", "--out", str(out)).stderr
        found = re.search(r"tcpsim: lab: found (no (?:pid )?namespace.*), allowed", said)
        lack = found and found[1]
    if lack is not None:
        pytest.skip(f"the lab needs Linux, root, TUN and namespaces: {lack}")


# What a recording needs of a machine


@pytest.mark.parametrize("lack", ["no root", "no /dev/net/tun", "darwin, not Linux"])
def test_a_machine_without_a_lab_says_so_in_one_line(
    tcpsim: Tcpsim, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    monkeypatch.setattr(supervisor, "missing", lambda: lack)
    status, out, err = tcpsim("lab", "compare", "normal-close")
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last == f"tcpsim: lab: found {lack}, allowed: Linux, root, /dev/net/tun and namespaces"


def test_what_is_missing_is_found_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert missing() == "no /dev/net/tun"
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert missing() == "no root"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert missing() == "darwin, not Linux"


def test_a_scenario_that_does_not_exist_is_named_like_one_that_does(tcpsim: Tcpsim) -> None:
    status, _, err = tcpsim("lab", "compare", "normal-closes")
    assert (status, err.count("\n")) == (2, 1)
    assert "did you mean normal-close" in err


def test_a_recording_of_hours_is_refused_in_one_line(tcpsim: Tcpsim) -> None:
    status, out, err = tcpsim("lab", "record", "keepalive-rescues", "--out", "x.json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "2h in real time" in err


# Recording


@needs_a_lab
def test_a_leak_recorded_and_replayed_is_the_same(tmp_path: Path) -> None:
    out = tmp_path / "trace.json"
    done = recorded("compare", "closewait-ignored-eof", "--set", "tcp_fin_timeout=1s", "--out", str(out))
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "same"), done.stdout + done.stderr
    trace = json.loads(out.read_text())
    lives = [(row["side"], row["st"]) for row in trace["states"]]
    assert trace["meta"]["sysctls"] == {"A": {"tcp_fin_timeout": 1}, "B": {"tcp_fin_timeout": 1}}
    assert ("B", "FIN_WAIT_2") in lives
    assert lives[-1] == ("B", "GONE")
    assert [row["st"] for row in trace["end_states"]] == ["CLOSE_WAIT"]
    assert trace["counters"]["B"]["PassiveOpens"] == 1
    assert not any("R" in packet["flags"] for packet in trace["packets"])


@needs_a_lab
def test_losses_by_rule_and_by_chance_are_written_down_as_rules(tmp_path: Path) -> None:
    out = tmp_path / "trace.json"
    rules = ["--drop", "server FIN 1", "--loss-to-server", "20%", "--seed", "6"]
    done = recorded("record", "normal-close", *rules, "--horizon", "2s", "--out", str(out))
    assert done.returncode == 0, done.stderr
    trace = json.loads(out.read_text())
    first, *chance = trace["meta"]["rules"]
    assert (first["name"], first["dir"], first["has"], first["nth"]) == ("server FIN 1", "B>A", "F", [1])
    dropped = {(p["dir"], p["drop"]) for p in trace["packets"] if "drop" in p}
    assert ("B>A", "server FIN 1") in dropped
    sent = [packet for packet in trace["packets"] if packet["dir"] == "A>B"]
    lost = [n for n, packet in enumerate(sent, 1) if packet.get("drop") == "loss"]
    assert lost
    assert chance == [{"name": "loss", "action": "drop", "dir": "A>B", "nth": lost}]


@needs_a_lab
def test_a_machine_that_vanishes_is_heard_no_more(tmp_path: Path) -> None:
    out = tmp_path / "trace.json"
    knobs = ["--set", "tcp_orphan_retries=1", "--with", "after=100ms", "--with", "timeout=200ms"]
    done = recorded("record", "vanished-client", *knobs, "--horizon", "1s", "--small", "--out", str(out))
    assert done.returncode == 0, done.stderr
    trace = json.loads(out.read_text())
    (rule,) = trace["meta"]["rules"]
    after_ms = rule["after"]
    late = [packet for packet in trace["packets"] if packet["t"] > after_ms + 1]
    assert late
    assert all(packet.get("drop") == "client vanishes" for packet in late)
    assert all(row["who"] == "B" for row in trace["app"] if row["t"] > after_ms)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The recordings that the commands get, in turn."""
    from tcpsim.api import lab as functions

    waiting: list[dict[str, Any]] = []
    monkeypatch.setattr(functions, "on_real_hosts", lambda *_: waiting.pop(0))
    return waiting


def trace_of_a_kernel() -> dict[str, Any]:
    """One that the simulator agrees with."""
    found: dict[str, Any] = json.loads((KERNEL / "traces" / "01a.json").read_text())
    return found


def with_another_flag(trace: dict[str, Any]) -> dict[str, Any]:
    """The same, and one FIN was none."""
    next(packet for packet in trace["packets"] if packet["flags"] == "FA")["flags"] = "A"
    return trace


def late_by(trace: dict[str, Any], late_us: int) -> dict[str, Any]:
    """The same from a machine that had no time for a packet."""
    trace["packets"][3]["late_us"] = late_us
    return trace


def test_a_difference_is_shown_and_the_status_is_1(tcpsim: Tcpsim, kept: list[dict[str, Any]]) -> None:
    kept.append(with_another_flag(trace_of_a_kernel()))
    status, out, _ = tcpsim("lab", "compare", "normal-close", "--horizon", "300ms")
    assert status == 1
    assert out.startswith("not the same: normal-close")
    assert "observed" in out
    assert "simulated FA" in out


# A machine that is late


def test_a_late_machine_is_tried_again(tcpsim: Tcpsim, kept: list[dict[str, Any]]) -> None:
    kept.extend([late_by(with_another_flag(trace_of_a_kernel()), 30_000), trace_of_a_kernel()])
    status, out, err = tcpsim("lab", "compare", "normal-close")
    assert (status, out.partition(":")[0]) == (0, "same")
    assert "the machine was too slow; recording again" in err


def test_where_it_stays_late_nothing_is_judged_and_the_status_is_3(
    tcpsim: Tcpsim, kept: list[dict[str, Any]]
) -> None:
    kept.extend(late_by(with_another_flag(trace_of_a_kernel()), 29_001) for _ in range(2))
    status, out, _ = tcpsim("lab", "compare", "normal-close", "--retries", "1")
    assert (status, kept) == (3, [])
    assert out.startswith("inconclusive: normal-close")
    assert "cannot judge: the machine was 30 ms late; at " in out


def test_lateness_that_hides_nothing_is_no_reason_not_to_judge(
    tcpsim: Tcpsim, kept: list[dict[str, Any]]
) -> None:
    kept.append(late_by(trace_of_a_kernel(), 30_000))
    assert tcpsim("lab", "compare", "normal-close")[0] == 0


def test_a_late_recording_is_written_but_not_in_silence(
    tcpsim: Tcpsim, kept: list[dict[str, Any]], tmp_path: Path
) -> None:
    kept.extend(late_by(trace_of_a_kernel(), 30_000) for _ in range(3))
    out = tmp_path / "late.json"
    status, _, err = tcpsim("lab", "record", "normal-close", "--out", str(out))
    assert (status, kept) == (3, [])
    assert err.endswith(f"tcpsim: {out}: cannot judge: the machine was 30 ms late\n")
    assert tcpsim("conform", str(out))[0] == 0  # what was late there does not matter
    out.write_text(json.dumps(late_by(with_another_flag(trace_of_a_kernel()), 30_000)))
    status, told, _ = tcpsim("conform", str(out))
    assert (status, told.split()[0]) == (3, "LATE")
    assert "1 trace: 0 PASS, 0 FAIL, 1 LATE" in told


# Nothing is left


class Interrupted:
    """A recording that is under way: its processes, and the namespaces they are in."""

    def __init__(self, out: Path) -> None:
        self.mark = str(out)
        arguments = ["lab", "record", "closewait-ignored-eof", "--out", self.mark]
        self.process = subprocess.Popen(
            [str(TCPSIM), *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        deadline = time.monotonic() + PATIENCE_S
        while not (self.is_recording() or self.process.poll() is not None or time.monotonic() > deadline):
            time.sleep(0.02)
        if not self.is_recording():
            self.process.kill()
            raise AssertionError(f"the recording did not begin: {self.process.communicate()[1]}")
        self.namespaces = self.strange_namespaces()

    def pids(self) -> list[int]:
        """Every process of this recording: its command line names the file."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self.mark in _read(entry / "cmdline"):
                found.append(int(entry.name))
        return sorted(found)

    def is_recording(self) -> bool:
        """Two hosts are there, in namespaces of their own, and a process has both TUN devices."""
        return len(self.strange_namespaces()) >= 2 and len(self.tuns()) == 2

    def strange_namespaces(self) -> set[str]:
        """The network namespaces of its processes that are not ours."""
        return {_link(f"/proc/{pid}/ns/net") for pid in self.pids()} - {_link("/proc/self/ns/net"), ""}

    def tuns(self) -> list[str]:
        """The descriptors of TUN devices that its processes hold."""
        links = [link for pid in self.pids() for link in Path(f"/proc/{pid}/fd").glob("*")]
        return [str(link) for link in links if _link(link) == "/dev/net/tun"]

    def supervisor_and_worker(self) -> tuple[int, int]:
        """The first process, and its one child."""
        first = self.process.pid
        (child,) = _read(Path(f"/proc/{first}/task/{first}/children")).split()
        return first, int(child)

    def assert_nothing_left(self) -> str:
        """No process, hence no TUN device; no namespace. What it said on stderr."""
        _, said = self.process.communicate(timeout=PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while (self.pids() or self.namespaces & _all_namespaces()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.pids() == []
        assert not self.namespaces & _all_namespaces()
        assert not [name for name in os.listdir("/sys/class/net") if name.startswith("tcpsim")]
        assert not [name for name in _listed("/run/netns") if name.startswith("tcpsim")]
        assert not Path(self.mark).exists()
        return said.splitlines()[-1]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has just ended
        return ""


def _link(path: str | Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _listed(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _all_namespaces() -> set[str]:
    return {_link(entry / "ns" / "net") for entry in Path("/proc").iterdir() if entry.name.isdigit()}


@pytest.fixture
def recording(tmp_path: Path, machine_with_a_lab: None) -> Iterator[Interrupted]:
    """A recording that would take a minute."""
    begun = Interrupted(tmp_path / "interrupted.json")
    yield begun
    if begun.process.poll() is None:
        begun.process.kill()


def test_ctrl_c_leaves_nothing(recording: Interrupted) -> None:
    os.killpg(recording.process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    assert recording.assert_nothing_left() == "tcpsim: interrupted"
    assert recording.process.returncode == 130


def test_sigterm_leaves_nothing(recording: Interrupted) -> None:
    recording.process.send_signal(signal.SIGTERM)
    recording.assert_nothing_left()
    assert recording.process.returncode == 128 + signal.SIGTERM


def test_a_worker_that_is_killed_leaves_nothing(recording: Interrupted) -> None:
    _, worker = recording.supervisor_and_worker()
    os.kill(worker, signal.SIGKILL)
    assert recording.assert_nothing_left() == "tcpsim: lab: the recording was killed"
    assert recording.process.returncode == 2


def test_a_supervisor_that_is_killed_leaves_nothing(recording: Interrupted) -> None:
    recording.process.kill()
    recording.assert_nothing_left()


def test_both_killed_at_once_leave_nothing(recording: Interrupted) -> None:
    for pid in recording.supervisor_and_worker():
        os.kill(pid, signal.SIGKILL)
    recording.assert_nothing_left()


@needs_a_lab
def test_a_line_of_three_hosts(tcpsim: Tcpsim, tmp_path: Path) -> None:
    out = tmp_path / "line.json"
    asked = (
        "relay-drops-the-half-close",
        "--horizon",
        "2s",
        "--drop",
        "leg 2: client FIN 1",
        "--out",
        str(out),
    )
    done = recorded("compare", *asked)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "same")
    assert "relay" in json.loads(out.read_text(encoding="utf-8"))["story"]
    assert tcpsim("conform", str(out))[0] == 0
