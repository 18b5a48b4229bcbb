"""How each client ends with each server if nothing is lost: a table that reviews as a diff.

python tests/catalogue/test_every_pairing.py --write     writes the table anew
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import wrap

from tcpsim.app import behaviours
from tcpsim.catalogue import build, run, scenario
from tcpsim.path import Quiet

TABLE = Path(__file__).with_name("every_pairing.txt")
HORIZON_US = 4 * 3_600_000_000


def table() -> str:
    """For each server on each stack: the ends there are, and the clients that come to them."""
    base = scenario("normal-close")
    lines = []
    for stack in ("linux", "rfc9293"):
        for server in behaviours("server"):
            ends: dict[str, list[str]] = {}
            for client in behaviours("client"):
                pair = build(base, client=client.name, server=server.name, stack_server=stack)
                ends.setdefault(run(pair, Quiet(), HORIZON_US).describe(), []).append(client.name)
            lines.append(f"\n{server.name} on {stack}")
            for end, clients in ends.items():
                lines.append(f"  {end}")
                names = wrap(", ".join(clients), 94, break_on_hyphens=False)
                lines.extend(" " * 6 + line for line in names)
    return "\n".join(lines).lstrip() + "\n"


def test_every_client_ends_with_every_server_as_it_did() -> None:
    written = TABLE.read_text(encoding="utf-8").splitlines()
    assert table().splitlines() == written, "run: python -m tests.catalogue.test_every_pairing --write"


if __name__ == "__main__" and "--write" in sys.argv:
    TABLE.write_text(table(), encoding="utf-8")
