"""Whatever programs do, the tables between descriptors and sockets stay consistent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.sockets import (
    Accept,
    Bind,
    Call,
    Close,
    Connect,
    Dup,
    Exit,
    Fork,
    GetSockOpt,
    Kill,
    Listen,
    Poll,
    Recv,
    Reply,
    Send,
    SendAll,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
    Socket,
    System,
    Thread,
    deliver,
    held,
)
from tcpsim.tcp.segment import ACK, Segment
from tcpsim.tcp.state import State
from tests.sockets.two_hosts import CLIENT, CLIENT_PORT, MS, SERVER, SERVER_PORT, Hosts, S, connected

EVENTS = st.integers(0, 0x3FFF)
FDS = st.integers(3, 7)
PORTS = st.sampled_from([CLIENT_PORT, SERVER_PORT])
CALLS: st.SearchStrategy[Call] = st.one_of(
    st.just(Socket()),
    st.builds(Bind, FDS, PORTS),
    st.builds(Listen, FDS, st.integers(0, 2)),
    st.builds(Connect, FDS, PORTS),
    st.builds(Accept, FDS),
    st.builds(Send, FDS, st.sampled_from([0, 1, 5_000, 500_000])),
    st.builds(SendAll, FDS, st.sampled_from([1, 500_000])),
    st.builds(Recv, FDS, st.sampled_from([1, 100_000])),
    st.builds(Shutdown, FDS, st.sampled_from(["RD", "WR", "RDWR"])),
    st.builds(Close, FDS),
    st.builds(Close, FDS),
    st.builds(SetNonblocking, FDS, st.booleans()),
    st.builds(SetSockOpt, FDS, st.just("SO_LINGER"), st.sampled_from([(1, 0), (1, 1), (0, 0)])),
    st.builds(GetSockOpt, FDS, st.just("SO_ERROR")),
    st.builds(
        Poll,
        st.tuples(FDS, FDS),
        st.sampled_from([0, 1 * S, None]),
        st.one_of(EVENTS, st.tuples(EVENTS, EVENTS)),
    ),
    st.builds(Dup, FDS),
    st.builds(Fork, st.integers(2, 3)),
    st.just(Exit()),
    st.builds(Kill, st.integers(1, 3)),
)
CALLERS = st.one_of(st.integers(1, 3), st.builds(Thread, st.integers(1, 2), st.integers(0, 1)))
PAUSES = st.sampled_from([0, 0, 5 * MS, 50 * MS, 2 * S])
DEEDS = st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), CALLERS, CALLS, PAUSES), max_size=40)


def consistent(system: System) -> None:
    """Reference counts are right, every open file has a live socket, nobody waits for nothing."""
    references = Counter(file_id for table in system.tables.values() for file_id in table.values())
    waited = {file_id for blocked in system.blocked for file_id in blocked.files}
    assert {file_id: file.refs for file_id, file in system.files.items() if file.refs} == dict(references)
    assert {file_id for file_id, file in system.files.items() if not file.refs} <= waited
    assert waited <= system.files.keys()
    known = system.end.sockets.keys() | system.end.listeners.keys()
    assert held(system) <= known
    for sid, tcb in system.end.sockets.items():
        assert tcb.orphaned or not tcb.accepted or tcb.state is State.SYN_RECEIVED or sid in held(system)
    assert len({blocked.caller for blocked in system.blocked}) == len(system.blocked)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(DEEDS)
def test_tables_stay_consistent(deeds: list[tuple[str, int | Thread, Call, int]]) -> None:
    hosts = Hosts(nofile=8)
    connected(hosts)
    for side, caller, call, pause_us in deeds:
        host = hosts.hosts[side]
        waiting = any(blocked.caller == caller for blocked in host.blocked)
        taken = isinstance(call, Fork) and call.child_pid in host.tables
        if not taken and (not waiting or isinstance(call, Kill)):
            hosts.call(side, call, caller)
            consistent(hosts.hosts[side])
        hosts.run(pause_us)
        for host in hosts.hosts.values():
            consistent(host)


def test_a_host_where_nothing_waits_pays_nothing_for_a_segment() -> None:
    hosts = Hosts()
    client, _, _ = connected(hosts)
    hosts.value(CLIENT, Send(client, 1))
    before = hosts.hosts[SERVER]
    hosts.run(10 * MS)
    after = hosts.hosts[SERVER]
    assert after.end is not before.end
    assert all(mine is theirs for mine, theirs in zip(after[1:], before[1:], strict=True))


def test_a_system_is_a_value() -> None:
    hosts = Hosts()
    client, server, _ = connected(hosts)
    before = hosts.hosts[SERVER]
    assert hosts.call(SERVER, Recv(server, 10)) is None
    hosts.value(CLIENT, Send(client, 4))
    hosts.run(100 * MS)
    assert before.blocked == ()
    stray = Segment(SERVER_PORT, CLIENT_PORT, ACK, 1, 1, 0, 0)
    assert deliver(before, stray, hosts.now).completed == ()
    hosts.hosts[SERVER] = before  # the same past, another future
    hosts.value(SERVER, SetNonblocking(server))
    assert hosts.call(SERVER, Recv(server, 10)) == Reply(None, "EAGAIN")
