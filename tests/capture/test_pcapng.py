"""A run's capture is read back by others: tshark and scapy list the segments, times and flags of the run."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.capture.packet import checksum
from tcpsim.catalogue import scenarios

tshark_needed = pytest.mark.skipif(
    not shutil.which("tshark"), reason="no tshark (Debian: apt-get install tshark)"
)
NAMES = (
    "normal-close", "last-rst-lost", "all-fins-lost", "many-segments-lossy", "simultaneous-close",
    "sidecar-on-both-sides",
)  # fmt: skip
NETWORKS = {"192.0.2.": 0, "203.0.113.1": 1, "203.0.113.3": 2}
BITS = {"S": 2, "F": 1, "R": 4, "P": 8, "A": 16, "U": 32}
AGAIN = ("retransmission", "fast_retransmission", "spurious_retransmission")
FIELDS = (
    "frame.time_epoch", "frame.interface_id", "tcp.flags", "tcp.seq_raw", "tcp.ack_raw", "tcp.len",
    "tcp.window_size_value", "tcp.checksum.status", *[f"tcp.analysis.{each}" for each in AGAIN],
)  # fmt: skip


def seen(run: Any) -> list[tuple[int, int, int, int, int, int, int]]:
    """What the JSON of a run has of segments: time, interface, flags, seq, ack, len, window; both ends."""
    found = []
    for event in run.to_dict()["events"]:
        if event["kind"] in ("sent", "arrived"):
            side = run.played.begun.names.index(event["side"])
            bits = sum(BITS[letter] for letter in event["flags"].replace("-", ""))
            found.append((event["t_us"], side, bits, event["seq"], event["ack"], event["len"], event["wnd"]))
    return sorted(found, key=lambda each: each[0])


def tshark(path: Path, *more: str) -> list[dict[str, str]]:
    """Every frame, as tshark reads it; port 5000 is no GSM here, and every checksum is looked at."""
    preferences = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE"]
    form = ["header=y", "separator=,", "quote=d", "occurrence=a", "aggregator=|"]
    command = ["tshark", "-n", "-r", str(path), "--disable-protocol", "gsm_ipa", "-T", "fields", *more]
    for letter, values in (("-o", preferences), ("-E", form)):
        command += [word for value in values for word in (letter, value)]
    for each in FIELDS if not more else ():
        command += ["-e", each]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return list(csv.DictReader(done.stdout.splitlines()))


@tshark_needed
@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_tshark_lists_the_segments_of_the_run(name: str, ipv6: bool, tmp_path: Path) -> None:
    run = tcpsim.run(name)
    run.save_pcapng(tmp_path / "x.pcapng", ipv6)
    rows = tshark(tmp_path / "x.pcapng")
    numbers = ("tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size_value")
    assert [
        (
            round(float(row["frame.time_epoch"]) * 1_000_000),
            int(row["frame.interface_id"]),
            int(row["tcp.flags"], 16),
            *[int(row[each]) for each in numbers],
        )
        for row in rows
    ] == seen(run)
    assert {row["tcp.checksum.status"] for row in rows} == {"1"}  # good


@tshark_needed
def test_what_tshark_calls_a_retransmission_is_one(tmp_path: Path) -> None:
    run = tcpsim.run("all-fins-lost")
    run.save_pcapng(tmp_path / "x.pcapng")
    rows = [row for row in tshark(tmp_path / "x.pcapng") if row["frame.interface_id"] == "1"]
    called = [row["tcp.seq_raw"] for row in rows if row["tcp.analysis.retransmission"]]
    again = [flight.label for flight in run.story.flights if "again" in flight.label]
    assert len(called) == len(again) > 5
    clean = tcpsim.run("normal-close")
    clean.save_pcapng(tmp_path / "y.pcapng")
    assert not [
        row for row in tshark(tmp_path / "y.pcapng") if any(row[f"tcp.analysis.{each}"] for each in AGAIN)
    ]


@tshark_needed
def test_comments_tell_of_losses_states_and_timers(tmp_path: Path) -> None:
    tcpsim.run("all-fins-lost").save_pcapng(tmp_path / "x.pcapng")
    told = [row["frame.comment"] for row in tshark(tmp_path / "x.pcapng", "-e", "frame.comment")]
    words = "|".join(told)
    assert words.count("lost: every server FIN") == 10
    assert "ESTABLISHED -> FIN-WAIT-1 (close-first)" in words
    assert "retransmission timer" in words
    assert "afterwards: FIN-WAIT-1 -> CLOSED" in words


@pytest.mark.parametrize("name", NAMES)
def test_scapy_lists_the_segments_of_the_run(name: str, tmp_path: Path) -> None:
    scapy = pytest.importorskip("scapy.all", reason="scapy is not installed (the extra dev)")
    run = tcpsim.run(name)
    run.save(tmp_path / "x.pcapng")
    found = []
    for packet in scapy.rdpcap(str(tmp_path / "x.pcapng")):
        tcp = packet[scapy.TCP]
        source, last = str(packet[scapy.IP].src), len(run.played.begun.names) - 1
        end = next((end for network, end in NETWORKS.items() if source.startswith(network)), last)
        found.append(
            (
                round(float(packet.time) * 1_000_000),
                end,
                int(tcp.flags),
                tcp.seq,
                tcp.ack,
                len(tcp.payload),
                tcp.window,
            )
        )
        fresh = packet.copy()
        del fresh[scapy.TCP].chksum, fresh[scapy.IP].chksum
        rebuilt = scapy.IP(bytes(fresh))
        assert (rebuilt[scapy.TCP].chksum, rebuilt[scapy.IP].chksum) == (tcp.chksum, packet[scapy.IP].chksum)
    assert found == seen(run)


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_every_segment_has_a_right_checksum(name: str) -> None:
    """Read here by hand: the sum over a packet and its pseudo-header is zero."""
    content = tcpsim.run(name).pcapng()
    at, packets = 0, 0
    while at < len(content):
        kind, size = (int.from_bytes(content[at + step : at + step + 4], "little") for step in (0, 4))
        assert content[at + size - 4 : at + size] == content[at + 4 : at + 8]
        if kind == 6:
            packets += 1
            length = int.from_bytes(content[at + 20 : at + 24], "little")
            ip = content[at + 28 : at + 28 + length]
            assert checksum(ip[:20]) == 0
            assert checksum(ip[12:20] + bytes([0, 6]) + (length - 20).to_bytes(2, "big") + ip[20:]) == 0
        at += size
    assert packets == len(seen(tcpsim.run(name)))


def test_the_same_run_gives_the_same_bytes() -> None:
    assert tcpsim.run("normal-close").pcapng() == tcpsim.run("normal-close").pcapng()
