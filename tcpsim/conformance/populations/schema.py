"""The file format of a population, read strictly.

Owns: the fields and their allowed values. Refuses to know: what a sysctl means (setup), and the expected
counts (expected).

Source: the description that comes with the populations (A = client host, B = server host). Unknown fields in
the set-up are errors, because such a field may need something that is not supported here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tcpsim.errors import InputError

_HOSTS: Final = ("A", "B")
_NOT_STATES: Final = ("t_ms", "sockstat_")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a population was made; times ending in `_ms` are milliseconds, the others seconds."""

    p: float
    n: int
    rate: float
    t_end: float
    delay_ms: float
    pclose: float
    close_ms: float
    plain: bool
    n_never_closers: int
    sysctls_written: dict[str, int | str]
    req: int
    resp: int
    arr_end: float | None = None
    vanish: float | None = None
    ka: tuple[int, int, int] | None = None
    ka_all: bool = False
    cthink: float = 0.0
    sthink: float = 0.0
    route: str | None = None
    seed: int = 0
    sysctls: dict[str, int | str] = {}
    sysctls_effective: dict[str, int | str] = {}
    kernel: str = ""


class Run(msgspec.Struct, frozen=True):
    """One population: what was set, what was left at the end, how connections ended, counts by second.

    `series[host]["t_ms"]` are the times; every other list has a count for each of them. `arrivals_ms`: when
    each connection began, where the recorder tells.
    """

    run: str
    config: Config
    end: dict[str, dict[str, int]]
    outcomes: list[tuple[str, int]]
    series: dict[str, dict[str, list[int] | None]]
    arrivals_ms: list[float] | None = None

    @property
    def times_us(self) -> list[int]:
        """When sockets were counted."""
        return [each * 1_000 for each in self.series["A"]["t_ms"] or []]

    def every(self, number: int) -> Run:
        """The same run, as if only every so many times had been counted."""
        fewer = {
            host: {name: values and values[::number] for name, values in columns.items()}
            for host, columns in self.series.items()
        }
        return msgspec.structs.replace(self, series=fewer)

    def altered(self, **changes: Any) -> Run:
        """What was set for this run, with changes; what was counted does not belong to it."""
        return msgspec.structs.replace(self, config=msgspec.structs.replace(self.config, **changes))

    def counts(self, host: str) -> dict[str, list[int]]:
        """The counts of a host by state, as the file calls them."""
        return {
            name: values
            for name, values in self.series[host].items()
            if values is not None and not name.startswith(_NOT_STATES)
        }


def looks_like_one(content: Any) -> bool:
    """Whether a JSON value is meant to be a population, not a trace."""
    return isinstance(content, dict) and "series" in content and "packets" not in content


def read(content: bytes, name: str) -> Run:
    """The population in a file's content; `name` is for messages.

    Raises:
        InputError: it is none, or its numbers cannot be; names the JSON path.
    """
    try:
        run = msgspec.json.decode(content, type=Run)
    except msgspec.ValidationError as error:
        what, _, inner = str(error).partition(" - at `")
        wanted, _, got = what.removeprefix("Expected ").partition(", got ")
        raise InputError(f"{name}: {inner.rstrip('`') or '$'}", got or "that", wanted) from None
    except msgspec.DecodeError as error:
        raise InputError(name, str(error), "JSON") from None
    _check(run, name)
    return run


def _check(run: Run, name: str) -> None:
    config = run.config
    for where, found, fits, allowed in (
        ("config.p", config.p, 0 <= config.p < 1, "a number from 0 to below 1"),
        ("config.n", config.n, config.n >= 1, "at least 1 connection"),
        ("config.rate", config.rate, config.rate > 0, "more than 0 a second"),
        ("config.t_end", config.t_end, config.t_end > 0, "a time after 0"),
        ("config.delay_ms", config.delay_ms, config.delay_ms > 0, "a time after 0"),
        (
            "config.n_never_closers",
            config.n_never_closers,
            0 <= config.n_never_closers <= config.n,
            f"0 to n = {config.n}",
        ),
        ("outcomes", _total(run), _total(run) == config.n, f"counts that add up to n = {config.n}"),
    ):
        if not fits:
            raise InputError(f"{name}: $.{where}", found, allowed)
    for host in _HOSTS:
        if host not in run.series or host not in run.end:
            raise InputError(f"{name}: $.series and $.end", f"no host {host}", "A and B")
        for state, counts in run.counts(host).items():
            if len(counts) != len(run.times_us):
                counted, times = f"{len(counts)} counts", f"{len(run.times_us)}, as t_ms"
                raise InputError(f"{name}: $.series.{host}.{state}", counted, times)


def _total(run: Run) -> int:
    return sum(count for _, count in run.outcomes)
