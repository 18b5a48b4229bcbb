"""Leaks made on purpose on a real kernel, the culprit known, and what `ss` shows of them at both ends.

    sudo .venv/bin/python -m tests.diagnosis.leaks FOLDER [NAME...]

Two hosts in network namespaces, and a router between them that can be told to forward one way no more: then
nothing that a host sends arrives, and nobody is told (as if the other host had lost power). A story is a
server's and a client's program, what befalls the path, and when to look. Linux, root, iproute2.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tcpsim.conformance.lab.linux import enter_network

ADDRESS = {"server": "10.77.2.2", "client": "10.77.1.2"}
_GATE = {"server": "10.77.2.1", "client": "10.77.1.1"}
PORT = 8080
_AT_ONCE = 6  # stories; they mostly sleep


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Lab:
    """Two hosts and a router for one story."""

    def __init__(self, name: str) -> None:
        self.names = {each: f"{name}-{each}" for each in ("server", "client", "router")}
        self.pids: list[int] = []

    def __enter__(self) -> Lab:
        for each in self.names.values():
            _ip("netns", "add", each)
            _ip("-n", each, "link", "set", "lo", "up")
        router = self.names["router"]
        for side in ("server", "client"):
            host, gate = self.names[side], _GATE[side]
            _ip("-n", router, "link", "add", side, "type", "veth", "peer", "name", "eth0", "netns", host)
            _ip("-n", host, "addr", "add", f"{ADDRESS[side]}/24", "dev", "eth0")
            _ip("-n", router, "addr", "add", f"{gate}/24", "dev", side)
            _ip("-n", host, "link", "set", "eth0", "up")
            _ip("-n", router, "link", "set", side, "up")
            _ip("-n", host, "route", "add", "default", "via", gate)
        self.forward("server", True)
        self.forward("client", True)
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        for each in self.names.values():
            subprocess.run(["ip", "netns", "del", each], check=False)

    def forward(self, side: str, on: bool) -> None:
        """Whether the router passes on what comes from one side."""
        self.set("router", f"conf/{side}/forwarding", int(on))

    def set(self, side: str, knob: str, value: int) -> None:
        """A net.ipv4 sysctl of one host."""
        path = f"/proc/sys/net/ipv4/{knob}"
        words = ["ip", "netns", "exec", self.names[side], "sh", "-c", f"echo {value} > {path}"]
        subprocess.run(words, check=True)

    def start(self, side: str, name: str, program: Callable[[], object]) -> int:
        """A process of that host, called `name`, which keeps what it holds until it is killed."""
        pid = os.fork()
        if pid == 0:
            try:
                enter_network(os.open(f"/var/run/netns/{self.names[side]}", os.O_RDONLY | os.O_CLOEXEC))
                Path("/proc/self/comm").write_text(name, encoding="ascii")
                kept = program()
                while kept is not NotImplemented:
                    signal.pause()
            except BaseException as error:
                print(f"{name}: {error!r}", file=sys.stderr, flush=True)
            os._exit(0)
        self.pids.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Endpoint a program; its kernel closes for it."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.pids.remove(pid)

    def see(self, side: str, *words: str) -> str:
        """What a command says on that host."""
        command = ["ip", "netns", "exec", self.names[side], *words]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout


# Programs. Each returns what it holds; nothing is closed unless the program does so.


def listener(port: int = PORT, backlog: int = 128) -> socket.socket:
    found = socket.create_server(("0.0.0.0", port), backlog=backlog)
    found.settimeout(None)
    return found


def dial(count: int, request: int = 100, port: int = PORT, side: str = "server") -> list[socket.socket]:
    found = []
    for _ in range(count):
        each = socket.create_connection((ADDRESS[side], port), timeout=10)
        each.settimeout(None)
        each.sendall(b"r" * request)
        found.append(each)
    return found


def read_to_eof(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def forgets(reads: str) -> Callable[[], object]:
    """A server that answers and never closes: it reads "to-eof", "request" or "nothing"."""

    def program() -> object:
        here, kept = listener(), []

        def serve() -> None:
            while True:
                connection, _ = here.accept()
                kept.append(connection)
                if reads == "request":
                    connection.recv(100)
                    connection.sendall(b"a" * 200)
                elif reads == "to-eof":
                    threading.Thread(target=read_to_eof, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return here, kept

    return program


def closes_first(after_s: float = 0.3, half: bool = False) -> Callable[[], object]:
    """A server that answers and closes, or half-closes and waits for the end."""

    def program() -> object:
        here, kept = listener(), []

        def serve() -> None:
            while True:
                connection, _ = here.accept()
                connection.recv(100)
                connection.sendall(b"a" * 200)
                threading.Timer(after_s, end, (connection,)).start()

        def end(connection: socket.socket) -> None:
            if half:
                connection.shutdown(socket.SHUT_WR)
                kept.append(connection)
            else:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return here, kept

    return program


def closes_on_eof() -> object:
    """A server that answers, and closes after its clients."""
    here = listener()

    def serve() -> None:
        while True:
            connection, _ = here.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"a" * 200)
        read_to_eof(connection)
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return here


def client(
    count: int, then: str, after_s: float = 0.5, reads: bool = True, pause_s: float = 0.0
) -> Callable[[], object]:
    """Connections that are then kept, closed or half-closed."""

    def program() -> object:
        kept = []
        for _ in range(count):
            (connection,) = dial(1)
            kept.append(connection)
            time.sleep(pause_s)
        if reads:
            for connection in kept:
                connection.settimeout(1)
                with suppress(TimeoutError, ConnectionError):
                    connection.recv(200)
                connection.settimeout(None)
        time.sleep(after_s)
        for connection in kept:
            if then == "close":
                connection.close()
            elif then == "half-close":
                connection.shutdown(socket.SHUT_WR)
            elif then == "read-to-eof":
                threading.Thread(target=read_to_eof, args=(connection,), daemon=True).start()
        return kept

    return program


def leaks_steadily(per_s: float) -> Callable[[], object]:
    """A client that closes one connection after the other; whoever keeps its end leaks."""

    def program() -> object:
        while True:
            (connection,) = dial(1)
            connection.recv(200)
            connection.close()
            time.sleep(1 / per_s)

    return program


def relay() -> object:
    """Copies both ways; after an end of one leg it half-closes the other, and waits without a limit."""
    here = listener()

    def copy(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            front, _ = here.accept()
            back = socket.create_connection(("127.0.0.1", 9000))
            for pair in ((front, back), (back, front)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return here


def backend() -> object:
    """Answers, and never closes."""
    here, kept = listener(9000), []

    def serve() -> None:
        while True:
            connection, _ = here.accept()
            connection.recv(100)
            connection.sendall(b"a" * 200)
            kept.append(connection)

    threading.Thread(target=serve, daemon=True).start()
    return here, kept


def with_keepalive(
    program: Callable[[], object], idle: int, interval: int, count: int
) -> Callable[[], object]:
    """The same, SO_KEEPALIVE on all its sockets with these times."""

    def on() -> object:
        first = socket.socket.__init__

        def made(self: socket.socket, *arguments: object, **named: object) -> None:
            first(self, *arguments, **named)  # type: ignore[arg-type]
            with suppress(OSError):
                self.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in (
                    (socket.TCP_KEEPIDLE, idle),
                    (socket.TCP_KEEPINTVL, interval),
                    (socket.TCP_KEEPCNT, count),
                ):
                    self.setsockopt(socket.IPPROTO_TCP, option, value)

        socket.socket.__init__ = made  # type: ignore[method-assign]
        return program()

    return on


def stalls() -> object:
    """Accepts and does not read."""
    here, kept = listener(), []

    def serve() -> None:
        while True:
            kept.append(here.accept())

    threading.Thread(target=serve, daemon=True).start()
    return here, kept


def floods(count: int, then_close: bool) -> Callable[[], object]:
    """Sends until its buffer is full."""

    def program() -> object:
        kept = dial(count)
        for each in kept:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            each.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    each.send(b"d" * 65536)
        time.sleep(1)
        for each in kept if then_close else ():
            each.close()
        return kept

    return program


def storms(count: int) -> Callable[[], object]:
    """One short connection after the other, closed by the client."""

    def program() -> object:
        for _ in range(count):
            (each,) = dial(1)
            each.recv(200)
            each.close()
        return None

    return program


def burst(count: int) -> Callable[[], object]:
    """Non-blocking connects to a listener that does not keep up; data where there is a connection."""

    def program() -> object:
        kept = [socket.socket() for _ in range(count)]
        for each in kept:
            each.setblocking(False)
            each.connect_ex((ADDRESS["server"], PORT))
        time.sleep(0.3)
        for each in kept:
            with suppress(OSError):
                each.send(b"r" * 120)
        time.sleep(0.5)
        for each in kept:
            each.close()
        return None

    return program


# Stories


class Story(NamedTuple):
    """What is made, when both ends are looked at, and how long their sockets are watched."""

    make: Callable[[Lab], object]
    marks_s: tuple[float, ...]
    until_s: float


def _both(server: Callable[[], object], client: Callable[[], object]) -> Callable[[Lab], object]:
    def make(lab: Lab) -> None:
        lab.start("server", "webapp", server)
        time.sleep(0.3)
        lab.start("client", "worker", client)

    return make


def _vanishes(
    server: Callable[[], object], client: Callable[[], object], after_s: float
) -> Callable[[Lab], object]:
    """The client's host loses power: nothing arrives there any more, and nothing comes from there."""

    def make(lab: Lab) -> None:
        lab.start("server", "webapp", server)
        time.sleep(0.3)
        pid = lab.start("client", "worker", client)
        time.sleep(after_s)
        lab.forward("client", False)
        lab.forward("server", False)
        time.sleep(0.05)
        lab.kill(pid)

    return make


