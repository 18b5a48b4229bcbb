"""The file format of a trace, read strictly.

Owns: which fields there are and what they may hold, and the conversion of what a kernel did into a
`Record`. Refuses to know: what a sysctl or a call means (setup, calls).

Source: the description that comes with the traces (times in milliseconds, A = client, B = server). The
fields that tell the set-up are closed: one that is unknown may ask for something that nobody does here,
so it is UNSUPPORTED. Observations may carry more than is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from tcpsim.conformance.traces.observation import Answer, Life, Packet, Record, Stay
from tcpsim.conformance.traces.recorded_line import Carried
from tcpsim.conformance.traces.timestamp_clock import began_us
from tcpsim.errors import InputError
from tcpsim.path import Side
from tcpsim.tcp.segment import parse_flags
from tcpsim.tcp.state import Holder, State, parse_state

SIDES: Mapping[str, Side] = {"A": "client", "B": "server"}
_HOLDERS = {"sock": Holder.OWNED, "orphan": Holder.ORPHAN, "minisock": Holder.MINI, "req": Holder.REQUEST}
_FAST_MS, _SLOW_FROM_MS = 4, 2_500  # how often states are sampled at first, and until when in slow scenarios
_CALL_US = 2_000
_SAMPLING_US = 2_000  # a dump of the sockets takes time itself


class Unsupported(Exception):
    """The trace needs what the simulator lacks; the message says what."""


# Milliseconds since the trace began; more than a thousand years of them are a mistake, too
Ms = Annotated[float, msgspec.Meta(ge=0, le=3e13)]
Period = Annotated[float, msgspec.Meta(gt=0, le=3e13)]


# What is repeated in a message of one line
Line = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]


class _Meta(msgspec.Struct, frozen=True):
    delay_ms: Ms
    rules: list[dict[str, Any]]
    sysctls: dict[str, dict[str, int | str]]
    base_sysctls: dict[str, int | str] = {}
    route: str | None = None
    period_ms: Period = _FAST_MS
    mtu: int = 1500


class _App(msgspec.Struct, frozen=True):
    t: Ms
    who: Literal["A", "B", "relay"]
    call: Line
    sock: Line | None = None
    arg: Any = None
    t_end: Ms | None = None
    ret: int | Line | None = None
    err: Line | None = None
    late_us: int = 0


class Injected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The argument of the relay's `inject`: a segment, its numbers relative to the latest ISNs."""

    dir: Literal["A>B", "B>A"]
    flags: str
    seq: int = 0
    ack: int = 0
    len: int = 0
    win: int = 64_000
    newconn: bool = False  # a SYN from which the numbers of its direction count anew


class _Packet(msgspec.Struct, frozen=True):
    t: Ms
    dir: Literal["A>B", "B>A"]
    flags: Line | None = None
    seq: int | None = None
    ack: int | None = None
    len: int = 0
    conn: int = 0
    drop: Line | None = None
    injected: bool = False
    proto: int | str | None = None
    t_out: float | None = None
    late_us: int = 0
    opt: Any = None

    @property
    def ts_val(self) -> int | None:
        """Its TSval, if the recorder tells of options as ours does."""
        match self.opt:
            case {"ts": [int(val), *_]}:
                return val
        return None


class _State(msgspec.Struct, frozen=True):
    t: Ms
    side: Literal["A", "B"]
    id: int
    st: Line
    kind: Literal["sock", "orphan", "req", "minisock"]
    since: float | None = None


class _Sampler(msgspec.Struct, frozen=True):
    samples: int | None = None
    max_gap_ms: float | None = None


class _Stats(msgspec.Struct, frozen=True):
    sampler: _Sampler = _Sampler()
    watched_ms: float | None = None


class Row(NamedTuple):
    """One row of `app`, by its place there: a call of a program, or something the relay did."""

    place: int
    t_us: int
    end_us: int | None
    who: Side | Literal["relay"]
    sock: Line
    call: Line
    arg: Any
    answer: Answer | None
    late_us: int = 0  # how long the caller was kept from running meanwhile

    @property
    def took_data(self) -> bool:
        """Whether the call returned a number above 0."""
        return self.answer is not None and self.answer.said.isdigit() and self.answer.said != "0"

    @property
    def waited(self) -> bool:
        """Whether the call took longer than a call takes."""
        return self.end_us is not None and self.end_us - self.t_us > _CALL_US


