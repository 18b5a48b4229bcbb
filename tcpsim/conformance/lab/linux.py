"""The kernel interfaces of the lab: namespaces, TUN devices, sysctls, counters and priorities.

Owns: the numbers of Linux's interface (ioctl, unshare, setns) and their errors. Refuses to know: what is
recorded. Linux only; needs root.

A namespace has no name here. It exists as long as a process or a descriptor refers to it, and its TUN device
exists as long as the descriptor that created it. So the kernel removes both, however a recording ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress

_CLONE_NEWNET, _CLONE_NEWPID = 0x40000000, 0x20000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
DEVICE = "tcpsim0"
_PR_SET_PDEATHSIG = 1
_COUNTERS = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
_CHILD_BUCKETS, _BUCKETS = "tcp_child_ehash_entries", 1024
_LIMITS_BY_BUCKETS = ("tcp_max_tw_buckets", "tcp_max_syn_backlog")  # net/ipv4/tcp_ipv4.c tcp_set_hashinfo
_SCHEDULED = "/proc/thread-self/schedstat"
_CONSTANTS = ("RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn")  # in snmp, but they count nothing
TUN = "/dev/net/tun"


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def end_with_parent() -> None:
    """This process is killed as soon as the one that forked it is gone."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)


def new_network() -> int:
    """This thread moves to a network namespace of its own; a descriptor that refers to it.

    Its connections have a hash table of their own, where the kernel can do that (Linux 6.1): a dump of
    its sockets then walks a few buckets and not the machine's hundred thousands. The size is asked of the
    namespace that makes the new one, and two limits would follow from it; they are set back.
    """
    _call("unshare", _CLONE_NEWNET)
    if os.path.exists(_sysctl(_CHILD_BUCKETS)):
        limits = {name: _read(_sysctl(name)) for name in _LIMITS_BY_BUCKETS}
        set_sysctls({_CHILD_BUCKETS: _BUCKETS})
        _call("unshare", _CLONE_NEWNET)
        set_sysctls(limits)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_network(namespace: int) -> None:
    """This thread moves to the namespace behind a descriptor."""
    _call("setns", namespace, _CLONE_NEWNET)


def fork_family() -> int:
    """fork(); the child is the first process of a pid namespace, so that its descendants end with it."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pid = -1
    try:
        _call("unshare", _CLONE_NEWPID)
        pid = os.fork()
    finally:
        if pid != 0:
            _call("setns", own, _CLONE_NEWPID)  # so that later children are in the old one again
        os.close(own)
    return pid


def open_tun(address: str, mtu: int, device: str = DEVICE) -> int:
    """A TUN device with an address and a /24 route, up, in the present namespace; its descriptor."""
    name = device.encode()
    tun = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", name, _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.0")):
            packed = struct.pack("16sH2x4s16x", name, socket.AF_INET, socket.inet_aton(value))
            fcntl.ioctl(any_socket, request, packed)
        fcntl.ioctl(any_socket, _SIOCSIFMTU, struct.pack("16si20x", name, mtu))
        flags = struct.pack("16sH22x", name, _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, flags)
    return tun


def set_sysctls(values: Mapping[str, int | str]) -> None:
    """Write net.ipv4 sysctls of the present namespace."""
    for name, value in values.items():
        _write(_sysctl(name), value)


def without_ipv6() -> None:
    """No router solicitations and duplicate address detection on the line."""
    switch = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
    if os.path.exists(switch):
        _write(switch, 1)


def _sysctl(name: str) -> str:
    return f"/proc/sys/net/ipv4/{name}"


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _write(path: str, value: int | str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def open_counters() -> tuple[int, ...]:
    """The files with the counters of the present namespace; they stay its counters wherever one goes."""
    return tuple(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in _COUNTERS)


def read_counters(files: tuple[int, ...]) -> dict[str, int]:
    """Those of TCP that are not zero."""
    found: dict[str, int] = {}
    for file in files:
        lines = os.pread(file, 1 << 16, 0).decode("ascii").splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            group, *keys = names.split()
            if group in ("Tcp:", "TcpExt:"):
                numbers = [int(value) for value in values.split()[1:]]
                found |= {key: n for key, n in zip(keys, numbers, strict=True) if n and key not in _CONSTANTS}
    return found


def open_waited() -> int | None:
    """What tells how long this thread has been ready and had no processor; None: the kernel does not say."""
    try:
        return os.open(_SCHEDULED, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def waited_us(file: int | None) -> int:
    """How long that is so far."""
    return 0 if file is None else int(os.pread(file, 100, 0).split()[1]) // 1_000


def hurry(priority: int) -> None:
    """Real-time priority for this process, where that is allowed: on a busy machine too, times are exact."""
    with suppress(OSError):  # else the times are as good as the machine is idle, and the trace tells
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
