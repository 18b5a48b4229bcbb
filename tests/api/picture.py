"""The picture of README's sweep: what its program draws. `make pictures` writes it."""

from __future__ import annotations

from pathlib import Path

import tcpsim
from tcpsim.api.sweep import Sweep

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "sweep.svg"


def drawn() -> Sweep:
    """README's sweep."""
    grid = {"loss": "0:0.3:7", "fix": ["none", "fin-timeout=10s", "client-closes"]}
    return tcpsim.sweep("one-rst-stack", grid, loss_from="300ms")


if __name__ == "__main__":
    from tcpsim.draw.figure_style import save

    save(drawn().plot(x="loss", y="permanent", by="fix"), PICTURE)