class Trace(NamedTuple):
    """A trace: what was set up, what programs did, what was seen, until when, how late states are.

    `carried` is what the recorder let pass, and when; `looks` are the times of a look that saw a change, and
    of the one before it; `late_us` is how late the recorder was at worst. `ms_began_us`: see timestamp_clock.
    """

    id: str
    title: str
    meta: _Meta
    rows: tuple[Row, ...]
    seen: Record
    end_us: int
    gap_us: int
    slow_gap_us: int
    carried: tuple[Carried, ...] = ()
    looks: tuple[tuple[int, int], ...] = ()
    late_us: int = 0
    ms_began_us: int = 0

    def sampled_within_us(self, t_us: int) -> int:
        """How long after a change at `t_us` the sampler may have seen it."""
        within = [end - since for since, end in self.looks if since - _SAMPLING_US <= t_us < end]
        if within:
            return max(within) + _SAMPLING_US
        return self.gap_us if t_us < (_SLOW_FROM_MS - _FAST_MS) * 1_000 else self.slow_gap_us


def us(milliseconds: float) -> int:
    """A time of the trace in microseconds."""
    return round(milliseconds * 1_000)


def read(content: bytes, name: str) -> Trace:
    """The trace in a file's content; `name` is for messages.

    Raises:
        InputError: it is not a trace; names the JSON path.
        Unsupported: it asks for something that is not known here.
    """
    try:
        raw = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise InputError(name, str(error), "JSON") from None
    if not isinstance(raw, dict):
        raise InputError(f"{name}: $", type(raw).__name__, "an object")
    if "series" in raw and "packets" not in raw:
        raise Unsupported("a population, not a trace: it counts sockets and holds no segments")
    for key in ("id", "meta", "app", "packets", "states"):
        if key not in raw:
            raise InputError(f"{name}: $", f"no field {key!r}", "a trace with id, meta, app, packets, states")
    identity = _convert(raw["id"], Line, name, "$.id")
    title = _convert(raw.get("title", ""), Line, name, "$.title")
    meta = _convert(raw["meta"], _Meta, name, "$.meta", closed=True)
    rows = tuple(_row(index, app, name) for index, app in _rows(raw, "app", _App, name, closed=True))
    packets = [packet for _, packet in _rows(raw, "packets", _Packet, name)]
    states = [state for _, state in _rows(raw, "states", _State, name)]
    stats = _convert(raw.get("stats", {}), _Stats, name, "$.stats")
    if any(packet.proto is not None or packet.flags is None for packet in packets):
        raise Unsupported("packets that are not TCP (ICMP)")
    answers = {row.place: row.answer for row in rows if row.answer is not None}
    seen = Record(_packets(packets), _lives(states, name), answers)
    slow = meta.period_ms > _FAST_MS
    looks = {(us(state.since), us(state.t)) for state in states if state.since is not None}
    gap_us = us(stats.sampler.max_gap_ms or meta.period_ms) + _SAMPLING_US
    missed_us = gap_us - us(meta.period_ms) if looks else 0  # a sampler of one's own tells what it missed
    return Trace(
        id=identity,
        title=title,
        meta=meta,
        rows=rows,
        seen=seen,
        end_us=_end_us(meta, stats, seen, rows, packets),
        gap_us=3 * _FAST_MS * 1_000 + _SAMPLING_US if slow else gap_us,
        slow_gap_us=gap_us,
        carried=_carried(packets, us(meta.delay_ms)),
        looks=tuple(sorted(looks)),
        late_us=max([0, missed_us, *(each.late_us for each in (*packets, *rows))]),
        ms_began_us=began_us(
            ((p.dir, p.conn), us(p.t), p.ts_val) for p in packets if p.ts_val is not None and not p.injected
        ),
    )


def _convert(value: Any, kind: type[Any], name: str, path: str, closed: bool = False) -> Any:
    """`value` as a struct; a message in the project's form when it is none."""
    if closed and isinstance(value, dict):
        for key in value:
            if key not in kind.__struct_fields__:
                field = key if key.isprintable() else repr(key)
                raise Unsupported(f"{path}.{field}: a field of the set-up that is not known here")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, inner = str(error).partition(" - at `$")
        where = path + inner.rstrip("`")
        wanted, _, got = what.partition(", got ")
        wanted = "a text of one line" if "matching regex" in wanted else wanted.removeprefix("Expected ")
        raise InputError(f"{name}: {where}", got or "that", wanted) from None


