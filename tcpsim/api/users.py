"""The function `users`: it simulates browsers and pools, with the variants of a story side by side.

Owns: the function, and its result as text, rows and JSON. Refuses to know: the user groups (catalogue).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tcpsim.api.result import Result
from tcpsim.api.setups import NamedUsers, chosen_users
from tcpsim.catalogue.claims import claims_of
from tcpsim.catalogue.user_group import UserGroup, Variant
from tcpsim.draw.caption import Caption
from tcpsim.draw.ladder import WIDTH
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.measures import TIMES
from tcpsim.host.population import simulate
from tcpsim.measure.experience import NEVER_US, measure

if TYPE_CHECKING:
    from tcpsim.measure.results import Table


def users(
    group: NamedUsers,
    *,
    variant: str | None = None,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Users:
    """Simulate browsers or a connection pool, and compare the variants of a story.

    >>> import tcpsim
    >>> found = tcpsim.users("three-idle-timeouts", variant="pool, server, firewall")
    >>> found.table()[0]["variant"]
    'pool, server, firewall'

    Args:
        group: its name (`tcpsim users` lists them), the path of a TOML file, or a `UserGroup`.
        variant: run only the variants whose name contains this text.
        seed: the seed of all random events.
        progress: a function that is called with the numbers of finished and of all variants.

    Raises:
        InputError: there is no such user group or variant.
    """
    story = chosen_users(group)
    variants = [each for each in story.variants if variant is None or variant in each.name]
    if not variants:
        raise InputError("variant", repr(variant), "; ".join(each.name for each in story.variants))
    runs = []
    for done, each in enumerate(variants):
        if progress is not None:
            progress(done, len(variants))
        runs.append((each, simulate(story.plan(each, seed))))
    return Users(story, runs, seed)


class Users(Result):
    """The result of each variant. `print()` shows them."""

    def __init__(self, group: UserGroup, runs: list[tuple[Variant, Census]], seed: int) -> None:
        self.group = group
        self.runs = runs
        self.seed = seed

    def caption(self) -> Caption:
        return Caption(self.group.name, self.group.title)

    @property
    def surprises(self) -> tuple[str, ...] | None:
        """In what the variants did not come out as they say; None if none of them says anything."""
        expected = [(one, census) for one, census in self.runs if one.expect]
        if not expected:
            return None
        return tuple(
            f"{one.name}: {name} {_words(name, found)}, not {_words(name, least)} to {_words(name, most)}"
            for one, census in expected
            for name, (least, most) in one.expect.items()
            for found in [measure(census, name)]
            if not least <= found <= most
        )

    def headline(self) -> str:
        return f"{self.group.name}: {self.group.title}, {len(self.runs)} variants"

    def text(self) -> str:
        return _page(self.group, self.runs)

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        rows = [{"variant": row["name"], **row["measures"]} for row in self.to_dict()["variants"]]
        return Table.of_rows(rows)

    def to_dict(self) -> dict[str, Any]:
        return self.document() | _record(self.group, self.runs, self.seed)


def _page(chosen: UserGroup, runs: list[tuple[Variant, Census]]) -> str:
    claims = [f'{claim.number} "{claim.quote}": {claim.judgement()}' for claim in claims_of(chosen.name)]
    blocks = [
        Caption(chosen.name, chosen.title).lines(WIDTH),
        wrap(chosen.story, WIDTH),
        wrap(f"Look for: {chosen.watch}.", WIDTH) if chosen.watch else [],
        _table(chosen, runs),
        [line for claim in claims for line in wrap(claim, WIDTH, subsequent_indent="    ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _table(chosen: UserGroup, runs: list[tuple[Variant, Census]]) -> list[str]:
    """One line for each variant. The failures follow below it."""
    heads = [wrap(column, 12, break_on_hyphens=False) for column in chosen.columns]
    height = max(map(len, heads))
    rows = [
        [variant.name, *(_words(column, measure(census, column)) for column in chosen.columns)]
        for variant, census in runs
    ]
    wide = [max(len(row[0]) for row in rows)]
    wide += [
        max(*(len(row[place]) for row in rows), *(len(part) for part in head))
        for place, head in enumerate(heads, start=1)
    ]
    lines = []
    for line in range(height):
        parts = ["", *([""] * (height - len(head)) + head for head in heads)]
        cells = [part[line] if part else "" for part in parts]
        lines.append(_line(cells, wide))
    for (_, census), row in zip(runs, rows, strict=True):
        lines.append(_line(row, wide))
        trouble = _trouble(census)
        if trouble:
            lines.append(f"    {trouble}")
    return lines


def _line(cells: list[str], wide: list[int]) -> str:
    first, *others = [cell.ljust(width) if place == 0 else cell.rjust(width)
                      for place, (cell, width) in enumerate(zip(cells, wide, strict=True))]  # fmt: skip
    return "  ".join([first, *others]).rstrip()


def _words(column: str, value: float) -> str:
    if column in TIMES:
        return "never" if value == NEVER_US else length(int(value))
    return f"{value:,.0f}"


def _trouble(census: Census) -> str:
    """What failed, and on which connections."""
    counts = Counter(census.experience.outcomes)
    told = [
        f"{count:,} {what}" for what, count in sorted(counts.items()) if what not in ("answered", "complete")
    ]
    return f"failed: {', '.join(told)}" if told else ""


def _record(chosen: UserGroup, runs: list[tuple[Variant, Census]], seed: int) -> dict[str, Any]:
    """The document that docs/json.md describes."""
    return {
        "name": chosen.name,
        "seed": seed,
        "rate_per_s": chosen.per_second,
        "variants": [
            {
                "name": variant.name,
                "measures": {
                    column: None if value == NEVER_US else value
                    for column in ("asked", "done", *chosen.columns)
                    for value in [measure(census, column)]
                },
                "outcomes": dict(sorted(Counter(census.experience.outcomes).items())),
                "errors": [
                    {"error": error, "reused": reused, "count": count}
                    for (error, reused), count in sorted(census.experience.stumbles.items())
                ],
                "refused": dict(sorted(census.refused.items())),
            }
            for variant, census in runs
        ],
    }
