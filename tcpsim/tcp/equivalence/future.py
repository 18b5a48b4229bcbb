"""The future of a connection: whether it sends, what can arrive, and which estimates are read.

Owns: conclusions from the state of both endpoints about rules that can no longer apply. A key leaves out the
values that only these rules read. Refuses to know: what a key contains, and how the caller knows the facts in
`Around`.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from tcpsim.tcp import deadlines, rto, timeouts, timer_wheel, timers, window
from tcpsim.tcp.deadlines import Bounds
from tcpsim.tcp.event import Timer
from tcpsim.tcp.right_sizing import follows
from tcpsim.tcp.seqnum import MASK, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import LOSS, RECOVERY, Tcb

MOST_OPTIONS = 40  # octets in a header
_BEHIND_OUR_FIN = frozenset({State.FIN_WAIT_2, State.TIME_WAIT})
_BEFORE_FIN_WAIT_2 = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2})


class Around(NamedTuple):
    """What a connection's future depends on besides its own end; the defaults promise nothing."""

    ours: int  # where our sequence numbers are counted from
    theirs: int  # and the peer's
    idle: bool = False  # no program will ever make a call on it again
    sends: bool = True  # a program may yet send data
    closes: bool = True  # a program may yet close it or shut it down while it lives
    tunes: bool = True  # a program may yet set a user timeout, or ask for keepalive
    complete: bool = False  # the peer has no data to send that has not arrived
    single: bool = False  # or all of it comes at once, in one segment
    known: bool = False  # the peer has heard that we have what we have
    ordered: bool = False  # nothing of the peer's is under way with an older timestamp than TS.Recent
    first: bool = True  # the timestamp of our first SYN may yet be echoed
    newer: bool = False  # nothing comes that begins before SND.WL1
    later: bool = False  # nor at it
    renews: bool = False  # no program acts until something comes, which ends at RCV.NXT or later (`renewing`)
    little: bool = False  # all that the peer has sent and ever sends is less than makes a buffer grow
    sized: bool = False  # a round trip that the peer measures by our text may be read
    heeded: bool = True  # a round trip that the peer measures by our ACKs may be read


def sizes(t: Tcb, s: Stack, around: Around) -> bool:
    """Whether the receive buffer may yet follow what the program reads.

    It needs more than `space` octets of one round trip, which are no more than the peer sends in all.
    """
    if t.right_sizing is None or around.complete or around.little or around.idle or deaf(t):
        return False
    return follows(t, s)


def grows_ahead(t: Tcb, s: Stack, around: Around) -> bool:
    """Whether it may yet grow because of what comes out of order, while nobody reads."""
    if t.right_sizing is None or around.complete or around.little or t.orphaned or deaf(t):
        return False
    return around.idle and follows(t, s)


def rest_in_one(sender: Tcb, t: Tcb) -> bool:
    """All data of `sender` that `t` does not have is in one segment, which is never cut."""
    if sender.unsent or not sender.sent:
        return False
    for record in sender.sent:
        if lt(t.rcv_nxt, record.end):
            last = (sender.write_seq - sender.close_called) & MASK
            fits = record.payload <= min(sender.snd_mss - MOST_OPTIONS, window.offered(t))
            return fits and record.seq == t.rcv_nxt and le(last, record.end)
    return False


def write_in_one(sender: Tcb, octets: int | None, t: Tcb) -> bool:
    """All that `sender` has for `t` is in one write that is yet to be made, which goes in one segment.

    Nothing is queued before it (`quiet`), so it is not held back, and the window does not shrink meanwhile.
    """
    if octets is None or not quiet(sender):
        return False
    room = min(sender.snd_mss - MOST_OPTIONS, sender.snd_space, sender.snd_wnd, window.offered(t))
    return sender.snd_nxt == t.rcv_nxt and octets <= room


def quiet(sender: Tcb) -> bool:
    """It has an open connection, on which everything that was written is acknowledged."""
    return sender.state >= State.ESTABLISHED and sender.write_seq == sender.snd_una


def renewing(sender: Tcb, t: Tcb) -> bool:
    """Nothing that `sender` will send, once or again, ends before what `t` expects next; it has no more data.

    It is past its SYN, and a record is sent again as a whole. Keepalive and persist probe with what is
    acknowledged, when nothing else is outstanding.
    """
    if sender.unsent or sender.snd_una == sender.iss:
        return False
    most = sender.snd_mss - MOST_OPTIONS
    return not any(lt(r.end, t.rcv_nxt) or r.payload > most for r in sender.sent)


