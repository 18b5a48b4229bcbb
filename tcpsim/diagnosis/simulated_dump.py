"""The sockets of a simulated host as `ss -tanop` would show them.

Owns: queues, timers and owners of a host in the words of `ss`, and its addresses. Refuses to know: how a pair
reached its state (catalogue), and columns (dumps.ss_output).

Sources: Linux net/ipv4/inet_diag.c inet_sk_diag_fill, inet_twsk_diag_fill and inet_req_diag_fill; tcp_diag.c
tcp_diag_get_info: a listener's queues are what waits and its backlog, a FIN counts in both queues.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final, NamedTuple

from tcpsim.dumps.dump import Address, Owner, Socket, Timer
from tcpsim.host.population import Plan
from tcpsim.host.shared_history import Lives, Luck
from tcpsim.host.socket_accounting import has_read_zero
from tcpsim.pair import Machine, Pair, Side
from tcpsim.sockets.processes import FIRST_PORT, System
from tcpsim.tcp import deadlines
from tcpsim.tcp.event import PERSIST
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.state import Holder, State
from tcpsim.tcp.tcb import Tcb

HOSTS: Final = {"client": "198.51.100.7", "server": "192.0.2.10"}
_FIN_RECEIVED = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK)


class Seat(NamedTuple):
    """Where a pair's machines are: their addresses."""

    client: str = HOSTS["client"]
    server: str = HOSTS["server"]

    def of(self, side: Side) -> tuple[str, str]:
        """This side's address, and the peer's."""
        return (self.client, self.server) if side == "client" else (self.server, self.client)


HERE: Final = Seat()


def sockets(pair: Pair, side: Side, now_us: int, seat: Seat = HERE, port: int | None = None) -> list[Socket]:
    """The sockets of one side at `now_us`; `port` stands in place of the client's."""
    machine = pair.client if side == "client" else pair.server
    if not machine.up:
        return []
    here, there = seat.of(side)
    system = machine.system
    owners = _owners(system, side)
    nobody = Address("0.0.0.0", None)
    found = []
    for number, each in system.end.listeners.items():
        queues = len(each.accept_queue), each.backlog
        found.append(
            Socket(0, State.LISTEN, Address("0.0.0.0", each.port), nobody, *queues, owners.get(number, ()))
        )
    for number, tcb in system.end.sockets.items():
        if tcb.state is State.CLOSED:
            continue  # the kernel has no entry, whoever holds the descriptor
        local, remote = tcb.local_port, tcb.remote_port
        if port is not None:
            local, remote = (port, remote) if side == "client" else (local, port)
        between = Address(here, local), Address(there, remote)
        queues = _recv_q(tcb, machine), _send_q(tcb)
        shown = owners.get(number, ()), _timer(tcb, machine, now_us)
        found.append(Socket(0, tcb.state, *between, *queues, *shown))
    return found


def _owners(system: System, side: Side) -> dict[int, tuple[Owner, ...]]:
    """Who has a descriptor of each socket; a program is called what its side is."""
    found: dict[int, tuple[Owner, ...]] = {}
    for pid, table in system.tables.items():
        for fd, file_id in table.items():
            number = system.files[file_id].sid
            if number is not None:
                found[number] = (*found.get(number, ()), Owner(side, pid, fd))
    return found


def _recv_q(tcb: Tcb, machine: Machine) -> int:
    if tcb.mini:
        return 0
    fin = tcb.fin_received and tcb.state in _FIN_RECEIVED
    read = tcb.orphaned or (tcb.readable == 0 and has_read_zero(machine))
    return tcb.readable + (fin and not read)


def _send_q(tcb: Tcb) -> int:
    """What is written and not acknowledged; our SYN or FIN is one more."""
    return 0 if tcb.mini or tcb.state is State.SYN_RECEIVED else (tcb.write_seq - tcb.snd_una) & MASK


def _timer(tcb: Tcb, machine: Machine, now_us: int) -> Timer | None:
    """What the kernel shows: the retransmission timer, or else what is due first of its sk_timer."""
    running = sorted(deadlines.running(tcb), key=lambda each: each.at_us)
    kernel = {each.declared.kernel: each for each in reversed(running)}
    if tcb.mini:
        return _left("timewait", kernel["sk_timer"].at_us, now_us, 0) if "sk_timer" in kernel else None
    if "icsk_retransmit_timer" in kernel:
        timer, at_us, _ = kernel["icsk_retransmit_timer"]
        if tcb.holder(machine.system.end.stack) is Holder.REQUEST:
            return _left("on", at_us, now_us, tcb.handshake_resent)
        if timer is PERSIST:
            return _left("persist", at_us, now_us, tcb.probes_out)
        return _left("on", at_us, now_us, tcb.retransmits)
    if "sk_timer" in kernel:
        return _left("keepalive", kernel["sk_timer"].at_us, now_us, tcb.probes_out)
    return None


def _left(kind: str, at_us: int, now_us: int, fired: int) -> Timer:
    return Timer(kind, max(at_us - now_us, 0), 0, fired)


def crowd(plan: Plan, at_us: int) -> dict[Side, list[Socket]]:
    """The same of a population at a time: of its server, and of all its clients together.

    Each connection draws what it draws in the population, so this is what the census counts then, as long as
    no limit was met. Every client is a host of its own; the server has one listener and one process.
    """
    births = list(takewhile(lambda t_us: t_us <= at_us, plan.arrivals.times_us(plan.seed)))
    lives = Lives(plan.kinds, len(births), plan.room)
    found: dict[Side, list[Socket]] = {"client": [], "server": []}
    listeners: dict[int | None, Socket] = {}
    for index, born_us in enumerate(births):
        luck, age_us = Luck(plan.seed, index), at_us - born_us
        moment = lives.begin(luck)
        while moment.next_us is not None and moment.next_us <= age_us:
            moment = lives.step(moment, luck)
        seat = Seat(f"198.{18 + (index >> 16)}.{index >> 8 & 255}.{index & 255}")
        port = FIRST_PORT + index % moment.pair.client.system.end.stack.ephemeral_ports
        found["client"] += sockets(moment.pair, "client", age_us, seat, port)
        for each in sockets(moment.pair, "server", age_us, seat, port):
            if each.state is State.LISTEN:
                old = listeners.setdefault(each.local.port, each._replace(recv_q=0))
                listeners[each.local.port] = old._replace(recv_q=(old.recv_q or 0) + (each.recv_q or 0))
            else:
                found["server"].append(each._replace(owners=_renumbered(each.owners, index)))
    found["server"] += listeners.values()
    return found


def _renumbered(owners: tuple[Owner, ...] | None, index: int) -> tuple[Owner, ...]:
    """Descriptors of one process, not of one for each connection."""
    return tuple(each._replace(fd=(each.fd or 0) + index) for each in owners or ())
