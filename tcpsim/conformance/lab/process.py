"""A program of the simulator as a real process: the same steps on real sockets in real time.

Owns: the execution of a program's actions, waiting, forking, and the report of each call and its time to the
recording. Refuses to know: what a call does (the kernel does it), and what happens to the rows (recording,
trace).

A process runs one program with one thread. A call that blocks blocks the process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

from tcpsim.app.program import Ask, Done, Draw, KillOthers, Reboot, Running, Spawn, Until, Vanish, run
from tcpsim.conformance.lab import linux
from tcpsim.conformance.lab.calls import Sockets, answered, told
from tcpsim.conformance.lab.relay import LETTER
from tcpsim.path import Choice, Seeded, Side
from tcpsim.sockets import Accept, Call, Close, Dup, Exit, Poll, Reply, Socket

Clock = Callable[[], int]


class Process:
    """One process of a host. `post` is the end of a socket that takes whole messages."""

    def __init__(self, side: Side, here: Sockets, clock_us: Clock, post: socket.socket, seed: int) -> None:
        self.side = side
        self.here = here
        self.clock_us = clock_us
        self.post = post
        self.seed = seed
        self.names: dict[int, str] = {}  # descriptor -> a name that no other one has
        self.begin()

    def begin(self) -> None:
        """What is each process's own: its number and its luck."""
        self.chooser = Seeded(self.seed, os.getpid(), b"lab program")
        self.count = 0
        self.waited = linux.open_waited()
        self.tell({"pid": os.getpid(), "side": self.side})

    def live(self, running: Running) -> NoReturn:
        """Carry the program out. Its end is not the end of the process."""
        reply: Reply | None = None
        while True:
            running, action = run(running, reply, self.clock_us())
            reply = None
            match action:
                case Until():
                    self.sleep(action.wake_us)
                case Done():
                    self.sleep(None)
                case Ask():
                    reply = Reply(self.chooser.choose(Choice(*action)))
                case Draw():
                    reply = Reply(self.chooser.draw(action.distribution))
                case Spawn():
                    reply = self.fork(action.child)
                case Vanish():
                    self.tell({"vanishes": self.side})
                    self.sleep(None)
                case Exit():
                    self.exit()
                case Reboot() | KillOthers():
                    raise AssertionError("refused before a recording begins")
                case _:
                    reply = self.call(action)

    def call(self, call: Call) -> Reply:
        """Make a call, and tell of it once it has returned."""
        if isinstance(call, Poll) and call.timeout_us:
            self.tell({"until_us": self.clock_us() + call.timeout_us})
        fd: object = call.fds[0] if isinstance(call, Poll) else next(iter(call), None)
        before_us = linux.waited_us(self.waited)
        row = self.row(fd, call)
        self.tell({"began": row})
        reply = self.here.make(call)
        row |= {"t_end": self.clock_us() / 1_000} | answered(call, reply)
        row["late_us"] = linux.waited_us(self.waited) - before_us
        if isinstance(call, Socket | Accept | Dup) and isinstance(reply.value, int):
            row["made"] = self.names[reply.value] = self.new_name()
        elif isinstance(call, Close):
            self.names.pop(call.fd, None)
        self.tell({"row": row})
        return reply

    def row(self, fd: object, call: Call) -> dict[str, Any]:
        """The beginning of a row of `app`."""
        name, argument = told(call, self.here.peer)
        row = {
            "t": self.clock_us() / 1_000,
            "who": LETTER[self.side],
            "sock": self.names.get(fd) if isinstance(fd, int) else None,
            "call": name,
        }
        return row if argument is None else row | {"arg": argument}

    def new_name(self) -> str:
        """A name that no other descriptor of the recording has."""
        self.count += 1
        return f"{os.getpid()}.{self.count}"

    def fork(self, child: Running) -> Reply:
        """A child with the same descriptors: in a trace, which knows no processes, each is a dup()."""
        names = dict(self.names)
        for fd, name in names.items():
            row = self.row(fd, Dup(fd))
            names[fd] = self.new_name()
            self.tell({"row": row | {"t_end": row["t"], "ret": 0, "sock": name, "made": names[fd]}})
        pid = os.fork()
        if pid == 0:
            self.names = names
            self.begin()
            self.live(child)
        return Reply(pid)

    def exit(self) -> NoReturn:
        """The process ends: the kernel closes every descriptor."""
        for fd in list(self.names):
            self.tell({"row": self.row(fd, Close(fd))})
        os._exit(0)

    def sleep(self, until_us: int | None) -> None:
        """Until a time, or for ever: descriptors stay open."""
        while until_us is None:
            signal.pause()
        self.tell({"until_us": until_us})
        time.sleep(max(0, until_us - self.clock_us()) / 1_000_000)

    def tell(self, message: dict[str, Any]) -> None:
        """One message to the recording."""
        self.post.send(json.dumps(message).encode())
