"""tcp_info as a script's assertions read it, from the endpoint's TCB.

Owns: the field of the TCB for each ``tcpi_*``, in the unit of the API, and the constants. Refuses to know:
the language of the assertions (assertions). A field that is not here is never guessed: the script is
UNSUPPORTED, and the reason names the field.

Sources: Linux include/uapi/linux/tcp.h, net/ipv4/tcp.c tcp_get_info(); FreeBSD sys/netinet/tcp.h.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim.conformance.packetdrill.dialect import Dialect
from tcpsim.tcp import write_queue
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State, parse_state
from tcpsim.tcp.tcb import Tcb

_OPENING = (State.SYN_SENT, State.SYN_RECEIVED)

CONSTANTS = {
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCP_CA_Open": 0,
    "TCP_CA_Disorder": 1,
    "TCP_CA_CWR": 2,
    "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
}
# Linux counts congestion states with CWR, which the endpoint (no ECN) never enters
_CA_STATES = (0, 1, 3, 4)


def _options(tcb: Tcb, stack: Stack) -> int:
    return tcb.ts_on * 1 | tcb.sack_on * 2 | tcb.wscale_on * 4 | tcb.ecn_on * 8


def _bytes_received(tcb: Tcb, stack: Stack) -> int:
    if tcb.state in (State.CLOSED, *_OPENING) and not tcb.irs:
        return 0
    return (tcb.rcv_nxt - tcb.irs - 1 - tcb.fin_received) & MASK


_FIELDS: dict[str, Callable[[Tcb, Stack], int]] = {
    "tcpi_ca_state": lambda tcb, stack: _CA_STATES[tcb.ca_state],
    "tcpi_retransmits": lambda tcb, stack: tcb.retransmits,
    "tcpi_probes": lambda tcb, stack: tcb.probes_out,
    "tcpi_backoff": lambda tcb, stack: tcb.backoff,
    "tcpi_options": _options,
    "tcpi_snd_wscale": lambda tcb, stack: tcb.snd_wscale,
    "tcpi_rcv_wscale": lambda tcb, stack: tcb.rcv_wscale if tcb.wscale_on else 0,
    "tcpi_rto": lambda tcb, stack: tcb.rto_us,
    "tcpi_ato": lambda tcb, stack: tcb.ato_us,
    "tcpi_snd_mss": lambda tcb, stack: tcb.told_mss(stack),
    "tcpi_rcv_mss": lambda tcb, stack: tcb.rcv_mss,
    "tcpi_unacked": lambda tcb, stack: len(tcb.sent),
    "tcpi_sacked": lambda tcb, stack: sum(record.sacked for record in tcb.sent),
    "tcpi_lost": lambda tcb, stack: sum(record.lost for record in tcb.sent),
    "tcpi_rtt": lambda tcb, stack: tcb.srtt8 >> 3,
    "tcpi_rttvar": lambda tcb, stack: tcb.mdev4 >> 2,
    "tcpi_min_rtt": lambda tcb, stack: MASK if tcb.min_rtt_us is None else tcb.min_rtt_us,
    "tcpi_snd_ssthresh": lambda tcb, stack: tcb.ssthresh,
    "tcpi_snd_cwnd": lambda tcb, stack: tcb.cwnd,
    "tcpi_advmss": lambda tcb, stack: tcb.adv_mss,
    "tcpi_rcv_ssthresh": lambda tcb, stack: tcb.rcv_ssthresh,
    "tcpi_reordering": lambda tcb, stack: stack.dupthresh,
    "tcpi_snd_wnd": lambda tcb, stack: tcb.snd_wnd,
    "tcpi_rcv_wnd": lambda tcb, stack: tcb.rcv_wnd,
    "tcpi_bytes_received": _bytes_received,
    "tcpi_bytes_acked": lambda tcb, stack: max(((tcb.snd_una - tcb.iss) & MASK) - 1 - tcb.fin_acked, 0),
    "tcpi_notsent_bytes": lambda tcb, stack: write_queue.octets(tcb.unsent),
}


def field(name: str, tcb: Tcb, stack: Stack, dialect: Dialect) -> int | None:
    """The value of a ``tcpi_*`` field; None where the endpoint has no such thing."""
    if name == "tcpi_state":
        state = tcb.state
        if state is State.TIME_WAIT and dialect.time_wait_is_closed:
            state = State.CLOSED
        return dialect.tcpi_state[state]
    rule = _FIELDS.get(name)
    return None if rule is None else rule(tcb, stack)


def constant(name: str, dialect: Dialect) -> int | None:
    """A constant by name: ``TCPI_ESTABLISHED``, ``TCP_CLOSE_WAIT``, ``TCPI_OPT_SACK``."""
    if name in CONSTANTS:
        return CONSTANTS[name]
    if not name.startswith(("TCPI_", "TCPS_", "TCP_")):
        return None
    try:
        return dialect.tcpi_state.get(parse_state(name))
    except ValueError:
        return None
