"""The closed system: two machines and a path, everything that drives one connection, and what it reports."""

from tcpsim.app.program import Reboot, Vanish
from tcpsim.pair.event import (
    Arrived,
    Called,
    Duplicated,
    Event,
    Happened,
    Log,
    Lost,
    Noted,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
)
from tcpsim.pair.pair import (
    Action,
    Held,
    Machine,
    Make,
    Pair,
    Resume,
    advance,
    call,
    census,
    new_pair,
    next_time,
)
from tcpsim.path import SIDES, Side
from tcpsim.sockets import Kill

__all__ = [
    "SIDES",
    "Action",
    "Arrived",
    "Called",
    "Duplicated",
    "Event",
    "Happened",
    "Held",
    "Kill",
    "Log",
    "Lost",
    "Machine",
    "Make",
    "Noted",
    "Pair",
    "Reboot",
    "Resume",
    "Returned",
    "Sent",
    "Side",
    "StateChanged",
    "TimerFired",
    "Vanish",
    "advance",
    "call",
    "census",
    "new_pair",
    "next_time",
]
