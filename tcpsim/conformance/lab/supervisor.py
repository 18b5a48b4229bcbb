"""The supervisor: it runs a recording in a process of its own, and cleans up however that ends.

Owns: the process of a recording, the requirements of the lab, and the removal of everything: on return, on an
error, on Ctrl-C and SIGTERM, and when the recording is killed. Refuses to know: what is recorded.

A process, a descriptor or a socket keeps a namespace alive. Processes end with the first process of their pid
namespace, and descriptors end with their processes. Sockets that outlive both, orphans with a FIN to send,
are destroyed by the process that is left. If both processes are killed at once, orphans give up by
themselves.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from tcpsim.conformance.lab import linux
from tcpsim.conformance.lab.recording import Host, Recording, set_up
from tcpsim.conformance.lab.recording_plan import Job
from tcpsim.conformance.lab.sock_diag import Diag
from tcpsim.errors import InputError
from tcpsim.path import SIDES, Side

Progress = Callable[[dict[str, Any]], None]
Sysctls = Mapping[Side, Mapping[str, int | str]]
Play = Callable[[Mapping[Side, Host], Progress, int], dict[str, Any]]  # hosts, whom to tell, the supervisor
_HELLO = b"ready\n"


def missing() -> str | None:
    """What this machine lacks for a lab, in a few words; None: nothing that one can see without trying."""
    if sys.platform != "linux":
        return f"{sys.platform}, not Linux"
    if os.geteuid() != 0:
        return "no root"
    if not os.access(linux.TUN, os.R_OK | os.W_OK):
        return f"no {linux.TUN}"
    return None


def record(job: Job, progress: Progress = lambda _: None) -> dict[str, Any]:
    """The trace of a job; takes as long as the job does, in real time.

    Raises:
        InputError: this machine has no lab.
        ChildProcessError: the recording died; the message says how.
    """

    def play(hosts: Mapping[Side, Host], say: Progress, control: int) -> dict[str, Any]:
        return Recording(job, hosts, say).play(control)

    return supervised({side: {**job.sysctls[side]} for side in SIDES}, play, progress)


def supervised(sysctls: Sysctls, play: Play, progress: Progress) -> dict[str, Any]:
    """What `play` makes of two hosts with these sysctls, in a process of its own; see `record` for errors."""
    lack = missing()
    if lack is not None:
        raise refusal(lack)
    ours, theirs = socket.socketpair()
    with _terminable():
        try:
            pid = linux.fork_family()
        except OSError as error:
            raise refusal(f"no pid namespace ({error.strerror})") from None
        if pid == 0:
            ours.close()
            _record_and_exit(sysctls, play, theirs)
        theirs.close()
        diags: list[Diag] = []
        try:
            hello, descriptors, _, _ = socket.recv_fds(ours, len(_HELLO), len(SIDES))
            diags = [Diag(descriptor) for descriptor in descriptors]
            return _heard(ours, hello, progress)
        finally:
            _kill(pid)
            _destroy(diags)
            ours.close()


def _heard(ours: socket.socket, hello: bytes, progress: Progress) -> dict[str, Any]:
    """The trace, once the recording has said it all."""
    with ours.makefile("rb") as lines:
        first = b"" if hello == _HELLO else hello  # not ready: an error follows
        for line in lines:
            message = json.loads(first + line)
            first = b""
            match message:
                case {"trace": trace}:
                    found: dict[str, Any] = trace
                    return found
                case {"lack": lack}:
                    raise refusal(lack)
                case {"error": error}:
                    raise ChildProcessError(0, f"the recording failed: {error}", "lab")
                case _:
                    progress(message)
    raise ChildProcessError(0, "the recording was killed", "lab")


def refusal(lack: str) -> InputError:
    """This machine has no lab."""
    return InputError("lab", lack, f"Linux, root, {linux.TUN} and namespaces")


def _record_and_exit(sysctls: Sysctls, play: Play, control: socket.socket) -> NoReturn:
    """In the child: record, say so, and go."""
    diags: list[Diag] = []

    def say(message: dict[str, Any]) -> None:
        control.sendall(json.dumps(message).encode() + b"\n")

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
        hosts, lack = _hosts(sysctls)
        diags.extend(host.diag for host in hosts.values())
        if not lack:
            socket.send_fds(control, [_HELLO], [diag.socket.fileno() for diag in diags])
        say({"lack": lack} if lack else {"trace": play(hosts, say, control.fileno())})
    except ConnectionError:
        _destroy(diags)  # nobody is left to say it to, nor to clean up
    except BaseException as error:  # whatever it is, the supervisor has to hear of it
        say({"error": repr(error)})
    finally:
        os._exit(0)


def _hosts(sysctls: Sysctls) -> tuple[dict[Side, Host], str]:
    """The two hosts, or why there are none."""
    try:
        return {side: set_up(side, sysctls[side]) for side in SIDES}, ""
    except OSError as error:
        return {}, f"no namespace or device to be had ({error.filename or ''} {error.strerror})"


def _kill(pid: int) -> None:
    """End a process, and with it those that it has started, and wait for that."""
    os.kill(pid, signal.SIGKILL)  # nobody has waited for it yet: it is there, if only as a zombie
    os.waitpid(pid, 0)


def _destroy(diags: list[Diag]) -> None:
    for diag in diags:
        with suppress(OSError):  # a kernel that cannot: orphans give up by themselves
            diag.destroy_all()
        diag.socket.close()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as Ctrl-C does: by an exception, so that nothing is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
