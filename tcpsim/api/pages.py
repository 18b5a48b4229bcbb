"""`pages`: a page for each scenario of the catalogue, and an index.

Owns: which files there are, and what the index is told of each. Refuses to know: what stands on a page
(page), and how the index looks (web).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcpsim import __version__
from tcpsim.api.page import page
from tcpsim.api.result import Result
from tcpsim.catalogue import build, play, scenario, scenarios
from tcpsim.draw.caption import Caption
from tcpsim.draw.figure_style import write_whole
from tcpsim.explore.explorable import obstacle
from tcpsim.tcp.state import State
from tcpsim.web.graph import Graph
from tcpsim.web.site import INDEX, Entry, index

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

Told = Callable[[str, int], None]


def pages(
    out: str | PathLike[str], *, losses: int | None = None, workers: int = 1, told: Told | None = None
) -> Site:
    """A page for each scenario of the catalogue, and an index, in a directory of their own.

    Args:
        out: the directory; it is made if it does not exist.
        losses: how many lost segments to follow; as many as fit a page by default.
        workers: processes; the pages are the same with any number.
        told: called after each scenario with its name and the size of its page in bytes.

    Raises:
        OSError: the directory cannot be made or written.
    """
    where = Path(out)
    where.mkdir(parents=True, exist_ok=True)
    entries, sizes = [], {}
    for entry, html in _made([story.name for story in scenarios()], losses, workers):
        entries.append(entry)
        if not html:
            continue
        write_whole(where / entry.page, html)
        sizes[entry.name] = len(html)
        if told is not None:
            told(entry.name, len(html))
    write_whole(where / INDEX, index(entries, __version__).encode())
    return Site(where, tuple(entries), sizes)


def _made(names: Sequence[str], losses: int | None, workers: int) -> Iterator[tuple[Entry, bytes]]:
    """Each scenario's line in the index, and its page, in the order of the names."""
    if workers == 1:
        yield from (_one(name, losses) for name in names)
        return
    # spawn: a forked child inherits the locks of threads that it does not have
    with ProcessPoolExecutor(workers, get_context("spawn")) as executor:
        yield from executor.map(_one, names, repeat(losses))


def _one(name: str, losses: int | None) -> tuple[Entry, bytes]:
    story = scenario(name)
    left = play(story).ended
    held = tuple(
        (side, str(socket.state))
        for side in left.sides
        for socket in left.of(side)
        if socket.state is not State.CLOSED
    )
    entry = Entry(name, story.title, story.theme, held, None, "")
    if (drawn := obstacle(build(story))) is not None:
        return entry._replace(why_not=f"not explored ({drawn})"), b""
    found = page(story, losses=losses)
    fewest = _fewest(found.variants[0].graph)
    return entry._replace(page=f"{name}.html", losses=fewest), found.html(INDEX).encode()


def _fewest(found: Graph) -> int | None:
    """The fewest losses after which a socket stays for ever: no way from there leads to where none is left.

    What is not followed may lead anywhere.
    """
    sources: dict[int, list[int]] = {}
    freed = []
    for number, state in enumerate(found.states):
        gone = all(socket.held.state is State.CLOSED for side in state.view for socket in side)
        targets = {edge.target for edge in state.edges}
        if state.late or state.together or -1 in targets or (gone and not targets):
            freed.append(number)
        for target in targets:
            sources.setdefault(target, []).append(number)
    free = set(freed)
    while freed:
        more = [source for source in sources.get(freed.pop(), ()) if source not in free]
        free.update(more)
        freed += more
    return min(
        (state.losses for number, state in enumerate(found.states) if number not in free), default=None
    )


class Site(Result):
    """The pages of the catalogue."""

    def __init__(self, where: Path, entries: tuple[Entry, ...], sizes: dict[str, int]) -> None:
        self.where = where
        self.entries = entries
        self.sizes = sizes

    def caption(self) -> Caption:
        return Caption("pages", "the catalogue, a page for each connection")

    def headline(self) -> str:
        return f"{len(self.sizes)} pages, {sum(self.sizes.values()) / 1e6:.1f} MB, in {self.where}"

    def text(self) -> str:
        largest = max(self.sizes, key=self.sizes.__getitem__)
        return f"{self.headline()}; the largest is {largest} ({self.sizes[largest] / 1e6:.2f} MB)\n"

    def to_dict(self) -> dict[str, Any]:
        return self.document() | {
            "pages": [
                {"name": each.name, "losses_to_a_leak": each.losses, "bytes": self.sizes.get(each.name)}
                for each in self.entries
            ]
        }

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows(self.to_dict()["pages"])