def injected(row: Row) -> tuple[Injected, int]:
    """What the relay is to send, and its flag bits.

    Raises:
        Unsupported: the relay does something else.
    """
    try:
        if row.call != "inject":
            raise ValueError("only inject is known")
        what = msgspec.convert(row.arg, Injected)
        return what, parse_flags(what.flags)
    except ValueError as error:  # msgspec's errors are ones too
        raise Unsupported(f"app[{row.place}]: the relay's {row.call} {row.arg!r}: {error}") from None


def _rows(
    raw: dict[str, Any], key: str, kind: type[Any], name: str, closed: bool = False
) -> Iterator[tuple[int, Any]]:
    if not isinstance(raw[key], list):
        raise InputError(f"{name}: $.{key}", type(raw[key]).__name__, "an array")
    for index, value in enumerate(raw[key]):
        yield index, _convert(value, kind, name, f"$.{key}[{index}]", closed)


def _row(index: int, app: _App, name: str) -> Row:
    if app.t_end is not None and app.t_end < app.t:
        raise InputError(f"{name}: $.app[{index}].t_end", app.t_end, f"a time from t = {app.t} on")
    who: Side | Literal["relay"] = "relay" if app.who == "relay" else SIDES[app.who]
    end_us = None if app.t_end is None else us(app.t_end)
    answer = None
    if app.err is not None or app.ret is not None:
        said = app.err if app.err is not None else str(app.ret)
        answer = Answer(us(app.t) if end_us is None else end_us, {"none(0)": "0", "": "0"}.get(said, said))
    return Row(index, us(app.t), end_us, who, app.sock or "", app.call, app.arg, answer, app.late_us)


def _packets(packets: list[_Packet]) -> tuple[Packet, ...]:
    """What the hosts sent; what the relay made is an input, not an observation."""
    return tuple(
        Packet(us(p.t), SIDES[p.dir[0]], p.flags or "-", p.seq, p.ack, p.len, p.drop is not None, p.conn)
        for p in packets
        if not p.injected
    )


def _carried(packets: list[_Packet], delay_us: int) -> tuple[Carried, ...]:
    """What the hosts sent and the recorder let out."""
    return tuple(
        Carried(SIDES[p.dir[0]], p.flags or "-", p.len, us(p.t_out) - p.late_us - delay_us, us(p.t_out))
        for p in packets
        if p.t_out is not None and p.drop is None and not p.injected
    )


def _lives(states: list[_State], name: str) -> tuple[Life, ...]:
    """The sampled rows by socket, only those in which the state or the holder changed."""
    stays: dict[tuple[str, int], list[Stay]] = {}
    gone: dict[tuple[str, int], int] = {}
    for row in states:
        key = (row.side, row.id)
        if row.st == "GONE":
            gone[key] = us(row.t)
            continue
        try:
            stay = Stay(us(row.t), parse_state(row.st), _HOLDERS[row.kind])
        except ValueError as error:
            raise InputError(f"{name}: $.states", str(error), "a TCP state, or GONE") from None
        known = stays.setdefault(key, [])
        if not known or known[-1][1:] != stay[1:]:
            known.append(stay)
    return tuple(Life(SIDES[key[0]], tuple(known), gone.get(key)) for key, known in stays.items())


def _end_us(meta: _Meta, stats: _Stats, seen: Record, rows: tuple[Row, ...], packets: list[_Packet]) -> int:
    """How long one looked; where a trace does not say, at least as long as its samples and events take.

    A segment that was sent and never came out tells that the recorder had ended before it was due.
    """
    samples = stats.sampler.samples or 0
    if stats.watched_ms is not None:
        sampled_us = us(stats.watched_ms)
    elif meta.period_ms > _FAST_MS:
        fast = min(samples, _SLOW_FROM_MS // _FAST_MS)
        sampled_us = us(fast * _FAST_MS + (samples - fast) * meta.period_ms)
    else:
        sampled_us = us(samples * meta.period_ms)
    times = [packet.t_us for packet in seen.packets]
    times += [stay.t_us for life in seen.lives for stay in life.steps() if stay.state is not State.LISTEN]
    times += [row.end_us or row.t_us for row in rows]
    carries = any(packet.t_out is not None for packet in packets)
    due = [p.t + meta.delay_ms for p in packets if carries and p.t_out is None and p.drop is None]
    held = [us(due_ms) - _CALL_US for due_ms in due]
    return max([min([sampled_us, *held]), *times])
