"""A running recording: two hosts in network namespaces, the relay between them, and the sampler.

Owns: the set-up of the hosts, the start of the programs, the loop that carries packets and collects states
and the reports of programs, and the end. Refuses to know: what remains if this process dies (supervisor).

A recording ends when nothing more can happen (no timer runs except TIME-WAIT, nothing is in flight, no
program will wake up, and half a second was silent), or at the horizon.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from tcpsim.conformance.lab import linux
from tcpsim.conformance.lab.calls import Sockets
from tcpsim.conformance.lab.process import Process
from tcpsim.conformance.lab.recording_plan import BASE_SYSCTLS, MTU, Job
from tcpsim.conformance.lab.relay import LETTER, Relay
from tcpsim.conformance.lab.sampler import FAST_MS, SLOW_MS, Watch
from tcpsim.conformance.lab.sock_diag import Diag
from tcpsim.conformance.lab.timestamps import Stamps
from tcpsim.conformance.lab.trace import Told, trace_of
from tcpsim.path import SIDES, Seeded, Side

ADDRESS: dict[Side, str] = {"client": "10.9.0.1", "server": "10.9.0.2"}
_RELAY_PRIORITY, _PROGRAM_PRIORITY = 20, 10
_SLOW_US = 20_000_000  # a recording that takes longer is sampled less often
_SILENCE_US = 500_000
_PROGRESS_US = 1_000_000
_HEAD_START_S = 0.01  # the server listens before the client's first step, as in the simulator
_READY_S = 0.02
_MOST = 1 << 20


class Host(NamedTuple):
    """A host: its namespace, the other end of its line, and the descriptors that ask after it."""

    namespace: int
    tun: int
    stamps: Stamps
    diag: Diag
    counters: tuple[int, ...]


def set_up(side: Side, sysctls: Mapping[str, int | str]) -> Host:
    """A namespace with a device, an address and sysctls; this process is in it afterwards."""
    namespace = linux.new_network()
    linux.without_ipv6()
    linux.set_sysctls({**BASE_SYSCTLS, **sysctls})
    tun = linux.open_tun(ADDRESS[side], MTU)
    return Host(namespace, tun, Stamps(linux.DEVICE), Diag(), linux.open_counters())


class Recording:
    """A recording; `progress` is told the time and the states about once a second."""

    def __init__(
        self, job: Job, hosts: Mapping[Side, Host], progress: Callable[[dict[str, Any]], None]
    ) -> None:
        self.job = job
        self.hosts = hosts
        self.progress = progress
        self.start_ns = time.monotonic_ns() + int(_READY_S * 1e9)
        tuns = {side: host.tun for side, host in hosts.items()}
        stamps = {side: host.stamps for side, host in hosts.items()}
        self.relay = Relay(job.path, Seeded(job.seed), tuns, stamps, self.clock_us, self.start_ns)
        self.told: list[Told] = []
        self.begun: dict[tuple[str, float], Told] = {}  # calls that have not returned
        self.pids: dict[Side, list[int]] = {"client": [], "server": []}
        self.busy_until_us = 0
        self.heard_us = 0
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def clock_us(self) -> int:
        """Time since the programs' start."""
        return (time.monotonic_ns() - self.start_ns) // 1_000

    def play(self, supervisor: int) -> dict[str, Any]:
        """Run the programs and watch; fails if the other end of `supervisor`, a descriptor, is closed."""
        period_ms = SLOW_MS if self.job.expected_us > _SLOW_US else FAST_MS
        diags = {side: host.diag for side, host in self.hosts.items()}
        watch = Watch(diags, period_ms, self.clock_us, self.relay.tuns.values())
        for side in reversed(SIDES):
            self.start_program(side)
        self.theirs.close()
        linux.hurry(_RELAY_PRIORITY)
        gc.disable()
        over = self.watch(supervisor, watch)
        for pids in self.pids.values():
            for pid in pids:
                _signal(pid, signal.SIGSTOP)  # what they would still do is not part of the trace
        watch.end()
        self.gather()
        return trace_of(
            self.job, self.relay, watch, [*self.told, *self.begun.values()], self.counters(), over
        )

    def start_program(self, side: Side) -> None:
        """The first process of a host."""
        if os.fork():
            return
        try:
            for each in SIDES:
                os.close(self.hosts[each].tun)  # the line is the relay's alone
            linux.enter_network(self.hosts[side].namespace)
            linux.hurry(_PROGRAM_PRIORITY)
            here = Sockets(ADDRESS[side], ADDRESS["server" if side == "client" else "client"])
            process = Process(side, here, self.clock_us, self.theirs, self.job.seed)
            late_us = self.clock_us()
            head_start_s = _HEAD_START_S if side == "client" else 0.0
            time.sleep(max(0.0, head_start_s - late_us / 1e6))
            process.live(self.job.programs[side])
        except BaseException as error:  # whatever it is, the recording has to hear of it
            self.theirs.send(json.dumps({"error": f"{side}: {error!r}"}).encode())
        finally:
            os._exit(1)

    def watch(self, supervisor: int, watch: Watch) -> str:
        """The loop; why it is over."""
        sides = {host.tun: side for side, host in self.hosts.items()}
        watched = watch.socket.fileno()
        descriptors = [*sides, self.ours.fileno(), watched, supervisor]
        told_us = 0
        while True:
            now_us = self.clock_us()
            wake_us = min(self.relay.next_us() or self.job.horizon_us, self.job.horizon_us)
            ready, _, _ = select.select(descriptors, (), (), max(0, wake_us - now_us) / 1_000_000)
            for descriptor in ready:
                if descriptor == supervisor:
                    raise ConnectionAbortedError("the supervisor is gone")
                if descriptor in sides:
                    self.heard_us = self.clock_us()
                    self.relay.read(sides[descriptor])
            self.relay.write()
            if self.ours.fileno() in ready:
                self.gather()
            if watched in ready:
                watch.hear()
            now_us = self.clock_us()
            if now_us >= self.job.horizon_us:
                return "the horizon"
            if self.is_quiet(now_us, watch):
                return "nothing more can happen"
            if now_us - told_us >= _PROGRESS_US:
                told_us = now_us
                self.progress({"t_us": now_us} | watch.present)

    def is_quiet(self, now_us: int, watch: Watch) -> bool:
        """Whether nothing has happened for a while, and nothing is left that could."""
        last_us = max(self.heard_us, self.busy_until_us, watch.changed_us)
        silent = min(now_us, watch.looked_us) - last_us > _SILENCE_US
        return silent and self.relay.next_us() is None and not watch.waits

    def gather(self) -> None:
        """What the programs have told since."""
        while True:
            try:
                message = json.loads(self.ours.recv(_MOST, socket.MSG_DONTWAIT) or b"null")
            except BlockingIOError:
                return
            match message:
                case {"began": row}:
                    self.begun[row["who"], row["t"]] = Told(**row)
                case {"row": row}:
                    self.begun.pop((row["who"], row["t"]), None)
                    self.told.append(Told(**row))
                    self.heard_us = self.clock_us()
                case {"until_us": until_us}:
                    self.busy_until_us = max(self.busy_until_us, until_us)
                case {"pid": pid, "side": side}:
                    self.pids[side].append(pid)
                case {"vanishes": side}:
                    self.relay.vanish(side, self.clock_us())
                    for pid in self.pids[side]:
                        _signal(pid, signal.SIGSTOP)
                case {"error": error}:
                    raise RuntimeError(error)
                case _:
                    return  # every program has ended

    def counters(self) -> dict[str, dict[str, int]]:
        """Both hosts' counters, in the trace's letters."""
        return {LETTER[side]: linux.read_counters(self.hosts[side].counters) for side in SIDES}


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
