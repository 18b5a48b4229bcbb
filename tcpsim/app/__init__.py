"""Programs: behaviours as small immutable state machines that make socket calls.

Owns: the steps, the programs made of them, and the named behaviours. Refuses to know: what a call does, when
the clock moves, and who decides a choice.
"""

from tcpsim.app import clients, driven, relays, servers, several_connections
from tcpsim.app.behaviour import Behaviour, behaviours, find, make
from tcpsim.app.control_flow import (
    choose,
    crash,
    fork,
    kill_others,
    leave,
    reboot,
    repeat,
    vanish,
)
from tcpsim.app.operator import comes_once, kill_sockets
from tcpsim.app.program import Program, Running, Step
from tcpsim.app.receive_steps import peek, receive, receive_to_eof
from tcpsim.app.step_words import parse_steps
from tcpsim.app.steps import (
    abort,
    accept,
    close,
    connect,
    listen,
    send,
    set_option,
    shutdown,
)
from tcpsim.app.wait_steps import ignore, pause, poll_for_eof, until_it_fails, wait, wait_if_any, wait_until

__all__ = [
    "Behaviour",
    "Program",
    "Running",
    "Step",
    "abort",
    "accept",
    "behaviours",
    "choose",
    "clients",
    "close",
    "comes_once",
    "connect",
    "crash",
    "driven",
    "find",
    "fork",
    "ignore",
    "kill_others",
    "kill_sockets",
    "leave",
    "listen",
    "make",
    "parse_steps",
    "pause",
    "peek",
    "poll_for_eof",
    "reboot",
    "receive",
    "receive_to_eof",
    "relays",
    "repeat",
    "send",
    "servers",
    "set_option",
    "several_connections",
    "shutdown",
    "until_it_fails",
    "vanish",
    "wait",
    "wait_if_any",
    "wait_until",
]
