"""Mutated dumps: cut, swapped, flipped. Nothing breaks, and every line is counted once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tcpsim.diagnosis.diagnose import judge
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.report import page
from tcpsim.diagnosis.two_dumps import together
from tcpsim.dumps import read
from tcpsim.dumps.anonymise import anonymised
from tcpsim.dumps.read import decoded

DATA = Path(__file__).parent.parent / "data" / "diagnose"
_LINES = 40  # of each text, so that ten thousand are quick
_BATCH = 500


def texts() -> list[bytes]:
    found = []
    for path in sorted(DATA.glob("*.txt")):
        lines = path.read_bytes().splitlines(keepends=True)
        found.append(b"".join(lines[:_LINES]))
    return found


def mutated(luck: random.Random, text: bytes, other: bytes) -> bytes:
    """One to five accidents."""
    for _ in range(luck.randint(1, 5)):
        lines = text.splitlines(keepends=True) or [b""]
        at = luck.randrange(len(lines))
        kind = luck.randrange(8)
        if kind == 0:  # a line is cut
            lines[at] = lines[at][: luck.randrange(len(lines[at]) + 1)]
        elif kind == 1:  # columns are swapped
            words = lines[at].split(b" ")
            luck.shuffle(words)
            lines[at] = b" ".join(words)
        elif kind == 2:  # bytes are flipped
            raw = bytearray(lines[at])
            for _ in range(min(len(raw), luck.randint(1, 6))):
                raw[luck.randrange(len(raw))] = luck.randrange(256)
            lines[at] = bytes(raw)
        elif kind == 3:  # a line is lost, or comes twice
            lines[at : at + 1] = [] if luck.random() < 0.5 else [lines[at]] * 2
        elif kind == 4:  # wrapped where it should not be
            place = luck.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + b"\n    " + lines[at][place:]
        elif kind == 5:  # joined with the next
            lines[at] = lines[at].rstrip(b"\r\n") + b" "
        elif kind == 6:  # something of another format between
            lines.insert(at, luck.choice(other.splitlines(keepends=True) or [b""]))
        else:  # noise
            lines.insert(at, bytes(luck.randrange(256) for _ in range(luck.randint(0, 80))) + b"\n")
        text = b"".join(lines)
    return text


def survives(seed: int) -> None:
    luck = random.Random(seed)
    known = texts()
    for _ in range(_BATCH):
        text = mutated(luck, luck.choice(known), luck.choice(known))
        dump = read(text)
        assert dump.total == len(decoded(text).splitlines()), f"seed {seed}: {text!r}"
        found = judge(Host(dump))
        assert page([found], everything=True)
        if luck.random() < 0.1:
            other = judge(Host(read(mutated(luck, luck.choice(known), text))))
            together([found, other], 60_000_000, luck.random() < 0.5, {})
            assert len(anonymised([text])) == 1


def test_a_thousand_accidents() -> None:
    for seed in range(2):
        survives(seed)


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(2, 20))
def test_ten_thousand_accidents(seed: int) -> None:
    survives(seed)
