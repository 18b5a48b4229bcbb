"""The closed system: two machines and a path, everything that drives one connection, and what it reports."""

from tcpsim.app.program import Reboot, Vanish
from tcpsim.pair.action import Action, Befall, Inject, Make, Oversleep, PutOff, Resume
from tcpsim.pair.event import (
    Answered,
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
from tcpsim.pair.instant import advance, call
from tcpsim.pair.pair import FIRST_PID, Held, Machine, Pair, census, lose, new_pair, next_time, numbered
from tcpsim.path import SIDES, Side
from tcpsim.sockets import Kill

__all__ = [
    "FIRST_PID",
    "SIDES",
    "Action",
    "Answered",
    "Arrived",
    "Befall",
    "Called",
    "Duplicated",
    "Event",
    "Happened",
    "Held",
    "Inject",
    "Kill",
    "Log",
    "Lost",
    "Machine",
    "Make",
    "Noted",
    "Oversleep",
    "Pair",
    "PutOff",
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
    "lose",
    "new_pair",
    "next_time",
    "numbered",
]
