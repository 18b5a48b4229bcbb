"""A line of three real hosts with a relay between, recorded on the real kernel.

Owns: three network namespaces, the two lines between them (each the simulator's own path, with its rules and
delays), the programs as real processes, and what comes out: calls with their answers, states, segments. The
programs end with this process, and the namespaces with both.
Refuses to know: what of it is as it should be (conformance.chains). Linux only; needs root and /dev/net/tun.
"""

from __future__ import annotations

import heapq
import json
import os
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NoReturn

from tcpsim.app.program import Done, Running, Until, Vanish, run
from tcpsim.catalogue import as_toml
from tcpsim.conformance.lab import linux
from tcpsim.conformance.lab.calls import Sockets, answered, told
from tcpsim.conformance.lab.chain_plan import LineJob, with_losses
from tcpsim.conformance.lab.ipv4 import segment_of
from tcpsim.conformance.lab.recording_plan import BASE_SYSCTLS, MTU
from tcpsim.conformance.lab.sock_diag import Diag
from tcpsim.conformance.lab.supervisor import missing, refusal
from tcpsim.pair import FIRST_PID
from tcpsim.path import SIDES, Chooser, Seeded, Side, send
from tcpsim.sockets import Exit
from tcpsim.tcp.segment import flag_letters

_ADDRESSES: Final = (("10.9.0.1",), ("10.9.0.2", "10.10.0.1"), ("10.10.0.2",))
_LISTENS: Final = ("10.9.0.1", "0.0.0.0", "10.10.0.2")
_PEERS: Final = ("10.9.0.2", "10.10.0.2", "10.9.0.2")
_READY_S: Final = 0.1
_Look = tuple[tuple[int, int], str, str]  # ports, state, kind
_LOOK_MS: Final = 4
_TELL_US: Final = 1_000_000
_CLOCK: Final = 8  # octets of a time
_CHANCE: Final = "loss"  # what the path's element of chance says for itself
Progress = Callable[[dict[str, Any]], None]
_FORWARDER, _PROGRAM = 20, 10  # real-time priorities


def record(job: LineJob, progress: Progress = lambda _: None) -> dict[str, Any]:
    """What three real hosts do: the story, what was lost by chance written into it, and what was seen.

    Raises:
        InputError: this machine has no lab.
    """
    lack = missing()
    if lack is not None:
        raise refusal(lack)
    chain = _Chain(job, Seeded(job.seed), progress)
    try:
        chain.play()
    except OSError as error:  # root in a container may lack the right to make a namespace or a device
        raise refusal(f"no namespace or device ({error.strerror})") from None
    return {
        "story": as_toml(with_losses(job.story, chain.lost_by_chance)),
        "until_us": job.horizon_us,
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "late_us": chain.late_us,
        "calls": chain.calls,
        "states": chain.states,
        "segments": chain.segments,
    }


