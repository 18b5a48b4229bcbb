"""What relays do: programs that accept on one side, connect on the other, and copy between.

Owns: one behaviour with all that tells relays apart, and the named ones, which are its defaults changed, each
with its source. Refuses to know: how the copying is done (relay_loop).

What a source does not say was left at the plain default, and what nobody has checked says "unverified". A
real relay serves many connections; in a line of machines it serves the one that there is.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from tcpsim.app.behaviour import Bytes, Count, Limit, Seconds, Time, YesOrNo, find, relay, variant, words
from tcpsim.app.control_flow import fork, kill_others, leave, repeat
from tcpsim.app.program import Program, Step
from tcpsim.app.receive_steps import receive
from tcpsim.app.relay_loop import Rules, copy_both_ways
from tcpsim.app.relay_steps import (
    DOWN,
    UP,
    await_byte,
    await_request,
    close_legs,
    connect_up,
    listen_between,
    reset_legs,
)
from tcpsim.app.steps import Options, accept, close, send, set_option
from tcpsim.app.wait_steps import wait_if_any, wait_until
from tcpsim.errors import InputError

Steps = list[Step]
Passing = Annotated[str, words("passed", "kept")]
Ends = Annotated[str, words("both", "first")]
Counts = Annotated[str, words("either", "client", "server")]
OnError = Annotated[str, words("reset", "close", "direction")]
Connects = Annotated[str, words("at once", "at first byte")]
Failing = Annotated[str, words("close", "reset")]


@relay
def copies(
    half_close: Passing = "passed",
    ends: Ends = "both",
    drain: Limit = "none",
    idle: Limit = "none",
    idle_counts: Counts = "either",
    on_error: OnError = "close",
    buffer: Bytes = 16_384,
    watches: YesOrNo = "yes",
    connects: Connects = "at once",
    connect_timeout: Limit = "none",
    connect_error: Failing = "close",
    abort_on_close: YesOrNo = "no",
    keepalive_client: Limit = "none",
    keepalive_server: Limit = "none",
    interval: Seconds = "75s",
    count: Count = 9,
    accept_after: Time = "0s",
) -> Steps:
    """Copies both ways, passes a half-close on, and waits until both ends have closed."""
    rules: Any = {"half_close": half_close, "ends": ends, "idle_counts": idle_counts, "on_error": on_error}
    copying = copy_both_ways(
        Rules(drain_us=_us(drain), idle_us=_us(idle), buffer=buffer, watches=watches == "yes", **rules)
    )
    probing = (int(interval) // 1_000_000, count)
    near = [
        set_option(*option, DOWN) for option in _keepalive("keepalive_client", keepalive_client, *probing)
    ]
    connecting = connect_up(
        [copying],
        [reset_legs() if connect_error == "reset" else close_legs()],
        options=tuple(_keepalive("keepalive_server", keepalive_server, *probing)),
        within_us=_us(connect_timeout),
        watches=abort_on_close == "yes",
    )
    first = [await_byte()] if connects == "at first byte" else []
    return [listen_between(), *wait_if_any(accept_after), accept(DOWN), *near, *first, connecting]


@relay
def is_restarted(at: Time = "10s", half_close: Passing = "passed", ends: Ends = "both") -> Steps:
    """Copies as `copies` does, and is killed at a given time on the clock of the connection."""
    watchdog = fork([wait_until(at), kill_others()])
    return [watchdog, *copies(**_read("copies", half_close=half_close, ends=ends))]


@relay
def pools(
    request: Bytes = 100,
    response: Bytes = 1000,
    client_idle: Limit = "75s",
    server_idle: Limit = "60s",
    connect_timeout: Limit = "60s",
    read_timeout: Time = "60s",
    retry: YesOrNo = "no",
) -> Program:
    """Hands on requests and responses, and keeps its connection to the server for the next request."""
    failed = [reset_legs(), leave()]
    asking = [send(request, UP), receive(response, UP, within=read_timeout, late=failed, eof=failed)]
    if retry == "yes":
        again = connect_up([], failed, within_us=_us(connect_timeout), pooled=True)
        asking[1] = receive(response, UP, within=read_timeout, late=failed, eof=[close(UP), again, *asking])
    connecting = connect_up([], failed, within_us=_us(connect_timeout), pooled=True)
    waiting = await_request(_us(client_idle), _us(server_idle), [leave()])
    serving = [waiting, receive(request, DOWN, eof=[leave()]), connecting, *asking, send(response, DOWN)]
    steps = [listen_between(), accept(DOWN), repeat(serving), close_legs()]
    return Program(steps, on_error=[reset_legs()])


def _read(name: str, **given: Any) -> dict[str, Any]:
    """The parameters of a behaviour with their defaults, read as its kinds read them."""
    return {
        each.name: each.kind.read(given.get(each.name, each.default), each.name)
        for each in find("relay", name).parameters
    }


def _us(limit: str | int | None) -> int | None:
    assert not isinstance(limit, str)  # its kind has read it
    return limit


def _keepalive(where: str, idle: str | int | None, interval_s: int, count: int) -> Options:
    """SO_KEEPALIVE with its times, which count in whole seconds; none where there is no `idle`."""
    idle_us = _us(idle)
    if idle_us is None:
        return ()
    if idle_us % 1_000_000:
        raise InputError(where, f"{idle_us} us", "whole seconds, as TCP_KEEPIDLE counts")
    return (
        ("SO_KEEPALIVE", 1),
        ("TCP_KEEPIDLE", idle_us // 1_000_000),
        ("TCP_KEEPINTVL", interval_s),
        ("TCP_KEEPCNT", count),
    )


_NAMED: Final[tuple[tuple[str, str, str, dict[str, Any]], ...]] = (
    (
        "closes-both",
        "Copies both ways until one end closes, and then closes both legs.",
        "none: the plain loop that knows no half-close",
        {"half_close": "kept", "ends": "first"},
    ),
    (
        "drops-the-half-close",
        "Copies both ways, does not pass a half-close on, and waits until both ends have closed.",
        "none: `io.Copy` twice in Go without CloseWrite(), which is what its examples show",
        {"half_close": "kept", "on_error": "direction", "buffer": 32_768, "watches": "no"},
    ),
    (
        "copy-bidirectional",
        "tokio's copy_bidirectional: passes a half-close on, and waits for both ends without a limit.",
        "tokio-1.x src/io/util/copy_bidirectional.rs: 8 KiB per direction, poll_shutdown() behind an"
        " end-of-file, the first error ends it; that it hears of errors only where it reads: unverified",
        {"buffer": 8_192, "watches": "no"},
    ),
    (
        "io-copy",
        "Go's io.Copy in both directions with CloseWrite() behind each; an error ends one direction.",
        "Go src/io/io.go copyBuffer(): 32 KiB, the first error of a direction ends it",
        {"buffer": 32_768, "on_error": "direction", "watches": "no"},
    ),
    (
        "envoy-tcp-proxy",
        "Envoy's TCP proxy: passes a half-close on, waits for both ends, one hour of idleness at most.",
        "Envoy tcp_proxy.proto: idle_timeout, 1 hour by default, of bytes in either direction; cluster.proto:"
        " connect_timeout 5 s, per_connection_buffer_limit_bytes 1 MiB; tcp_proxy.cc: enableHalfClose(true);"
        " what a RST becomes on the other leg: unverified",
        {"idle": "1h", "connect_timeout": "5s", "buffer": 1_048_576},
    ),
    (
        "haproxy-tcp",
        "haproxy in mode tcp with Debian's timeouts: passes a half-close on, 50 s of idleness at most.",
        "haproxy configuration manual: timeout connect, client, server; Debian haproxy.cfg: 5000, 50000 and"
        " 50000 ms; tune.bufsize 16384; `timeout client-fin` is `drain` (absolute here), `timeout tunnel` is"
        " `idle`, `option abortonclose` is `abort_on_close`, `option nolinger` on_error = reset",
        {"idle": "50s", "connect_timeout": "5s"},
    ),
    (
        "nginx-stream",
        "nginx's stream proxy: closes both legs at the first end-of-file, 10 minutes of idleness at most.",
        "nginx ngx_stream_proxy_module: proxy_half_close off, proxy_timeout 10m, proxy_connect_timeout 60s,"
        " proxy_buffer_size 16k; what a RST becomes on the other leg: unverified",
        {"half_close": "kept", "ends": "first", "idle": "10min", "connect_timeout": "60s"},
    ),
    (
        "ztunnel",
        "Like ztunnel: passes a half-close on, and waits for both ends without a limit.",
        "unverified: reports of its leaks (CLOSE-WAIT and FIN-WAIT-2 in equal numbers) fit no other rule;"
        " HBONE between two of them is not modelled",
        {"buffer": 16_384, "watches": "no"},
    ),
    (
        "ssh-forward",
        "Like ssh -L: an end-of-file is passed on, and a channel lives until both ends have closed.",
        "RFC 4254 5.3: SSH_MSG_CHANNEL_EOF leaves the other direction open, the channel is closed when both"
        " sides have sent CLOSE; OpenSSH channels.h: a window of 2 MiB; the tunnel between is not modelled,"
        " and what a RST becomes is unverified",
        {"buffer": 2_097_152},
    ),
    (
        "nc",
        "Like two OpenBSD nc with a pipe between: no half-close is passed on without -N, and both must end.",
        "OpenBSD nc.1: -N is what calls shutdown(2) after an end-of-file on the input; the rest unverified",
        {"half_close": "kept", "on_error": "direction"},
    ),
)
variant(
    "pools",
    "relay",
    "nginx-http",
    "nginx's HTTP proxy with a keepalive pool upstream: 75 s for the client, 60 s for the kept connection.",
    "nginx ngx_http_core_module: keepalive_timeout 75s; ngx_http_upstream_module: keepalive_timeout 60s,"
    " proxy_next_upstream error timeout; ngx_http_proxy_module: proxy_connect_timeout and proxy_read_timeout"
    " 60s; that it resets the client where nginx answers 502 is ours",
    retry="yes",
)
for _name, _doc, _source, _defaults in _NAMED:
    variant("copies", "relay", _name, _doc, _source, **_defaults)
