"""The profile of a NAT or a stateful firewall, as data.

Owns: the fields of a profile, with the domain of each, and where the profiles are (middleboxes.toml). Refuses
to know: flows (flow_table), the states of one (conntrack), and how a profile is read (profile).

Middleboxes differ in three things: how long they remember a flow in each state, how many flows they hold, and
what they do with a segment of an unknown flow. Translation of addresses is no field, because neither endpoint
here can see it. A NAT that gives a forgotten flow another port behaves like a middlebox that answers its
client with a RST (docs/middleboxes.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from tcpsim.domain import Duration, Whole, check
from tcpsim.errors import unknown
from tcpsim.path.conntrack import Tracked
from tcpsim.profile import Knob, Profiles, toml

Time = Annotated[int, Duration()]  # 0: the flow is forgotten at once
MOST_FLOWS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Middlebox:
    """A profile. Times are of silence: each segment of a flow starts them anew."""

    name: str
    role: Literal["firewall", "NAT", "balancer", "proxy"]  # what a ladder calls it
    begins: Literal["client", "both"]  # whose segment may begin a flow
    loose: bool  # a segment from the middle of a connection may begin one, not only a SYN
    answers: Literal["nobody", "client", "both"]  # who gets a RST for a segment of no known flow
    passes_ignored: bool  # what fits nowhere, but may be right where the tracker is wrong, goes through
    syn_sent_us: Time
    syn_recv_us: Time
    established_us: Time
    fin_wait_us: Time
    close_wait_us: Time
    last_ack_us: Time
    time_wait_us: Time
    close_us: Time
    unacknowledged_us: Time | None  # at most so long while what either side sent is not acknowledged
    max_retrans_us: Time | None  # at most so long after this many repetitions of one acknowledgement
    max_retrans: Annotated[int, Whole(1, 255)]
    flows: Annotated[int, Whole(0, MOST_FLOWS)] | None  # so many at once, then it drops what would begin one

    def __post_init__(self) -> None:
        check(self)

    def limit_us(self, state: Tracked) -> int:
        """How long a silent flow is remembered in a state."""
        if state is Tracked.SYN_SENT2:
            return self.syn_sent_us
        found: int = getattr(self, f"{state.value.lower()}_us")
        return found

    def with_knobs(self, knobs: Mapping[str, Any]) -> Middlebox:
        """This box with knobs turned, by field (`close_wait_us`, or short `close_wait`) or its own name.

        Raises:
            InputError: an unknown knob, or a value that it does not take.
        """
        return MIDDLEBOXES.turned(self, knobs, "knob middlebox.")


@cache
def _tables() -> dict[str, Any]:
    return toml(Path(__file__).with_name("middleboxes.toml"))


def middleboxes() -> tuple[str, ...]:
    """The names of the profiles there are."""
    return tuple(_tables())


MIDDLEBOXES: Profiles[Middlebox] = Profiles(
    Middlebox, "middlebox", middleboxes, lambda name: _tables()[name], lambda name: f"middleboxes.toml {name}"
)
FIELDS = tuple(MIDDLEBOXES.domains)


def middlebox(name: str, where: str = "middlebox") -> Middlebox:
    """The profile called `name`.

    Raises:
        InputError: there is none.
    """
    if name not in middleboxes():
        raise unknown(where, name, ["none", *middleboxes()])
    return MIDDLEBOXES.profile(name)


def sources(name: str) -> tuple[Knob, ...]:
    """Where each value of a profile comes from, and what its owner calls it, in the order of the fields."""
    return MIDDLEBOXES.knobs(name)