def _last_ack(lab: Lab) -> None:
    """The client closes, the server a second later; nothing of the server's arrives any more by then."""

    def server() -> object:
        here, kept = listener(), []

        def serve() -> None:
            while True:
                connection, _ = here.accept()
                kept.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        time.sleep(3)
        for each in kept:
            read_to_eof(each)
            each.close()
        return here

    lab.start("server", "webapp", server)
    time.sleep(0.3)
    lab.start("client", "worker", client(10, "close", after_s=0.2, reads=False))
    time.sleep(1.2)
    lab.forward("server", False)


def _syn_sent(lab: Lab) -> None:
    lab.forward("server", False)

    def connects() -> object:
        kept = [socket.socket() for _ in range(6)]
        for each in kept:
            each.setblocking(False)
            each.connect_ex((ADDRESS["server"], PORT))
        return kept

    lab.start("server", "webapp", forgets("request"))
    time.sleep(0.2)
    lab.start("client", "worker", connects)


def _unanswered(lab: Lab) -> None:
    """The client's host is gone, and the server has sent: it repeats that."""

    def server() -> object:
        here, kept = listener(), []

        def serve() -> None:
            while True:
                kept.append(here.accept()[0])

        threading.Thread(target=serve, daemon=True).start()
        time.sleep(2.5)
        for each in kept:
            each.sendall(b"a" * 700)
        return here, kept

    lab.set("server", "tcp_retries2", 8)
    _vanishes(server, client(8, "keep", reads=False), 1.5)(lab)


