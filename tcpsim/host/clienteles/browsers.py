"""Stories of browsers: pages with and without persistence, buggy browsers, and idle workers.

Owns: the stories. Refuses to know: how a browser works (host.browser).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tcpsim.host.browser import HANGS_UP, NEVER, QUITS, SOUND, WITH_NEXT, Browsers, Habit
from tcpsim.host.clienteles.clientele import NONE, Clientele, Span, Variant, exactly_ms
from tcpsim.host.limits import HostLimits, Limits
from tcpsim.path import Fixed


def _page(name: str, parallel: int, requests: int, took_ms: int, connections: int) -> Variant:
    took = exactly_ms(took_ms)
    return Variant(
        name,
        Browsers(parallel=parallel, requests=requests),
        {"median": took, "95 % within": took, "connections": (120 * connections,) * 2, "failed": NONE},
        {"parameters": {"server.requests": requests}},
    )


def _lossy(name: str, requests: int, nearly_all: Span) -> Variant:
    changed = {"parameters": {"server.requests": requests}, "loss": 0.02}
    return Variant(name, Browsers(requests=requests), {"95 % within": nearly_all, "failed": NONE}, changed)


def _habit(habit: Habit, left: int) -> Variant:
    users = Browsers(pages=2, reads=Fixed(60_000_000), habits=((1.0, habit),))
    return Variant(habit.name, users, {"server FIN-WAIT-2 left": (left, left), "failed": NONE})


def _prefork(
    name: str, timeout: str, workers: Span, expect: Mapping[str, Span], requests: int = 100
) -> Variant:
    expect = {**expect, "server workers": workers}
    changed = {"parameters": {"server.requests": requests, "server.timeout": timeout}}
    return Variant(name, Browsers(requests=requests), expect, changed, Limits(HostLimits(workers=40)))


CLIENTELES = (
    Clientele(
        name="page-over-parallel-connections",
        title="A page with ten images, with and without persistent connections",
        story="A round trip takes 100 ms. Without persistence, each image needs a connection and two round"
        " trips, and each connection leaves a TIME-WAIT on the server, which closes first. Parallel"
        " connections save time, but not connections. A lost SYN costs a second, and without"
        ' persistence eleven SYNs can be lost instead of four. "Non-persistent connections increase'
        " the total number of connections needed per client and slow retrieval of an image-laden web"
        ' page" (Apache).',
        watch="the numbers of connections and TIME-WAIT, and the time to the last image",
        per_second=1.0,
        lasts="2min",
        settle="10s",
        columns=("connections", "median", "95 % within", "server ESTABLISHED", "server TIME-WAIT"),
        variants=(
            _page("KeepAlive Off, one at a time", 1, 1, 2_200, 11),
            _page("KeepAlive Off, four at once", 4, 1, 800, 11),
            _page("KeepAlive On, one connection", 1, 100, 1_200, 1),
            _page("KeepAlive On, two", 2, 100, 800, 2),
            _page("KeepAlive On, four", 4, 100, 600, 4),
            _page("MaxKeepAliveRequests 5, one", 1, 5, 1_400, 3),
            _lossy("2 % lost, KeepAlive Off", 1, (1_700_000, 2_400_000)),
            _lossy("2 % lost, KeepAlive On", 100, (900_000, 1_600_000)),
        ),
        overrides={"delay": "50ms", "parameters": {"response": 8_000}},
    ),
    Clientele(
        name="browsers-and-their-fins",
        title="What a buggy browser does last decides what stays on the server",
        story="Each visitor reads two pages over four connections, a minute for each page. The server"
        " closes a connection after 15 s, and has no FIN-WAIT-2 timer. A correct browser checks its"
        " connections every five seconds. The others are buggy: one answers a FIN only when it opens"
        " the next connection, one when the user quits it, one loses its line before that, and one is"
        " idle for days (Apache).",
        watch="FIN-WAIT-2 on the server at the end, an hour after the last visitor",
        per_second=0.1,
        lasts="20min",
        settle="1h",
        columns=("connections", "server FIN-WAIT-2", "server FIN-WAIT-2 left", "client CLOSE-WAIT left"),
        variants=(
            _habit(SOUND, 0),
            _habit(WITH_NEXT, 480),
            _habit(QUITS, 0),
            _habit(HANGS_UP, 960),
            _habit(NEVER, 960),
        ),
        overrides={"stack_server": "4.4bsd", "knobs": {"server.fin_wait_2_us": "none"}},
    ),
    Clientele(
        name="workers-held-by-keepalive",
        title="An idle persistent connection holds a worker for which others wait",
        story="A prefork server has 40 workers. Each second, a visitor fetches one page over four"
        " connections. A connection keeps its worker until KeepAliveTimeout is over, and then for up"
        " to two seconds of lingering_close(), although no request comes. With a timeout of 15 s, four"
        " connections a second need more than 40 workers. With 5 s, they need fewer.",
        watch="the time to the last image, and the workers; without persistence, a few workers are enough",
        per_second=1.0,
        lasts="3min",
        settle="1min",
        columns=("done", "waiting", "median", "95 % within", "server workers"),
        variants=(
            _prefork("KeepAliveTimeout 15 s", "15s", (40, 40), {"waiting": (30, 70)}),
            _prefork("KeepAliveTimeout 5 s", "5s", (25, 39), {"median": exactly_ms(600)}),
            _prefork("KeepAliveTimeout 1 s", "1s", (10, 20), {"median": exactly_ms(600)}),
            replace(
                _prefork("5 s, without lingering_close()", "5s", (20, 25), {"median": exactly_ms(600)}),
                overrides={"server": "keep-alive-timeout", "parameters": {"server.timeout": "5s"}},
            ),
            _prefork("KeepAlive Off", "15s", (2, 6), {"median": exactly_ms(800)}, requests=1),
        ),
        overrides={"delay": "50ms", "parameters": {"response": 8_000}},
    ),
)
