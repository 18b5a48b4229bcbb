"""Other legal values of a profile's fields: what the mutation test puts in their place.

Owns: which values inside a field's domain tell something. The domain names them (`Domain.others`): a smaller
and a larger neighbour of a number, the other position of a switch, each other word, no limit. Here are those
that it cannot know: twice and half of a size, limits where none is, and lists. Each field gets the values of
RFC 9293 and of FreeBSD, too, which is what is left of it when its line is removed from a profile's file.
"""

from __future__ import annotations

from typing import Any

from tcpsim.domain import OrNone
from tcpsim.tcp.stack import STACKS, Stack, stack
from tcpsim.tcp.state import State

FIELDS = tuple(STACKS.domains)

# Sizes that are known as an order of magnitude only, or that a packet cannot tell from their neighbours
_ROUGH = {
    "max_orphans",
    "max_mini",
    "accept_queue_percent",
    "memory_pages",
    "snd_space",
    "snd_space_max",
    "rcv_space",
    "rcv_space_max",
    "paws_replay_percent",
    "scaling_ratio",
    "rcvbuf_percent",
    "sndbuf_percent",
    "wscale",
}

# Where a limit is missing, the one that is put there
_A_LIMIT = {
    "syn_again_after_reset_us": 8_000,
    "syn_options_until": 2,
    "send_lowat": 1,
    "orphan_keep_idle_us": 10_000_000,
    "snd_limit": 4_096,
}


def mutants(profile: Stack, field: str) -> list[Any]:
    """Values of the field's type that are not the profile's, each once."""
    value = getattr(profile, field)
    found = _changed(field, value)
    if field != "keepalive_states":
        found += [getattr(stack(name), field) for name in ("rfc9293", "freebsd")]
    return [other for index, other in enumerate(found) if other != value and other not in found[:index]]


def _changed(field: str, value: Any) -> list[Any]:
    domain = STACKS.domains[field]
    if field == "keepalive_states":
        # where nothing of ours is outstanding: elsewhere no stack probes, whether it names the state or not
        quiet = (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT)
        return [value ^ {state} for state in quiet]
    if field == "rtt_noise_us":
        return [-200, 200]
    if field == "skb_heads":
        return [(), (1024, 4096)]
    if field == "backoff":
        return [(), (1, 2, 4, 8), (1, 2, 4, 6, 12, 24, 48)]
    if field == "persist_weights":
        return [(), (1, 2), (2, 2), (2, 1), (4, 8)]
    if field == "icmp_hard":
        more = [(*value, name) for name in ("source_route_failed",) if name not in value]
        return [value[1:], *more]
    if field == "layout_syn":
        return [value[::-1]]
    if value is None:
        return [_A_LIMIT.get(field, 5_000_000 if field.endswith("_us") else 3)]
    if field == "timer_hz":
        return [250]
    if field in _ROUGH and value:
        return [*([None] if isinstance(domain, OrNone) else []), value // 2, min(2 * value, _most(field))]
    return domain.others(value)


def _most(field: str) -> int:
    """The largest number in a field's domain."""
    domain = STACKS.domains[field]
    found: int = (domain.inner if isinstance(domain, OrNone) else domain).most  # type: ignore[attr-defined]
    return found