def echoes_later(t: Tcb, around: Around, complete: bool) -> bool:
    """Before the next ACK, which answers something, TS.Recent is replaced by the timestamp of that.

    Nothing is sent without that: no program acts, no timer runs, and no ACK is due. What comes begins at
    Last.ACK.sent or before, and ends there or later, so it is acceptable and takes the place of TS.Recent
    (RFC 7323 4.3).
    """
    if not (around.renews and (t.fin_received or complete)):
        return False
    still = t.write_seq == t.snd_una and not t.ack_pending and t.rcv_wup == t.rcv_nxt
    return still and deadlines.next_time(t) is None


def ends_before_keepalive(t: Tcb, s: Stack, finished: bool) -> bool:
    """An orphan is over, or in a state without keepalive, before its keepalive timer can fire.

    The retransmission timer repeats its last segments a limited number of times, and starts to count again
    only where one of them is acknowledged. No wait between is longer than the largest RTO, and one more
    begins where duplicates make an episode of recovery begin (`recovery.resend_lost`).
    """
    if not (t.keep_at_us and t.slot_at_us and t.orphaned and finished and t.close_called):
        return False
    if t.slot is not Timer.RETRANSMISSION or s.loss_probe or s.rack or s.device_refuses:
        return False
    if s.retry_rule != "count" or not s.orphan_retries or s.orphan_keep_idle_us is not None or s.timer_hz:
        return False
    if s.keepalive_states & _BEHIND_OUR_FIN or any(r.payload > t.snd_mss - MOST_OPTIONS for r in t.sent):
        return False
    waits = s.orphan_retries - t.retransmits + (t.ca_state < RECOVERY)
    waits += (len(t.sent) - 1) * (s.orphan_retries + 3)  # for each of them that is acknowledged alone
    return t.keep_at_us > t.slot_at_us + waits * s.rto_max_us


def all_sent(t: Tcb, acts: bool) -> bool:
    """Everything that will ever be sent has been: our FIN, or all data where none will follow, nor a FIN.

    `acts`: a program may yet send data or close.
    """
    over = t.close_called or not acts
    return t.state >= State.ESTABLISHED and over and t.snd_nxt == t.write_seq


def prompt(t: Tcb, s: Stack, complete: bool) -> bool:
    """Every ACK from now on leaves at once, so nothing reads the pace of delayed ones.

    Only the ACK of a FIN may wait for `ato_us` (`acks.check`; `receiving._fin`): see `pace`.
    """
    if s.ack_rule != "adaptive":
        return True
    fin_at_once = s.fin_ack_now or t.state in _BEFORE_FIN_WAIT_2
    return not t.ack_pending and (deaf(t) or (complete and fin_at_once))


def deaf(t: Tcb) -> bool:
    """Neither data nor FIN can come any more."""
    return t.fin_received or t.mini


def pace(t: Tcb, s: Stack, complete: bool) -> object:
    """The pace of delayed ACKs; all that the ACK of a FIN alone reads of it is `ato_us`."""
    if prompt(t, s, complete):
        return None
    if complete and not t.ack_pending and t.ato_us == s.delayed_ack_us and t.options.quickack is not True:
        return t.ato_us
    return t.quick, t.pingpong, t.ato_us, t.last_seg_size


def paced(t: Tcb, s: Stack, complete: bool, single: bool) -> bool:
    """Whether the delay of an ACK may yet be bounded by the round-trip time or the RTO.

    ACKs of what comes out of order are compressed from the fourth on, for a share of the round-trip time. A
    FIN that comes before the one segment with all data comes twice at most, as itself and as a tail probe.
    """
    if single and hasty(t, s):
        return False
    if s.ack_rule != "adaptive" or prompt(t, s, complete):
        return False
    if deaf(t):
        return t.ato_us > s.delayed_ack_us
    return not complete or t.ack_pending > 0 or t.ato_us > s.delayed_ack_us


def hasty(t: Tcb, s: Stack) -> bool:
    """No data has come yet, and the first of all is acknowledged at once (`ato_us` begins with it)."""
    return not t.ato_us and not t.ack_pending and bool(s.quick_acks)