STORIES = {
    "server-forgets": Story(_both(forgets("to-eof"), client(12, "close", reads=False)), (3, 30, 75), 75),
    "server-stuck": Story(_both(forgets("request"), client(12, "close")), (3, 30, 75), 75),
    "server-reads-nothing": Story(_both(forgets("nothing"), client(9, "close", reads=False)), (3, 75), 75),
    "client-forgets": Story(_both(closes_first(), client(15, "read-to-eof")), (3, 30, 75), 75),
    "pool-not-looked-at": Story(_both(closes_first(2), client(15, "keep")), (4, 30, 75), 75),
    "half-closed-by-server": Story(_both(closes_first(half=True), client(11, "keep")), (3, 75), 75),
    "half-closed-by-client": Story(
        _both(forgets("to-eof"), client(11, "half-close", reads=False)), (3, 75), 75
    ),
    "accept-queue": Story(_both(lambda: listener(backlog=16), burst(40)), (3, 12, 75), 140),
    "relay": Story(
        lambda lab: (
            lab.start("server", "backend", backend), time.sleep(0.2), lab.start("server", "proxy", relay),
            time.sleep(0.2), lab.start("client", "worker", client(14, "close")),
        ),
        (3, 75), 75,
    ),
    "half-open": Story(_vanishes(forgets("request"), client(10, "keep"), 3), (5, 60, 135), 135),
    "keepalive-at-work": Story(
        _vanishes(with_keepalive(forgets("request"), 20, 5, 4), client(10, "keep"), 3), (5, 26, 33, 60), 60
    ),
    "keepalive-answered": Story(
        _both(with_keepalive(forgets("request"), 20, 5, 4), client(10, "keep")), (5, 50), 50
    ),
    "orphans-fin-wait-1": Story(_vanishes(closes_first(4), client(10, "keep"), 3), (6, 30, 80, 150), 150),
    "last-ack": Story(_last_ack, (5, 30, 80, 150), 150),
    "unanswered-data": Story(_unanswered, (5, 30, 80), 160),
    "syn-sent": Story(_syn_sent, (3, 30, 100), 150),
    "time-wait-storm": Story(_both(closes_on_eof, storms(400)), (5, 50, 80), 80),
    "server-time-wait": Story(_both(closes_first(0.05), client(150, "close", after_s=0.5)), (4, 50, 80), 80),
    "stuck-reader": Story(_both(stalls, floods(6, False)), (4, 60), 60),
    "stuck-reader-orphans": Story(_both(stalls, floods(6, True)), (4, 60, 180), 420),
    "steady-leak": Story(_both(forgets("request"), leaks_steadily(2)), (10, 70, 130), 130),
    "healthy": Story(
        _both(closes_first(30), client(8, "keep", pause_s=0.2)), (5, 15), 15
    ),
}  # fmt: skip

