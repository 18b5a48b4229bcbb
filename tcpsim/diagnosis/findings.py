"""Groups of sockets with the same kind, role, service and owner, and the finding for each group.

Owns: grouping, when a group is a leak, and how the sentences of a group are completed. Refuses to know: the
texts of the kinds (kinds), the layout (report), and comparisons of two dumps (growth, both_ends).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tcpsim.diagnosis import classify as cases
from tcpsim.diagnosis.classify import Case, classify, held
from tcpsim.diagnosis.expiry import NEVER, Ends, ends
from tcpsim.diagnosis.host import Host, Role, local_peer
from tcpsim.diagnosis.kinds import kinds, shown
from tcpsim.diagnosis.knobs import Knobs, knobs, with_own
from tcpsim.dumps import Socket
from tcpsim.tcp.state import State

FEW = 5  # fewer are on their way, or in a pool: no finding by themselves
_NEAR = 0.7  # of a limit
_SAMPLED = 60  # sockets of a group whose end is computed: the extremes, and some between
_PORTS = {  # where a system keeps how many ports it gives out by itself
    "linux": "net.ipv4.ip_local_port_range",
    "windows": "netsh int ipv4 set dynamicport",
    "freebsd": "net.inet.ip.portrange",
    "macos": "net.inet.ip.portrange",
}
_SURE = (cases.CERTAIN, cases.LIKELY, cases.POSSIBLE)


class Key(NamedTuple):
    """What the sockets of a group have in common."""

    kind: str
    role: Role
    port: int | None  # the service's
    owner: str | None  # the program's name; "" where nobody owns them, None where it is not shown


class Group(NamedTuple):
    """The sockets, and what the first of them was told by."""

    key: Key
    sockets: list[Socket]
    case: Case
    role_known: bool


class Finding(NamedTuple):
    """A paragraph of the answer, as values. Texts are whole sentences without the final period."""

    kind: str
    title: str
    states: tuple[str, ...]
    number: int
    role: Role
    role_known: bool
    port: int | None
    owner: str | None
    pids: tuple[int, ...]
    hosts: tuple[str, ...]  # the peers' addresses
    recv_q: tuple[int, int] | None
    send_q: tuple[int, int] | None
    leak: bool
    limit: str  # a limit that is met or near, or ""
    happened: str
    move: str
    owes: str
    certainty: str
    why: str
    ends: Ends
    knobs: Knobs
    look: str
    notes: tuple[str, ...]
    sockets: tuple[Socket, ...]
    rank: int

    @property
    def bad(self) -> bool:
        """Something leaks, or a limit is met."""
        return self.leak or bool(self.limit)


def groups(host: Host) -> list[Group]:
    """All sockets but listeners, by what they have in common."""
    found: dict[Key, Group] = {}
    role_of = host.role
    for each in host.dump.sockets:
        case = classify(each, host)
        if case is None:
            continue
        role, known = role_of(each.local, each.peer)
        port = each.local.port if role == "server" else each.peer.port
        owner = each.owners[0].name if each.owners else None if each.owners is None else ""
        key = Key(case.kind, role, port, owner)
        group = found.get(key)
        if group is None:
            found[key] = Group(key, [each], case, known)
        else:
            group.sockets.append(each)
            if _SURE.index(case.certainty) > _SURE.index(group.case.certainty):
                found[key] = group._replace(case=case)
    return list(found.values())


def badness(finding: Finding) -> tuple[object, ...]:
    """Leaks before limits before the rest, a handful last; within these by kind, then by number."""
    return (not finding.leak, not finding.limit, finding.number < FEW, finding.rank, -finding.number)


def finding_of(group: Group, host: Host) -> Finding:
    """What is to be said of a group."""
    key, sockets, case, role_known = group
    kind = kinds()[key.kind]
    count = len(sockets)
    pids = tuple(
        sorted({owner.pid for each in sockets for owner in each.owners or () if owner.pid is not None})
    )
    program, owner, pids = _program(key, pids, host)
    words = {
        "program": program,
        "peer": _peer(key, sockets, host),
        "pid": str(pids[0]) if len(pids) == 1 else "PID",
        "where": f"port {key.port}" if key.port is not None else "the socket",
    }
    queue = host.listening.get(key.port) if key.port is not None and key.role == "server" else None
    notes = list(_notes(group, host))
    if key.kind == "accept-queue" and queue is not None and queue.waiting:
        said = f"LISTEN shows {queue.waiting:,} waiting" + (
            f", with room for {queue.room:,}" if queue.room else ""
        )
        notes.append(said + (f"; {count:,} of them are in this dump" if count < queue.waiting else ""))
    when = _ends(sockets, host)
    limit = _limit(group, host, count + _cut_out(group, host))
    return Finding(
        kind=key.kind,
        title=kind.title,
        states=tuple(sorted({str(each.state) for each in sockets})),
        number=count,
        role=key.role,
        role_known=role_known,
        port=key.port,
        owner=owner,
        pids=pids,
        hosts=tuple(dict.fromkeys(each.peer.host for each in sockets)),
        recv_q=_span(each.recv_q for each in sockets),
        send_q=_span(each.send_q for each in sockets),
        leak=kind.leak and count >= FEW,
        limit=limit,
        happened=_sentences(kind.happened.format(**words)),
        move=kind.move,
        owes=kind.owes.format(**words),
        certainty=case.certainty,
        why=case.why,
        ends=when,
        knobs=with_own(knobs(shown(key.kind, key.role)), key.kind, host.stack),
        look=_look(group, host) or kind.look.format(**words),
        notes=tuple(notes),
        sockets=tuple(sockets),
        rank=kind.rank,
    )


def _look(group: Group, host: Host) -> str:
    """The next command on a system that is not Linux; "" on Linux."""
    state = str(group.sockets[0].state)
    if host.system == "windows":
        name = "".join(part.title() for part in state.replace("FIN-WAIT-", "Fin-Wait").split("-"))
        return f"Get-NetTCPConnection -State {name} | Group-Object OwningProcess, RemotePort"
    if host.system in ("freebsd", "macos"):
        tool = "sockstat -P tcp" if host.system == "freebsd" else "lsof -nP -iTCP"
        return f"{tool} | grep {group.key.port}; netstat -s -p tcp"
    return ""


def _sentences(text: str) -> str:
    """Each begins with a capital, but for the name of a program."""
    return re.sub(r"(^|[.] )the ", lambda found: f"{found[1]}The ", text)


def _program(key: Key, pids: tuple[int, ...], host: Host) -> tuple[str, str | None, tuple[int, ...]]:
    """How the group's program is called, its name, its processes."""
    owner = key.owner
    if not owner and key.role == "server" and key.kind in _LISTENERS and key.port is not None:
        listening = host.listening.get(key.port)
        if listening is not None and listening.socket.owners:
            owner = listening.socket.owners[0].name
            pids = tuple(each.pid for each in listening.socket.owners if each.pid is not None)
    if not owner and not pids:
        where = f" on port {key.port}" if key.role == "server" and key.port is not None else ""
        return f"the program{where}", owner or None, pids
    if len(pids) == 1:
        return f"{owner} (pid {pids[0]})" if owner else f"the program with pid {pids[0]}", owner, pids
    return f"{owner} ({len(pids)} processes)" if owner else f"{len(pids)} processes", owner, pids


