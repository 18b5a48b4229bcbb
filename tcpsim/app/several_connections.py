"""Programs with several connections, one after the other or at once: browsers, pools and servers.

Owns: one function for each behaviour, which returns its steps. Refuses to know: how steps are run, and hosts
with thousands of connections (host). The host chooses the client port of every connection except the first.
"""

from __future__ import annotations

from itertools import chain

from tcpsim.app.behaviour import Bytes, Count, Time, client, server
from tcpsim.app.control_flow import crash, fork, leave, repeat
from tcpsim.app.program import Program, Step
from tcpsim.app.receive_steps import receive, receive_to_eof
from tcpsim.app.steps import accept, close, connect, listen, send
from tcpsim.app.wait_steps import ignore, wait

Steps = list[Step]


@client
def opens_another(request: Bytes = 100, response: Bytes = 1000, idle: Time = "10min") -> Steps:
    """Forgets its idle connection until it opens another one, and then closes both."""
    other = [send(request, "other"), receive_to_eof("other"), close("other")]
    first = [connect(), send(request), receive(response), wait(idle)]
    return [*first, connect("other", local_port=0), close(), *other]


@client
def reuses_its_port(request: Bytes = 100, response: Bytes = 1000, after: Time = "2min") -> Steps:
    """Closes first, and some time later connects again from the same port to the same server."""
    again = [connect("again", options=(("SO_REUSEADDR", 1),)), send(request, "again")]
    first = [connect(), send(request), receive(response), close(), wait(after)]
    return [*first, *again, receive(response, "again"), close("again")]


@client
def knocks(connections: Count = 3) -> Steps:
    """Opens several connections one after the other and closes them all. If one is refused, it stops
    there.
    """
    names = [f"conn {number}" for number in range(1, connections + 1)]
    return [*(connect(name, local_port=0) for name in names), *map(close, names)]


@client
def asks_at_once(connections: Count = 4, request: Bytes = 100, patience: Time = "2s") -> Steps:
    """Opens several connections at once, sends a request on each, and closes each without reading."""
    names = [f"conn {number}" for number in range(1, connections + 1)]
    return [fork(_asked(name, request, patience)) for name in names]


def _asked(name: str, request: int, patience: str | int) -> Steps:
    return [connect(name, local_port=0), send(request, name), wait(patience), close(name)]


@client
def fetches_page_afresh(request: Bytes = 100, images: Count = 10) -> Steps:
    """Fetches a page and its images one after the other, each over a new connection (HTTP/1.0)."""
    names = [f"conn {number}" for number in range(images + 1)]
    return [*chain.from_iterable(_fetched(name, request) for name in names)]


def _fetched(name: str, request: int) -> Steps:
    return [connect(name, local_port=0), send(request, name), receive_to_eof(name), close(name)]


@client
def fetches_page_persistently(request: Bytes = 100, response: Bytes = 1000, images: Count = 10) -> Steps:
    """Fetches a page and its images one after the other over one connection, and closes it."""
    return [connect(), *[send(request), receive(response)] * (images + 1), close()]


@server
def serves_in_children(request: Bytes = 100, response: Bytes = 1000, timeout: Time = "15s") -> Steps:
    """Gives each connection to a child process, which serves it until KeepAliveTimeout and closes."""
    serving = repeat([receive(request, within=timeout, late=[leave()], eof=[leave()]), send(response)])
    return [listen(), repeat([accept(), fork([serving, close(), crash()]), close()])]


@server
def serves_one_by_one(request: Bytes = 100, response: Bytes = 1000) -> Steps:
    """Accepts, answers and closes, again and again: HTTP without persistent connections."""
    return [listen(), repeat([accept(), receive(request), send(response), close()])]


@server
def forgets_every_connection(request: Bytes = 100, response: Bytes = 1000) -> Program:
    """Accepts and answers, again and again, and closes nothing: each connection costs a descriptor."""
    steps = [listen(), repeat([accept(), receive(request), send(response)])]
    return Program(steps, on_error=[ignore()])


@server
def does_not_accept(backlog: Count = 1) -> Steps:
    """Listens with a small backlog and never calls accept()."""
    return [listen(backlog=backlog), ignore()]
