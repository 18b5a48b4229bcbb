"""A path between two hosts: it decides which segments are lost and when the others arrive.

Owns: the chains of elements, the segments in flight and their order. Refuses to know: what a segment means,
who is at the ends, and who decides random events (the chooser). There is no RFC: IP may lose, duplicate,
delay and reorder segments (RFC 9293 section 3.1).

Everything is decided when a segment is sent: `send` passes it through the elements, asks the chooser, and
records the time of its arrival. If two segments arrive at the same time, the one that was sent first comes
first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from tcpsim.errors import InputError
from tcpsim.path.chance import Chooser
from tcpsim.path.distribution import Distribution
from tcpsim.path.element import SIDES, Chain, Element, Fate, OneWay, Side, walk
from tcpsim.path.flow_table import Tracker
from tcpsim.path.link import Link
from tcpsim.path.loss import Duplicate, Loss, Reorder
from tcpsim.path.middlebox import Middlebox
from tcpsim.path.rule import Rule
from tcpsim.path.rule_syntax import script
from tcpsim.tcp.segment import Segment


class Flight(NamedTuple):
    """A segment on its way to `receiver`, where it arrives at `due_us`."""

    due_us: int
    receiver: Side
    segment: Segment


class Path(NamedTuple):
    """`shared` sees the segments of both senders first; then `to_server` or `to_client`, by receiver.

    `flights` is in order of arrival. A value: hashable, never changed.
    """

    shared: Chain = ()
    to_server: Chain = ()
    to_client: Chain = ()
    flights: tuple[Flight, ...] = ()


def send(
    path: Path, side: Side, segment: Segment, now: int, chooser: Chooser
) -> tuple[Path, tuple[Fate, ...]]:
    """`side` puts `segment` on the wire at `now`: the path afterwards, and one fate per copy.

    Behind these come the fates of what a box sent back to `side`.
    """
    shared, to_server, to_client, flights = path
    receiver: Side = "server" if side == "client" else "client"
    before = shared + (to_server if side == "client" else to_client)
    chain, outcomes = walk(before, side, segment, now, chooser)
    if chain is not before:
        shared, one_way = chain[: len(shared)], chain[len(shared) :]
        if side == "client":
            to_server = one_way
        else:
            to_client = one_way
    fates = []
    answers = []
    for fate, arriving in outcomes:
        kind, _, due_us, _ = fate
        if kind == "answered":
            answers.append((fate.why, arriving))
            continue
        fates.append(fate)
        if due_us is not None:
            flights = _with(flights, Flight(due_us, receiver, arriving))
    after = Path(shared, to_server, to_client, flights)
    for why, answer in answers:
        after, more = _answered(after, side, answer, why, now, chooser)
        fates += more
    return after, tuple(fates)


def _answered(
    path: Path, side: Side, answer: Segment, why: str, at_us: int, chooser: Chooser
) -> tuple[Path, list[Fate]]:
    """What a box sends back to `side` takes the way of all that comes to that side, and may be lost on it."""
    other: Side = "server" if side == "client" else "client"
    way = path.to_client if side == "client" else path.to_server
    chain, outcomes = walk(way, other, answer, at_us, chooser)
    path = path._replace(to_client=chain) if side == "client" else path._replace(to_server=chain)
    fates = []
    for fate, arriving in outcomes:
        kind = fate.kind if fate.kind == "duplicated" else "answered"
        fates.append(Fate(kind, why, fate.due_us, arriving))
        if fate.due_us is not None:
            path = inject(path, side, arriving, fate.due_us)
    return path, fates


def inject(path: Path, receiver: Side, segment: Segment, due_us: int) -> Path:
    """A segment that neither end sent arrives at `receiver` at `due_us`, whatever the elements are."""
    return path._replace(flights=_with(path.flights, Flight(due_us, receiver, segment)))


def tracker(path: Path) -> Tracker | None:
    """The box on the path that remembers flows, if there is one."""
    return next((each for each in path.shared if isinstance(each, Tracker)), None)


def with_room(path: Path, room: int | None) -> Path:
    """The same path with a box whose table takes `room` more flows (see `Tracker.room`)."""
    shared = [replace(each, room=room) if isinstance(each, Tracker) else each for each in path.shared]
    return path._replace(shared=tuple(shared))


def next_time(path: Path) -> int | None:
    """When the next segment arrives; None if nothing is in flight."""
    flights = path.flights
    return flights[0].due_us if flights else None


def due(path: Path, now: int) -> tuple[Path, tuple[tuple[Side, Segment], ...]]:
    """What has arrived by `now`, in order, as (receiver, segment), and the path without it."""
    shared, to_server, to_client, flights = path
    count = 0
    for flight in flights:
        if flight[0] > now:
            break
        count += 1
    if not count:
        return path, ()
    arrived = tuple([(receiver, segment) for _, receiver, segment in flights[:count]])
    return Path(shared, to_server, to_client, flights[count:]), arrived


def _with(flights: tuple[Flight, ...], new: Flight) -> tuple[Flight, ...]:
    """Behind everything that is due no later."""
    place = len(flights)
    while place and flights[place - 1][0] > new[0]:
        place -= 1
    return (*flights[:place], new, *flights[place:])


def make_path(
    delay_us: int,
    loss_to_client: float | Element = 0.0,
    loss_to_server: float | Element = 0.0,
    drops: Iterable[str | Rule] = (),
    *,
    middlebox: Middlebox | None = None,
    loss_side: Side | None = None,
    jitter: Distribution | None = None,
    rate_bps: int | None = None,
    queue_packets: int | None = None,
    duplicate: float = 0.0,
    reorder: float = 0.0,
    reorder_extra_us: int = 0,
) -> Path:
    """The usual path: the same line both ways, loss per direction (a probability or a loss element).

    The order is that of Linux netem: rules, loss and duplication where the segment enters, then the
    transmitter and the way, then what is held back. So a lost segment takes no time on the transmitter.

    A `middlebox` stands behind the rules and the losses: it does not see what they take. With a `loss_side`
    that side of it alone loses: what its host sends before the box, what comes for it behind the box.

    >>> from tcpsim.path.chance import Quiet
    >>> path = make_path(10_000, drops=["server FIN 1"])
    >>> path, fates = send(path, "client", Segment(40000, 80, 2, 0, 0, 0, 64240), 5_000, Quiet())
    >>> fates, next_time(path)
    ((Fate(kind='delivered', why='', due_us=15000, segment=None),), 15000)
    """
    rules = script(drops)
    losses = {"server": _loss(loss_to_server), "client": _loss(loss_to_client)}
    shared: list[Element] = [rules] if rules.rules else []
    if middlebox is not None:
        for sender, receiver in ((SIDES[0], SIDES[1]), (SIDES[1], SIDES[0])):
            before = losses[receiver]
            if loss_side in (None, sender) and before is not None:
                shared.append(OneWay(sender, before))
                losses[receiver] = None
        shared.append(Tracker(middlebox))
    elif loss_side is not None:
        raise InputError("loss_side", loss_side, "a side of a middlebox, on a path that has one")

    def one_way(loss: Element | None) -> Chain:
        chain: list[Element] = [] if loss is None else [loss]
        if duplicate:
            chain.append(Duplicate(duplicate))
        chain.append(Link(delay_us, jitter, rate_bps, queue_packets))
        if reorder:
            chain.append(Reorder(reorder, reorder_extra_us))
        return tuple(chain)

    return Path(tuple(shared), one_way(losses["server"]), one_way(losses["client"]))


def _loss(given: float | Element) -> Element | None:
    if not isinstance(given, int | float):
        return given
    return Loss(given) if given else None
