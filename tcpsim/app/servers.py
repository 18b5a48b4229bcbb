"""The behaviours of servers. They decide how a connection ends on the side that accepted it.

Owns: one function for each behaviour, which returns its steps. Refuses to know: how steps are run.

Sources: Apache httpd's KeepAliveTimeout and lingering_close() (2 s between reads, 30 s in all:
http_main.c of 1.3, MAX_SECS_TO_LINGER), as described in its page on FIN_WAIT_2.
"""

from __future__ import annotations

from tcpsim.app.behaviour import Bytes, Count, Delay, Seconds, Time, server
from tcpsim.app.control_flow import fork, leave, repeat, vanish
from tcpsim.app.program import Program, Step
from tcpsim.app.receive_steps import receive, receive_to_eof
from tcpsim.app.steps import accept, close, keepalive, listen, send, set_option, shutdown
from tcpsim.app.wait_steps import ignore, wait, wait_if_any, wait_until

Steps = list[Step]


@server
def responds_then_closes(
    request: Bytes = 100, think: Delay = "0s", response: Bytes = 1000, delay: Delay = "0s"
) -> Steps:
    """Reads the request, answers, and closes after a delay: HTTP without persistent connections."""
    answering = [receive(request), *wait_if_any(think), send(response)]
    return [listen(), accept(), *answering, *wait_if_any(delay), close()]


@server
def closes_first(request: Bytes = 100, delay: Delay = "300ms") -> Steps:
    """Reads the request and closes some time later without an answer."""
    return [listen(), accept(), receive(request), wait(delay), close()]


@server
def closes_at(request: Bytes = 100, response: Bytes = 1000, at: Time = "300ms") -> Steps:
    """Answers, and closes at a given time on the clock of the connection."""
    return [listen(), accept(), receive(request), send(response), wait_until(at), close()]


@server
def keep_alive_timeout(
    request: Bytes = 100, think: Delay = "0s", response: Bytes = 1000, timeout: Time = "15s"
) -> Steps:
    """Answers requests until none has come for KeepAliveTimeout, and then closes first."""
    asked = receive(request, within=timeout, late=[leave()], eof=[leave()])
    return [listen(), accept(), repeat([asked, *wait_if_any(think), send(response)]), close()]


@server
def httpd(
    request: Bytes = 100,
    response: Bytes = 1000,
    timeout: Time = "15s",
    requests: Count = 100,
    between: Time = "2s",
    within: Time = "30s",
) -> Steps:
    """Answers up to MaxKeepAliveRequests, waits KeepAliveTimeout for each, and ends with
    lingering_close().
    """
    serving = [receive(request, within=timeout, late=[leave()], eof=[leave()]), send(response)]
    linger = [shutdown("WR"), receive_to_eof(between=between, within=within)]
    return [listen(), accept(), repeat([*serving * requests, leave()]), *linger, close()]


@server
def drains(request: Bytes = 100, response: Bytes = 1000, between: Time = "2s", within: Time = "30s") -> Steps:
    """Answers, half-closes, reads on for a while and then closes: Apache's lingering_close()."""
    linger = receive_to_eof(between=between, within=within)
    return [listen(), accept(), receive(request), send(response), shutdown("WR"), linger, close()]


@server
def half_closes(request: Bytes = 100, response: Bytes = 1000) -> Steps:
    """Answers, half-closes, and waits for the client's FIN without a limit."""
    return [listen(), accept(), receive(request), send(response), shutdown("WR"), receive_to_eof(), close()]


@server
def closes_on_eof(request: Bytes = 100, response: Bytes = 1000, delay: Delay = "0s") -> Steps:
    """Answers, waits until the client closes, and closes after it."""
    answering = [receive(request), send(response), receive_to_eof()]
    return [listen(), accept(), *answering, *wait_if_any(delay), close()]


@server
def never_closes(request: Bytes = 100, response: Bytes = 1000) -> Program:
    """Answers, and forgets the connection: the leak on the server."""
    steps = [listen(), accept(), receive(request), send(response), ignore()]
    return Program(steps, on_error=[ignore()])


@server
def leaves_unread(reads: Bytes = 50, response: Bytes = 1000, delay: Delay = "100ms") -> Steps:
    """Reads only part of what was sent, answers and closes. Because of the unread data its kernel sends a
    RST.
    """
    return [listen(), accept(), receive(reads), send(response), wait(delay), close()]


@server
def child_holds_on(request: Bytes = 100, response: Bytes = 1000) -> Steps:
    """Closes after the response, but a child has inherited the descriptor, so nothing is sent."""
    return [listen(), accept(), fork([ignore()]), receive(request), send(response), close()]


@server
def greets(greeting: Bytes = 108, request: Bytes = 100, timeout: Time = "1min") -> Steps:
    """Speaks first, as a database does, and closes if no request comes in time."""
    waiting = receive(request, within=timeout, late=[], eof=[])
    return [listen(), accept(), send(greeting), waiting, close()]


@server
def errs_in_the_middle(
    request: Bytes = 100, response: Bytes = 1000, error: Bytes = 300, delay: Delay = "100ms"
) -> Steps:
    """Answers the first request, refuses the second, and closes although there are more."""
    good, bad = [receive(request), send(response)], [receive(request), send(error)]
    return [listen(), accept(), *good, *bad, wait(delay), close()]


@server
def lingers(request: Bytes = 100, response: Bytes = 1000, linger: Seconds = "30s") -> Steps:
    """Answers and closes with SO_LINGER: close() waits until the response is acknowledged, but not longer
    than this.
    """
    option = set_option("SO_LINGER", (1, int(linger) // 1_000_000))
    return [listen(), accept(), option, receive(request), send(response), close()]


@server
def keepalive_half_closes(
    request: Bytes = 100,
    response: Bytes = 1000,
    idle: Seconds = "2h",
    interval: Seconds = "75s",
    count: Count = 9,
) -> Steps:
    """Answers, half-closes, and waits for the client's FIN with SO_KEEPALIVE set."""
    options = keepalive(idle, interval, count)
    answering = [receive(request), send(response), shutdown("WR"), receive_to_eof()]
    return [listen(), accept(), *options, *answering, close()]


@server
def closes_and_vanishes(request: Bytes = 100, response: Bytes = 1000, after: Delay = "1s") -> Steps:
    """Answers and closes; some time later its machine is gone, as one that is scaled down."""
    return [listen(), accept(), receive(request), send(response), close(), wait(after), vanish()]


@server
def sends_once_more(
    request: Bytes = 100, response: Bytes = 1000, after: Time = "10min", more: Bytes = 10
) -> Steps:
    """Answers, sends a few bytes more after a while, and waits until the client closes."""
    answering = [receive(request), send(response), wait(after), send(more), receive_to_eof()]
    return [listen(), accept(), *answering, close()]


@server
def only_reads(delay: Delay = "0s") -> Steps:
    """Reads to end-of-file without ever answering, then closes."""
    return [listen(), accept(), receive_to_eof(), *wait_if_any(delay), close()]


@server
def answers_at_eof(response: Bytes = 1000) -> Steps:
    """Reads the request to end-of-file, answers and closes: a request that ends with a half-close."""
    return [listen(), accept(), receive_to_eof(), send(response), close()]


@server
def answers_until_eof(request: Bytes = 100, response: Bytes = 1000) -> Steps:
    """Answers every request without an idle timeout of its own, and closes when the client has closed."""
    asked = receive(request, eof=[leave()])
    return [listen(), accept(), repeat([asked, send(response)]), close()]
