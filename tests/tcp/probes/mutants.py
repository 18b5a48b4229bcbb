"""Other legal values of a profile's fields: what the mutation test puts in their place.

Owns: the words that a field of words may hold, and how a number, a list or a set is changed. A number gets a
smaller and a larger neighbour (twice and half where it is a time or a size), a switch the other position, a
word each other word, a limit that may be missing is removed; and each field gets the values of RFC 9293 and
of FreeBSD, which is also what is left of it when its line is removed from a profile's file.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tcpsim.tcp.stack import Memory, Stack, stack
from tcpsim.tcp.state import State

FIELDS = tuple(field.name for field in fields(Stack) if field.name != "name")
TYPES = {field.name: str(field.type) for field in fields(Stack)}

WORDS: dict[str, tuple[str, ...]] = {
    "embryo_checks": ("full", "request", "syncache"),
    "accept_overflow": ("drop", "reset", "forget"),
    "syn_meets_full_queue": ("drop", "answer"),
    "ecn": ("never", "answers", "offers"),
    "after_idle": ("keep", "restart", "halve"),
    "rto_rule": ("floor", "variance"),
    "retry_rule": ("count", "budget"),
    "user_timeout_rule": ("timer", "checked"),
    "persist_probe": ("window", "old"),
    "ack_rule": ("second", "alternate", "adaptive"),
    "rst_on_data_after_close": ("orphan", "cannot-receive", "never", "anywhere"),
    "fin_wait_2_on_fin_acked": ("never", "orphan", "cannot-receive", "always"),
    "fin_wait_2_error": ("ETIMEDOUT", "ECONNRESET"),
    "time_wait_checks": ("full", "short", "resets-syn"),
    "time_wait_yields": ("listens", "always"),
    "send_unconnected_error": ("EPIPE", "ENOTCONN"),
    "least_ack": ("window", "octets", "acknowledged"),
    "duplicate_ack": ("window", "update"),
    "timestamp_taken": ("first", "ack"),
    "syn_reset_answer": ("segment", "active"),
    "syn_fin": ("drop", "accept", "drop-anywhere"),
    "syn_ack_at_listener": ("reset", "drop"),
    "mss_told": ("effective", "agreed"),
    "destroy_rule": ("abort", "drop"),
    "syn_text": ("process", "queue", "discard"),
    "window_rule": ("segments", "free"),
    "reset_syn_received_error": ("ECONNREFUSED", "ECONNRESET"),
    "window_checked": ("offered", "room"),
    "right_edge": ("outside", "inside", "no-rst"),
    "window_overrun": ("trim", "if-empty"),
    "reset_close_wait_error": ("ECONNRESET", "EPIPE"),
    "window_rounding": ("up", "down"),
    "layout_pads": ("linux", "bsd"),
    "nagle": ("rfc", "bsd", "minshall"),
    "icmp_hard_while": ("any", "opening", "syn-sent"),
    "icmp_errnos": ("linux", "bsd"),
    "keep_idle_from": ("heard", "now"),
    "ticks_begin": ("early", "middle", "late"),
    "control_seq": ("next", "window"),
    "push_rule": ("write", "buffer", "queue"),
    "out_of_memory": ("refuse", "reset", "crash"),
}

# Sizes that are known as an order of magnitude only, or that a packet cannot tell from their neighbours
_ROUGH = {
    "max_orphans",
    "max_mini",
    "accept_queue_percent",
    "memory_pages",
    "snd_space",
    "rcv_space",
    "rcv_space_max",
    "paws_replay_percent",
    "scaling_ratio",
    "rcvbuf_percent",
    "sndbuf_percent",
    "rto_tick_us",
    "wscale",
}

# Where a limit is missing, the one that is put there
_A_LIMIT = {
    "syn_again_after_reset_us": 8_000,
    "syn_options_until": 2,
    "send_lowat": 1,
    "orphan_keep_idle_us": 10_000_000,
}


def mutants(profile: Stack, field: str) -> list[Any]:
    """Values of the field's type that are not the profile's, each once."""
    value = getattr(profile, field)
    found = _changed(field, value)
    if field != "keepalive_states":
        found += [getattr(stack(name), field) for name in ("rfc9293", "freebsd")]
    return [other for index, other in enumerate(found) if other != value and other not in found[:index]]


def _changed(field: str, value: Any) -> list[Any]:
    if field in WORDS:
        return list(WORDS[field])
    if isinstance(value, bool):
        return [not value]
    if field == "memory":
        return [value._replace(**{name: getattr(value, name) + 1}) for name in Memory._fields]
    if field == "keepalive_states":
        # where nothing of ours is outstanding: elsewhere no stack probes, whether it names the state or not
        quiet = (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT)
        return [value ^ {state} for state in quiet]
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
    numbers = _numbers(field, value)
    return [None, *numbers] if "None" in TYPES[field] else numbers


def _numbers(field: str, value: int) -> list[int]:
    if value == 0:
        return [1 if not field.endswith("_us") else 200_000, *([250] if field == "timer_hz" else [])]
    if field.endswith("_us") or field in _ROUGH:
        return [value // 2, 2 * value]
    return [value - 1, value + 1]
