"""The arguments that name a scenario and change it. All functions of `tcpsim` share them.

Owns: how a scenario is found by its name or in a file, the names of settings, and their two spellings (the
fields of `Setting`, and the options of the command line that may be repeated). Refuses to know: what a
setting means (catalogue).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from tcpsim.app import Program
from tcpsim.catalogue import Scenario, Setting, scenario
from tcpsim.catalogue.index import kind_of
from tcpsim.catalogue.setup_file import parse_setup
from tcpsim.errors import InputError, unknown
from tcpsim.pair import Side
from tcpsim.path import Distribution, Middlebox
from tcpsim.tcp.stack import Stack
from tcpsim.units import parse_duration

Story = TypeVar("Story")
Named = str | PathLike[str] | Scenario  # a scenario: its name, the path of a TOML file, or itself


class SettingsButLoss(TypedDict, total=False):
    """The settings that change a scenario: the fields of `Setting`, with the types that a caller may pass.

    A time is a text with a unit ("10ms") or an integer of microseconds. A probability is a number or a text
    ("1%"). The command line repeats an option to give a mapping or a list: --set (knobs), --with (parameters)
    and --drop (drops). The names `set` and `drop` are accepted here, too.
    """

    client: str | Program
    server: str | Program
    stack_client: str | Stack
    stack_server: str | Stack
    knobs: Mapping[str, Any]
    set: Mapping[str, Any]
    parameters: Mapping[str, Any]
    loss_to_client: float | str | None
    loss_to_server: float | str | None
    loss_from: str | int
    loss_side: Side
    close_on_error: Mapping[str, bool]
    linger: Mapping[str, str | int]
    restart: Mapping[str, str | int]
    kill_sockets: Mapping[str, str | int]
    delay: str | int
    jitter: str | Distribution
    rate_bps: int
    queue_packets: int
    duplicate: float | str
    reorder: float | str
    reorder_extra: str | int
    drops: str | Sequence[str]
    drop: str | Sequence[str]
    middlebox: str | Middlebox
    client_port: int
    server_port: int
    relay: str | Program
    stack_relay: str | Stack


class Settings(SettingsButLoss, total=False):
    """All settings. `loss` is the probability that a segment is lost, in both directions."""

    loss: float | str | None


OPTIONS = {"set": "knobs", "with": "parameters", "drop": "drops"}  # the command line's word: the field
NAMES = tuple(field.name for field in fields(Setting))


def settings(given: Mapping[str, Any], base: Setting | None = None) -> dict[str, Any]:
    """The keywords of a call as overrides for `build`. They override those of `base`. None changes nothing.

    >>> settings({"loss": 0.01, "drop": "server FIN 2", "delay": None})
    {'loss': 0.01, 'drops': ('server FIN 2',)}

    Raises:
        InputError: a name is no setting, a setting is given in both spellings, or two loss settings exclude
            each other.
    """
    found: dict[str, Any] = {}
    plain = Setting()
    for name in NAMES if base is not None else ():
        if getattr(base, name) != getattr(plain, name):
            found[name] = getattr(base, name)
    named: dict[str, Any] = {}
    for word, value in given.items():
        name = OPTIONS.get(word, word)
        if name not in NAMES:
            raise unknown("setting", word, [*NAMES, *OPTIONS])
        if name in named and value is not None:
            raise InputError(word, f"{name} beside it", "one of the two, because they are the same setting")
        if value is not None:
            named[name] = value
    for one_way in ("loss_to_client", "loss_to_server"):
        if "loss" in named and one_way in named:
            found_words = f"{named[one_way]} beside loss {named['loss']}"
            raise InputError(one_way, found_words, "either loss or a loss per direction")
    found |= named
    if "drops" in found:
        found["drops"] = (found["drops"],) if isinstance(found["drops"], str) else tuple(found["drops"])
    return found


def chosen(named: Named) -> Scenario:
    """The scenario with this name, the scenario in a TOML file, or the scenario that was passed.

    Of a file with a workload it is the connection that the file describes.

    >>> chosen("normal-close").name
    'normal-close'

    Raises:
        InputError: there is no such scenario, or the file has a mistake.
        OSError: the file cannot be read.
    """
    if isinstance(named, Scenario):
        return named
    if not isinstance(named, str | PathLike):
        raise InputError("scenario", repr(named), "a name, the path of a .toml file, or a Scenario")
    if Path(named).suffix != ".toml":
        return find(str(named), "scenario", scenario)
    found = from_file(named)
    if isinstance(found, Scenario):
        return found
    if hasattr(found, "variants"):
        raise InputError(Path(named).name, "a user group", f"tcpsim users {named}")
    connection: Scenario = found.connection
    return connection


def from_file(named: str | PathLike[str]) -> Any:
    """What a file describes: a Scenario, a Workload or a UserGroup.

    Raises:
        InputError: the file is not what it should be.
        OSError: it cannot be read.
    """
    return parse_setup(text_of(named), Path(named).name, Path(named).stem)


def text_of(named: str | PathLike[str]) -> str:
    """The text of a file.

    Raises:
        InputError: it is no text.
        OSError: it cannot be read.
    """
    try:
        return Path(named).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(str(named), "bytes that are no UTF-8", "TOML, which is UTF-8") from None


def spelled(named: Named) -> str:
    """How the command line names this scenario."""
    return named.name if isinstance(named, Scenario) else str(named)


def find(name: str, where: str, look_up: Callable[[str], Story]) -> Story:
    """The object that `look_up` finds under a name.

    Raises:
        InputError: there is none; the text names the command that knows the name, if one does.
    """
    try:
        return look_up(name)
    except InputError:
        kind = kind_of(name)
        if kind is not None:
            raise InputError(where, f"{name!r}, {kind.phrase}", f"tcpsim {kind.command} {name}") from None
        raise


def horizon_us(scenario: Scenario, horizon: str | int | None) -> int:
    """The horizon that was given, or the horizon of the scenario."""
    return scenario.horizon_us if horizon is None else parse_duration(horizon, "horizon")


def one_of_them(word: str, value: Any, known: Sequence[str]) -> Any:
    """The value, if it is one of the known words."""
    if value not in known:
        raise unknown(word, str(value), list(known))
    return value
