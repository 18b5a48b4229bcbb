"""The behaviours of clients. They decide how a connection ends on the side that opened it.

Owns: one function for each behaviour, which returns its steps. Refuses to know: how steps are run.

A client sends a request and gets a response. Behaviours differ in what they do at end-of-file, which the
kernel can only offer: "the classic read return of zero" (Rick Jones, openstack list, 2013).
"""

from __future__ import annotations

from tcpsim.app.behaviour import Bytes, Count, Delay, Probability, Seconds, Time, client
from tcpsim.app.control_flow import choose, crash, fork, reboot, repeat, vanish
from tcpsim.app.program import Program, Step
from tcpsim.app.receive_steps import peek, receive, receive_to_eof
from tcpsim.app.steps import abort, accept, close, connect, keepalive, listen, send, shutdown
from tcpsim.app.wait_steps import ignore, poll_for_eof, until_it_fails, wait, wait_if_any, wait_until
from tcpsim.units import parse_duration

Steps = list[Step]


@client
def closes_on_eof(request: Bytes = 100, think: Delay = "0s", delay: Delay = "50ms") -> Steps:
    """Reads to end-of-file and closes after a delay: the client as it should be."""
    return [connect(), *wait_if_any(think), send(request), receive_to_eof(), wait(delay), close()]


@client
def never_closes(request: Bytes = 100, think: Delay = "0s") -> Program:
    """Reads to end-of-file and forgets the socket, also after an error: the leak."""
    steps = [connect(), *wait_if_any(think), send(request), receive_to_eof(), ignore()]
    return Program(steps, on_error=[ignore()])


@client
def sometimes_forgets(
    request: Bytes = 100, think: Delay = "0s", delay: Delay = "50ms", never: Probability = 0.1
) -> Steps:
    """Closes on end-of-file after a delay, but with some probability never closes."""
    ends = choose([(1 - never, [wait(delay), close()]), (never, [ignore()])], "never closes")
    return [connect(), *wait_if_any(think), send(request), receive_to_eof(), ends]


@client
def closes_with_next_work(request: Bytes = 100, response: Bytes = 1000, idle: Delay = "10min") -> Steps:
    """Looks at its idle connection only when it next has work. Then it finds end-of-file and closes."""
    return [connect(), send(request), receive(response), wait(idle), receive_to_eof(), close()]


@client
def asks_again(request: Bytes = 100, response: Bytes = 1000, idle: Delay = "10min") -> Steps:
    """Keeps the connection as a pool does, sends a second request on it after a while, and then closes."""
    asking = [send(request), receive(response)]
    return [connect(), *asking, wait(idle), *asking, close()]


@client
def peeks_before_reuse(request: Bytes = 100, response: Bytes = 1000, idle: Delay = "10min") -> Steps:
    """Asks with MSG_PEEK, before it uses its connection again, whether the server has closed: a pool."""
    asking = [send(request), receive(response)]
    anew = [close(), connect(local_port=0)]
    return [connect(), *asking, wait(idle), peek(anew), *asking, close()]


@client
def polls_its_socket(request: Bytes = 100, response: Bytes = 1000, every: Time = "5s") -> Steps:
    """Keeps the connection, looks every few seconds whether the server has closed, and then closes too."""
    return [connect(), send(request), receive(response), poll_for_eof(every), close()]


@client
def half_closes(request: Bytes = 100) -> Steps:
    """Half-closes after its request, reads to end-of-file and closes."""
    return [connect(), send(request), shutdown("WR"), receive_to_eof(), close()]


@client
def keeps_sending(request: Bytes = 100, block: Bytes = 500, blocks: Count = 10, every: Time = "1s") -> Steps:
    """Reads to end-of-file, goes on sending as a simplex connection allows, and then closes."""
    sending = [wait(every), send(block)] * blocks
    return [connect(), send(request), receive_to_eof(), *sending, close()]


@client
def sends_once_more(
    request: Bytes = 100, response: Bytes = 1000, after: Delay = "5s", more: Bytes = 50
) -> Program:
    """Never closes, but sends once more on the idle connection."""
    steps = [connect(), send(request), receive(response), wait(after), send(more), ignore()]
    return Program(steps, on_error=[ignore()])


@client
def keepalive_never_closes(
    request: Bytes = 100, idle: Seconds = "2h", interval: Seconds = "75s", count: Count = 9
) -> Program:
    """Never closes, but has set SO_KEEPALIVE."""
    options = keepalive(idle, interval, count)
    return Program(
        [connect(), *options, send(request), receive_to_eof(), ignore()],
        on_error=[ignore()],
    )


@client
def closes_first(request: Bytes = 100, response: Bytes = 1000, delay: Delay = "0s") -> Steps:
    """Closes when it has its response, before the server does."""
    return [connect(), send(request), receive(response), *wait_if_any(delay), close()]


@client
def closes_at(request: Bytes = 100, response: Bytes = 1000, at: Time = "300ms") -> Steps:
    """Reads its response and closes at a given time on the clock of the connection."""
    return [connect(), send(request), receive(response), wait_until(at), close()]


@client
def aborts(request: Bytes = 100, response: Bytes = 1000, delay: Delay = "0s") -> Steps:
    """Reads its response and closes with SO_LINGER {1, 0}: it sends a RST and keeps no TIME-WAIT."""
    return [connect(), send(request), receive(response), *wait_if_any(delay), abort()]


