"""The requests of a client: which were answered, and which were lost or cut short.

Owns: what a request is, seen from the calls of the client's programs, and whether anything came back. Refuses
to know: what a request means to the server, and sockets that are left.

A request is what a program sends until it next waits for an answer on that socket, in recv() or poll(), or
until send() fails. Octets that are sent with nobody waiting for an answer (a simplex stream) are none.

Between two hosts an end-of-file comes after all that the server has sent. A relay can send one although it
still holds, or has never read, a part of the answer; so behind a relay the octets that the server's program
has sent since the request are counted, and an end-of-file before all of them cuts the answer short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tcpsim.pair import SIDES, Called, Event, Returned
from tcpsim.sockets import Close, Poll, Recv, Send, SendAll


class Request(NamedTuple):
    """`got` counts the octets that came back; `error` is what ended the waiting, if anything did.

    `missing`: octets that the server had sent, and that a relay did not hand on before its end-of-file.
    """

    t_us: int
    octets: int
    got: int = 0
    error: str | None = None  # an errno, "EOF", or None
    missing: int = 0
    over_us: int | None = None  # when the error came

    @property
    def lost(self) -> bool:
        """Not an octet came back."""
        return not self.got

    @property
    def reset(self) -> bool:
        """The connection was reset before the answer was whole, or before there was any."""
        return self.error in ("ECONNRESET", "EPIPE")

    @property
    def answered(self) -> bool:
        """Something came back, and no error behind it."""
        return not (self.lost or self.cut_short)

    @property
    def cut_short(self) -> bool:
        """Something came back, and then an error, or a FIN before the rest."""
        return self.got > 0 and (self.error not in (None, "EOF") or self.missing > 0)


_Key = tuple[int, int]  # process, descriptor


def requests(events: Sequence[Event]) -> tuple[Request, ...]:
    """The requests of the client's programs, in the order in which they were sent."""
    book = _Book()
    for event in events:
        if event.side != "client" or not isinstance(event, Called | Returned):
            continue
        call: Any = event.call  # some have descriptors, some one, some none
        fds: tuple[int, ...] = call.fds if isinstance(call, Poll) else (getattr(call, "fd", -1),)
        for fd in fds:
            if isinstance(event, Called):
                book.called(event, (event.pid, fd))
            else:
                book.returned(event, (event.pid, fd))
    for key in tuple(book.under_way):
        book.over(key)
    found = sorted(book.found, key=lambda each: each.t_us)
    if any(event.side not in SIDES for event in events):
        sent = tuple(_sent_by_server(events))
        found = [_with_missing(each, sent) for each in found]
    return tuple(found)


def _sent_by_server(events: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """When its programs sent how many octets; of a sendall(), all that it was called with."""
    for event in events:
        if event.side != "server":
            continue
        if isinstance(event, Called) and isinstance(event.call, SendAll):
            yield event.t_us, event.call.n
        elif isinstance(event, Returned) and isinstance(event.call, Send) and event.reply.errno is None:
            yield event.t_us, event.reply.value if isinstance(event.reply.value, int) else 0


def _with_missing(request: Request, sent: Sequence[tuple[int, int]]) -> Request:
    if request.error != "EOF" or request.over_us is None:
        return request
    answer = sum(octets for t_us, octets in sent if request.t_us <= t_us <= request.over_us)
    return request._replace(missing=max(0, answer - request.got))


class _Book:
    """Requests under way, whether their program has begun to wait for an answer, and those that are over."""

    def __init__(self) -> None:
        self.under_way: dict[_Key, Request] = {}
        self.waits: set[_Key] = set()
        self.found: list[Request] = []

    def over(self, key: _Key) -> None:
        """Nobody waits for more; it counts if somebody has waited at all, or could not even send it."""
        request = self.under_way.pop(key, None)
        if request is not None and (key in self.waits or request.error is not None):
            self.found.append(request)
        self.waits.discard(key)

    def called(self, event: Called, key: _Key) -> None:
        call = event.call
        if isinstance(call, Close):
            self.over(key)
        elif isinstance(call, Send | SendAll):
            if key in self.waits:
                self.over(key)
            before = self.under_way.get(key, Request(event.t_us, 0))
            self.under_way[key] = before._replace(octets=before.octets + call.n)
        elif isinstance(call, Poll | Recv) and key in self.under_way:
            self.waits.add(key)

    def returned(self, event: Returned, key: _Key) -> None:
        request, reply = self.under_way.get(key), event.reply
        if request is None or reply.errno == "EAGAIN":
            return
        if reply.errno is not None:
            over_us = event.t_us if request.error is None else request.over_us
            self.under_way[key] = request._replace(error=request.error or reply.errno, over_us=over_us)
        elif isinstance(event.call, Recv):
            got = reply.value if isinstance(reply.value, int) else 0
            error = request.error or (None if got else "EOF")
            over_us = event.t_us if error is not None and request.error is None else request.over_us
            self.under_way[key] = request._replace(got=request.got + got, error=error, over_us=over_us)