_LISTENERS = (
    "accept-queue",
    "syn-received-queue-full",
    "syn-received",
    "close-wait-data-unread",
    "close-wait",
)


def _peer(key: Key, sockets: Sequence[Socket], host: Host) -> str:
    if key.role == "server":
        return "the client, on this host," if local_peer(sockets[0]) else "the client"
    where = f"on port {key.port}" if key.port is not None else "at the other end"
    if local_peer(sockets[0]):
        name = host.owner_of(key.port)
        return f"{name}, {where} of this host," if name else f"the program {where} of this host"
    return f"the server {where}"


def _span(values: Iterable[int | None]) -> tuple[int, int] | None:
    known = [each for each in values if each is not None]
    return (min(known), max(known)) if known else None


def _ends(sockets: Sequence[Socket], host: Host) -> Ends:
    """The first and the last end in the group; the expected one is that of the middle."""
    chosen = list({(each.state, each.timer, held(each, host)): each for each in sockets}.values())
    if len(chosen) > _SAMPLED:
        chosen.sort(key=lambda each: (each.timer.fired, each.timer.left_us) if each.timer else (0, 0))
        step = len(chosen) / (_SAMPLED - 1)
        chosen = [chosen[min(int(n * step), len(chosen) - 1)] for n in range(_SAMPLED)]
    found = [_end_of(each, host) for each in chosen]
    if all(each.never for each in found):
        return max(found, key=lambda each: bool(each.by))
    some = sorted(each.expected_us for each in found if each.expected_us is not None)
    latest = [each.latest_us for each in found]
    known = [each for each in latest if each is not None]
    by = next(each.by for each in found if not each.never)
    last = max(known) if len(known) == len(latest) else None
    return Ends(min(each.earliest_us for each in found), some[len(some) // 2], last, by)


def _end_of(socket: Socket, host: Host) -> Ends:
    """One socket's end, from the dump on."""
    orphan = held(socket, host)
    if socket.state is State.CLOSED:
        return NEVER
    return ends(socket, host.stack, None if orphan is None else not orphan, host.linux)


def _cut_out(group: Group, host: Host) -> int:
    """Lines that somebody cut out of the middle of this group, as a line of the text says."""
    dump = host.dump
    if not dump.more or dump.more_at is None or len(group.sockets) < 2:
        return 0
    lines = [each.line for each in group.sockets]
    before = max((n for n in lines if n < dump.more_at), default=None)
    return dump.more if before == dump.more_at - 1 else 0


def _limit(group: Group, host: Host, count: int) -> str:
    """A limit that this group meets or is near."""
    stack, kind = host.stack, group.key.kind
    if kind in ("time-wait", "syn-sent", "fin-wait-2-orphan"):
        ports = stack.ephemeral_ports
        if kind == "time-wait" and ports and _one_pair(group) and count >= _NEAR * ports:
            more = _PORTS.get(host.system or "linux", _PORTS["linux"])
            used = f"{count:,} of {ports:,} ephemeral ports between two hosts and one service are taken"
            return f"{used}: connect() fails or will fail; more ports: {more}"
    if kind in ("time-wait", "fin-wait-2-orphan") and stack.max_mini and count >= _NEAR * stack.max_mini:
        return f"{count:,} of {stack.max_mini:,} timewait sockets (tcp_max_tw_buckets)"
    orphans = ("fin-wait-1", "fin-wait-1-window", "fin-wait-1-unaccepted", "last-ack", "closing")
    if kind in orphans and stack.max_orphans and count >= _NEAR * stack.max_orphans:
        return f"{count:,} of {stack.max_orphans:,} orphans (tcp_max_orphans)"
    return ""


def _one_pair(group: Group) -> bool:
    """Whether all lie between the same two hosts, so that they use up that pair's ports."""
    return len({(each.local.host, each.peer.host) for each in group.sockets}) == 1


def _notes(group: Group, host: Host) -> Iterable[str]:
    key, count = group.key, len(group.sockets)
    cut = _cut_out(group, host)
    if cut:
        yield (
            f"{count:,} were read; line {host.dump.more_at} says that {cut:,} more lines were cut out here:"
            f" if they are the same, it is {count + cut:,}"
        )
    if kinds()[key.kind].leak and count < FEW:
        yield (
            "So few are no leak by themselves: a pool holds such sockets until it looks at them. A second"
            " dump in a minute tells"
        )
    if key.kind == "time-wait":
        if local_peer(group.sockets[0]):
            yield "Both ends are on this host: one of its own programs opens a connection for each request"
        wait_us = host.stack.time_wait_us
        rate = (count + cut) * 1_000_000 / wait_us
        verified = "" if host.linux else "; the profile's value"
        yield (
            f"{count + cut:,} at once is {rate:,.1f} such closes a second (TIME-WAIT lasts"
            f" {wait_us // 1_000_000} s{verified})"
        )
        if not host.linux and cut and _one_pair(group):
            yield "A socket in TIME-WAIT belongs to no process (PID 0 is right)"


def queues_without_sockets(host: Host, found: Sequence[Finding]) -> list[Finding]:
    """Listeners with a full accept queue whose connections are not in the dump."""
    told = {each.port for each in found if each.kind == "accept-queue"}
    made = []
    for port, queue in host.listening.items():
        if queue.full and port not in told:
            case = Case(
                "accept-queue",
                cases.CERTAIN,
                f"LISTEN shows {queue.waiting} in a queue with room for {queue.room}",
            )
            key = Key(
                "accept-queue", "server", port, queue.socket.owners[0].name if queue.socket.owners else None
            )
            one = finding_of(Group(key, [queue.socket], case, True), host)
            made.append(
                one._replace(
                    number=queue.waiting, leak=True, states=("LISTEN",), hosts=(), sockets=(), recv_q=None
                )
            )
    return made