def measures(t: Tcb, s: Stack, around: Around) -> bool:
    """Whether anything may read a round trip that is yet to be measured."""
    if t.state == State.CLOSED:
        return False
    sent = all_sent(t, around.sends or around.closes)
    if not sent or len(t.sent) > 1 or paced(t, s, around.complete, around.single):
        return True
    floor = s.fin_wait_2_rto_floor and t.state in _BEFORE_FIN_WAIT_2 and not t.mini
    return (t.close_called and floor) or (bool(t.sent) and not _whole(t, s))


def _whole(t: Tcb, s: Stack) -> bool:
    """The one record that is outstanding is never cut, nor acknowledged in part, and RACK has none later."""
    (r,) = t.sent
    return r.payload <= t.snd_mss - MOST_OPTIONS and (not racks(t, s) or r.sent_us > t.rack_us)


def repeats(t: Tcb, s: Stack) -> bool:
    """One segment is sent again and again, by the retransmission timer, until it is acknowledged.

    It is the last that is sent. So the timer is set by its own expiries only: an ACK sets it if it
    acknowledges the segment, and then all is over, the episode of recovery too.
    """
    if len(t.sent) != 1 or t.ca_state != LOSS or t.slot is not Timer.RETRANSMISSION or s.device_refuses:
        return False
    if t.retrans_since_us is None or not t.retransmits or s.backoff:
        return False
    return t.high_seq == t.snd_nxt and (not racks(t, s) or t.sent[0].sent_us > t.rack_us)


def racks(t: Tcb, s: Stack) -> bool:
    """RACK tells which segments are lost, or may yet; otherwise nothing reads what it has heard."""
    return s.rack and (t.sack_on or t.state < State.ESTABLISHED)


def expiries_left(t: Tcb, s: Stack, orphaned: bool) -> int | None:
    """How many expiries come before the one that is too many, by the time for retries; None: all of them.

    Of a socket that `repeats`, as an orphan or not. A timer wheel makes each of them late.
    """
    assert t.slot_at_us is not None
    assert t.retrans_since_us is not None
    ahead = t.copy()
    ahead.orphaned = orphaned
    at_us = t.slot_at_us
    for expiries in count():
        budget_us = timeouts.retry_budget_us(ahead, s)
        rto_us = rto.backed_off(ahead, s)
        if budget_us is None:
            if rto_us == ahead.rto_us:
                return None
        elif at_us - t.retrans_since_us >= budget_us:
            return expiries
        ahead.rto_us = rto_us
        at_us = timer_wheel.fires_us(at_us, at_us + rto_us, s.timer_hz)
    raise AssertionError


def bounds(t: Tcb, s: Stack, acts: bool, option_us: int | None) -> Bounds:
    """What bounds the timers of this connection from now on; `acts` as in `all_sent`.

    RTO grows by back-off until the time for retries is over. It grows also by a late sample, which is at most
    as long as all these timeouts together: then RTO is less than four times the last of them.
    """
    most_us = max(t.rto_us, s.rto_max_us)
    if not all_sent(t, acts):
        return Bounds(option_us, most_us, True)
    if not t.sent:
        return Bounds(option_us, None, False)
    timed = s.retry_rule == "budget" and not s.backoff and timers.user_timeout_us(t, s) is None
    single = len(t.sent) == 1 and _whole(t, s) and t.srtt8 > 0
    if timed and single and t.orphaned and not s.device_refuses:
        ahead, waited_us = t.copy(), 0
        while (budget_us := timeouts.retry_budget_us(ahead, s)) is not None and waited_us < budget_us:
            ahead.rto_us = rto.backed_off(ahead, s)
            waited_us += ahead.rto_us
        if budget_us is not None:
            most_us = min(most_us, 4 * ahead.rto_us)
    return Bounds(option_us, most_us, False)


def least_fin_wait_2_us(t: Tcb, s: Stack, idle: bool) -> int | None:
    """The multiple of RTO that FIN-WAIT-2 lasts at least; where its limit is longer anyway, that limit."""
    if t.state != State.FIN_WAIT_2 or t.mini or not s.fin_wait_2_rto_floor:
        return None
    least_us = 4 * t.rto_us - t.rto_us // 2
    if not idle:
        return least_us
    limit_us = timers.fin_wait_2_us(t, s)
    if limit_us > s.time_wait_us:  # two stages, the second without what the first waited for
        limit_us -= s.time_wait_us
    return max(least_us, limit_us)