@client
def vanishes(request: Bytes = 100, response: Bytes = 1000, after: Delay = "1s") -> Steps:
    """Loses power or its line some time after the response."""
    return [connect(), send(request), receive(response), wait(after), vanish()]


@client
def crashes(request: Bytes = 100, response: Bytes = 1000, after: Delay = "1s") -> Steps:
    """Its process dies some time after the response, and its kernel closes its sockets."""
    return [connect(), send(request), receive(response), wait(after), crash()]


@client
def reboots(request: Bytes = 100, response: Bytes = 1000, after: Delay = "1s", down: Time = "20s") -> Steps:
    """Its machine restarts some time after the response. It forgets everything and answers old segments
    with a RST.
    """
    return [connect(), send(request), receive(response), wait(after), reboot(down)]


@client
def reboots_and_reconnects(
    request: Bytes = 100, response: Bytes = 1000, after: Delay = "1s", down: Time = "20s"
) -> Steps:
    """Its machine restarts some time after the response, and a new process connects from the same port."""
    asking = [connect(), send(request), receive(response)]
    return [*asking, wait(after), reboot(down), *asking, close()]


@client
def passes_its_port_on(
    request: Bytes = 100, response: Bytes = 1000, after: Delay = "10s", hosts: Count = 1
) -> Steps:
    """Closes, and later another host behind the same NAT connects from the same port. Its numbers are newer,
    or, if the port has gone through two hosts, older.
    """
    asking = [connect(), send(request), receive(response), receive_to_eof(), close()]
    return [*asking, wait(after), *[reboot(0)] * hosts, *asking]


@client
def reboots_while_connecting(after: Delay = "500ms", down: Time = "1s") -> Steps:
    """Its machine restarts before connect() has returned. A new process then listens on the same port."""
    again = [wait(after), reboot(down), listen(port=40_000), accept(), receive_to_eof(), close()]
    return [fork(again), connect(), close()]


@client
def reads_on_after_an_error(
    request: Bytes = 100, body: Bytes = 50, every: Time = "2s", patience: Delay = "0s"
) -> Program:
    """Sends again and again until send() fails, then reads what the server has sent before, and closes."""
    sending = until_it_fails([send(body)], every)
    return Program([connect(), *wait_if_any(patience), send(request), sending, receive_to_eof(), close()])


@client
def leaks_until_killed(request: Bytes = 100, lives: Delay = "10min") -> Steps:
    """Reads to end-of-file and forgets the socket. Later its process is killed, which closes the socket."""
    return [connect(), send(request), receive_to_eof(), wait(lives), crash()]


@client
def loses_its_reference(timeout: Time = "500ms", request: Bytes = 100) -> Program:
    """Gives up waiting for connect() and forgets the socket, while its kernel goes on connecting."""
    patience = (("SO_SNDTIMEO", parse_duration(timeout)),)
    steps = [connect(options=patience), send(request), receive_to_eof(), close()]
    return Program(steps, on_error=[ignore()])


@client
def lost_until_killed(timeout: Time = "500ms", lives: Delay = "10min") -> Program:
    """Gives up waiting for connect() and forgets the socket. Later its process is killed."""
    patience = (("SO_SNDTIMEO", parse_duration(timeout)),)
    return Program([connect(options=patience), close()], on_error=[wait(lives), crash()])


@client
def stops_reading(request: Bytes = 100) -> Steps:
    """Asks for something and never reads it, so its receive buffer fills and its window closes."""
    return [connect(), send(request), ignore()]


@client
def posts(request: Bytes = 200, body: Bytes = 4000, busy: Delay = "200ms") -> Steps:
    """Sends a request with a body, does something else for a moment, and then reads the response."""
    return [connect(), send(request), send(body), wait(busy), receive_to_eof(), close()]


@client
def pipelines(request: Bytes = 100, requests: Count = 3, busy: Delay = "200ms") -> Steps:
    """Sends several requests at once, does something else for a moment, and then reads the responses."""
    return [connect(), *[send(request)] * requests, wait(busy), receive_to_eof(), close()]


@client
def connects_and_closes(delay: Delay = "0s") -> Steps:
    """Connects and closes without a word, as a health check does."""
    return [connect(), *wait_if_any(delay), close()]


@client
def connects_and_aborts(delay: Delay = "0s") -> Steps:
    """Connects and closes with a RST without a word, as some health checks do."""
    return [connect(), *wait_if_any(delay), abort()]


@client
def gives_up(request: Bytes = 100, patience: Delay = "2s") -> Steps:
    """Sends a request, waits a while without reading, and closes."""
    return [connect(), send(request), wait(patience), close()]


@client
def closes_and_vanishes(request: Bytes = 100, response: Bytes = 1000, after: Delay = "5ms") -> Steps:
    """Closes after the response, and loses its line before the server has closed too."""
    return [connect(), send(request), receive(response), close(), wait(after), vanish()]


@client
def half_closes_unread(request: Bytes = 100, after: Delay = "1s") -> Steps:
    """Asks for something, never reads it, and half-closes."""
    return [connect(), send(request), wait(after), shutdown("WR"), ignore()]


@client
def heartbeats(beat: Bytes = 50, every: Time = "30s") -> Steps:
    """Sends a few bytes at regular intervals for ever, and expects no answer; closes when a send fails."""
    return [connect(), repeat([send(beat), wait(every)])]