class _Chain:
    """A recording: hosts by number from the client, lines by number, all in this one process."""

    def __init__(self, job: LineJob, chooser: Chooser, progress: Progress) -> None:
        self.pair = job.pair
        self.sysctls = job.sysctls
        self.until_us = job.horizon_us
        self.chooser = chooser
        self.progress = progress
        self.paths = list(job.pair.paths)
        self.late_us = 0  # the most that a segment was written after it was due
        self.lost_by_chance: dict[tuple[int, str], list[int]] = {}
        self.sent: Counter[tuple[int, str]] = Counter()
        self.pids: list[int] = []
        self.tuns: dict[int, tuple[int, Side]] = {}  # descriptor -> the line, and which end of it
        self.ends: dict[tuple[int, Side], int] = {}
        self.flying: list[tuple[int, int, int, bytes]] = []
        self.calls: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.segments: list[dict[str, Any]] = []
        self.gone: set[str] = set()
        self.start_ns = 0

    def clock_us(self) -> int:
        return (time.monotonic_ns() - self.start_ns) // 1_000

    def play(self) -> None:
        """Everything, from the namespaces to their end."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        spaces: list[int] = []
        diags: list[Diag] = []
        try:
            for number, addresses in enumerate(_ADDRESSES):
                spaces.append(linux.new_network())
                linux.without_ipv6()
                linux.set_sysctls({**BASE_SYSCTLS, **self.sysctls[self.pair.names[number]]})
                for place, address in enumerate(addresses):
                    leg = number - 1 + place if number else 0
                    end: Side = "client" if leg == number else "server"
                    tun = linux.open_tun(address, MTU, f"tcpsim{leg}")
                    self.tuns[tun], self.ends[leg, end] = (leg, end), tun
                diags.append(Diag())
            self._run(spaces, diags)
        finally:
            linux.enter_network(home)
            os.close(home)
            for pid in self.pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            for each in diags:
                each.destroy_all()
                each.socket.close()
            for descriptor in (*self.tuns, *spaces):
                os.close(descriptor)

    def _run(self, spaces: list[int], diags: list[Diag]) -> None:
        """Start the programs, the server's first, and watch until the end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            self._watch(spaces, diags, ours, theirs)

    def _watch(
        self, spaces: list[int], diags: list[Diag], ours: socket.socket, theirs: socket.socket
    ) -> None:
        begin, gate = os.pipe()  # all programs have been started before the first one takes a step
        for number in reversed(range(len(spaces))):
            pid = os.fork()
            if not pid:
                self._live(number, spaces[number], theirs, begin)
            self.pids.append(pid)
        theirs.close()
        self.start_ns = time.monotonic_ns() + int(_READY_S * 1e9)
        os.write(gate, self.start_ns.to_bytes(_CLOCK) * len(self.pids))
        for each in (begin, gate):
            os.close(each)
        linux.hurry(_FORWARDER)
        known: list[dict[int, _Look]] = [{} for _ in diags]
        look_us, tell_us = 0, _TELL_US
        while (now_us := self.clock_us()) < self.until_us:
            wake_us = min([look_us, *[each[0] for each in self.flying[:1]]])
            waiting = [*self.tuns, ours.fileno()]
            ready, _, _ = select.select(waiting, [], [], max(0, wake_us - now_us) / 1e6)
            for each in ready:
                if each == ours.fileno():
                    self._hear(json.loads(ours.recv(1 << 16)))
                else:
                    self._read(each)
            self._write()
            if self.clock_us() >= look_us:
                look_us = self.clock_us() + _LOOK_MS * 1_000
                for number, diag in enumerate(diags):
                    self._look(number, diag, known[number])
            if self.clock_us() >= tell_us:
                tell_us += _TELL_US
                present = [[state for _, state, _ in each.values()] for each in known]
                self.progress({"t_us": self.clock_us(), **dict(zip(self.pair.names, present, strict=True))})

    def _hear(self, message: dict[str, Any]) -> None:
        """A program has made a call, or its machine is gone."""
        if "vanishes" in message:
            self.gone.add(message["vanishes"])
        else:
            self.calls.append(message)

    def _read(self, tun: int) -> None:
        """A host has put a packet on its line: the simulator's path says what becomes of it."""
        try:
            packet = os.read(tun, 1 << 16)
        except BlockingIOError:
            return
        segment = segment_of(packet)
        if segment is None:
            return
        leg, end = self.tuns[tun]
        now_us = self.clock_us()
        sender, receiver = leg + SIDES.index(end), leg + 1 - SIDES.index(end)
        path, fates = send(self.paths[leg], end, segment, now_us, self.chooser)
        self.paths[leg] = path._replace(flights=())
        cut = {self.pair.names[sender], self.pair.names[receiver]} & self.gone
        due_us = None if cut else fates[0].due_us
        self.sent[leg, end] += 1
        if fates[0].due_us is None and fates[0].why == _CHANCE:
            self.lost_by_chance.setdefault((leg, end), []).append(self.sent[leg, end])
        flags = flag_letters(segment.flags)
        row = {"t_us": now_us, "leg": leg, "end": end, "flags": flags, "len": segment.len}
        self.segments.append(row if due_us is not None else row | {"lost": fates[0].why or "vanished"})
        if due_us is not None:
            out = self.ends[leg, "client" if end == "server" else "server"]
            heapq.heappush(self.flying, (due_us, len(self.segments), out, packet))

    def _write(self) -> None:
        while self.flying and self.flying[0][0] <= self.clock_us():
            due_us, _, tun, packet = heapq.heappop(self.flying)
            self.late_us = max(self.late_us, self.clock_us() - due_us)
            os.write(tun, packet)

    def _look(self, number: int, diag: Diag, known: dict[int, _Look]) -> None:
        """The sockets of a host that look different from before."""
        found = {each.cookie: (each.ports, each.state, each.kind) for each in diag.sockets()}
        for cookie, look in found.items():
            if known.get(cookie) != look:
                self._state(number, *look)
        live = {ports for ports, _, _ in found.values()}
        for cookie in known.keys() - found.keys():
            if known[cookie][0] not in live:  # else a mini-socket has taken its place
                self._state(number, known[cookie][0], "CLOSED", "")
        known.clear()
        known.update(found)

    def _state(self, number: int, ports: tuple[int, int], state: str, kind: str) -> None:
        row = {"t_us": self.clock_us(), "who": self.pair.names[number], "ports": list(ports)}
        self.states.append(row | {"state": state, "kind": kind})

    def _live(self, number: int, space: int, post: socket.socket, begin: int) -> NoReturn:
        """A program, in its host, until somebody kills it."""
        try:
            linux.end_with_parent()
            linux.enter_network(space)
            linux.hurry(_PROGRAM)
            here = Sockets(_LISTENS[number], _PEERS[number])
            running = dict(self.pair.machines[number].programs)[FIRST_PID]
            self.start_ns = int.from_bytes(os.read(begin, _CLOCK))
            time.sleep(max(0, -self.clock_us()) / 1e6 + 0.01 * (number == 0))
            self._carry_out(self.pair.names[number], running, here, post)
        finally:
            os._exit(1)

    def _carry_out(self, who: str, running: Running, here: Sockets, post: socket.socket) -> None:
        reply = None
        while True:
            running, action = run(running, reply, self.clock_us())
            reply = None
            if isinstance(action, Until) and action.wake_us is not None:
                time.sleep(max(0, action.wake_us - self.clock_us()) / 1e6)
            elif isinstance(action, Until | Done):
                signal.pause()
            elif isinstance(action, Vanish):
                post.send(json.dumps({"vanishes": who}).encode())
                signal.pause()
            elif isinstance(action, Exit):
                return
            else:
                began_us = self.clock_us()
                name, argument = told(action, here.peer)  # type: ignore[arg-type]
                reply = here.make(action)  # type: ignore[arg-type]
                row = {"who": who, "t_us": began_us, "call": name, "arg": argument}
                row |= {"end_us": self.clock_us()} | answered(action, reply)  # type: ignore[arg-type]
                post.send(json.dumps(row).encode())