# Other commands that show the same sockets, recorded once
FORMATS = {
    "ss-tan": ("ss", "-tan"),
    "ss-tanopi": ("ss", "-tanopi"),
    "ss-tanope": ("ss", "-tanope"),
    "ss-s": ("ss", "-s"),
    "netstat-tanpo": ("netstat", "-tanpo"),
    "netstat-s": ("netstat", "-s"),
    "proc-net-tcp": ("cat", "/proc/net/tcp", "/proc/net/tcp6"),
    "lsof-i": ("lsof", "-nP", "-i"),
    "nstat": ("nstat", "-asz"),
    "sockstat": ("cat", "/proc/net/sockstat"),
}


def record(name: str, folder: Path) -> None:
    """One story: NAME.SIDE.AGEs.txt at each mark, NAME.SIDE.series.txt with `ss -tano` of every second."""
    story = STORIES[name]
    folder.mkdir(parents=True, exist_ok=True)
    with Lab(f"t{os.getpid()}{list(STORIES).index(name)}") as lab:
        begun = time.monotonic()
        story.make(lab)
        series: dict[str, list[str]] = {"server": [], "client": []}
        marks = list(story.marks_s)
        tick = time.monotonic() - begun
        while (now := time.monotonic() - begun) < story.until_s + 1:
            if marks and now >= marks[0]:
                mark = marks.pop(0)
                for side in series:
                    (folder / f"{name}.{side}.{mark:g}s.txt").write_text(lab.see(side, "ss", "-tanop"))
                if name == "server-stuck" and mark == story.marks_s[0]:
                    for kind, words in FORMATS.items():
                        (folder / f"format.{kind}.txt").write_text(lab.see("server", *words))
            for side, lines in series.items():
                at = time.monotonic() - begun
                lines.append(f"# {at:.2f}\n" + lab.see(side, "ss", "-tanoH"))
            tick += 1.0
            time.sleep(max(0.0, tick - (time.monotonic() - begun)))
        for side, lines in series.items():
            (folder / f"{name}.{side}.series.txt").write_text("".join(lines))


def main(words: list[str]) -> None:
    folder, names = Path(words[0]), words[1:] or list(STORIES)
    if shutil.which("ss") is None or os.geteuid() != 0:
        sys.exit("needs root, and ss of iproute2")
    if len(names) == 1:
        record(names[0], folder)
        return
    for first in range(0, len(names), _AT_ONCE):
        command = [sys.executable, "-m", "tests.diagnosis.leaks", str(folder)]
        running = [subprocess.Popen([*command, each]) for each in names[first : first + _AT_ONCE]]
        for each in running:
            each.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
