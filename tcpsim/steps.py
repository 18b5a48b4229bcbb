"""The steps of a program, for `tcpsim.Program`.

A program is a list of steps. Its system calls block, as in a real program:

    >>> import tcpsim
    >>> from tcpsim.steps import close, connect, receive_to_eof, send, wait
    >>> slow = tcpsim.Program([connect(), send(100), receive_to_eof(), wait("5min"), close()], name="slow")
    >>> tcpsim.run("normal-close", client=slow).permanent
    False

A client starts with `connect`, and a server starts with `listen` and `accept`. `close`, `shutdown` and
`abort` end a connection. `ignore` leaves the socket open for ever. A time is a text with a unit or an integer
of microseconds. `parse_steps(["connect", "send 100", "close"])` reads steps from texts.

Owns: nothing. The steps are in `tcpsim.app`, and this module is where a user finds them.
"""

from tcpsim.app import (
    abort,
    accept,
    choose,
    close,
    connect,
    crash,
    fork,
    ignore,
    kill_sockets,
    leave,
    listen,
    parse_steps,
    pause,
    peek,
    poll_for_eof,
    reboot,
    receive,
    receive_to_eof,
    repeat,
    send,
    set_option,
    shutdown,
    until_it_fails,
    vanish,
    wait,
    wait_if_any,
    wait_until,
)

__all__ = [
    "abort",
    "accept",
    "choose",
    "close",
    "connect",
    "crash",
    "fork",
    "ignore",
    "kill_sockets",
    "leave",
    "listen",
    "parse_steps",
    "pause",
    "peek",
    "poll_for_eof",
    "reboot",
    "receive",
    "receive_to_eof",
    "repeat",
    "send",
    "set_option",
    "shutdown",
    "until_it_fails",
    "vanish",
    "wait",
    "wait_if_any",
    "wait_until",
]
