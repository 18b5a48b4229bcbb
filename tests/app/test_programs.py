"""Programs, driven by hand: what they ask for next, given what the last call returned."""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim import sockets
from tcpsim.app import (
    Program,
    abort,
    accept,
    choose,
    close,
    connect,
    crash,
    fork,
    ignore,
    leave,
    listen,
    pause,
    poll_for_eof,
    reboot,
    receive,
    receive_to_eof,
    repeat,
    send,
    set_option,
    shutdown,
    vanish,
    wait,
    wait_if_any,
    wait_until,
)
from tcpsim.app.program import (
    DONE,
    Ask,
    Draw,
    Reboot,
    Running,
    Spawn,
    Step,
    Until,
    Vanish,
    relative,
    run,
    start,
)
from tcpsim.errors import InputError
from tcpsim.path import Uniform
from tcpsim.sockets import Reply


class Driver:
    """Runs a program and answers its calls one by one."""

    def __init__(self, *steps: Any, on_error: Any = None) -> None:
        self.running = start(Program(steps, on_error))
        self.now_us = 0
        self.action: Any = None

    def go(self, reply: Reply | None = None, now_us: int | None = None) -> Any:
        self.now_us = self.now_us if now_us is None else now_us
        self.running, self.action = run(self.running, reply, self.now_us)
        return self.action

    def value(self, value: Any) -> Any:
        return self.go(Reply(value))

    def error(self, errno: str) -> Any:
        return self.go(Reply(None, errno))

    def connected(self, fd: int = 3) -> Any:
        """Through connect(); the next action."""
        assert self.go() == sockets.Socket()
        assert self.value(fd) == sockets.Bind(fd, 40_000)
        assert self.value(0) == sockets.Connect(fd, 5_000)
        return self.value(0)


def test_a_client_reads_aloud() -> None:
    program = Program([connect(), send(100), receive(1000), wait("50ms"), close()])
    assert program.describe() == ("connect", "send 100 bytes", "receive 1000 bytes", "wait 50ms", "close")


def test_every_step_says_in_one_line_what_it_is() -> None:
    steps = [
        connect(),
        connect(sock="second"),
        listen(),
        accept(),
        send(1),
        receive(2, within="1s", late=[close()]),
        receive_to_eof(between="2s", within="30s"),
        shutdown("RDWR"),
        set_option("SO_KEEPALIVE", 1),
        wait(Uniform(0, 1_000_000)),
        wait_until("300ms"),
        pause("a worker is free"),
        poll_for_eof("5s"),
        choose([(0.9, [close()]), (0.1, [])]),
        repeat([send(1), leave()]),
        fork([ignore()]),
        crash(),
        vanish(),
        reboot("20s"),
        ignore(),
        close(),
        abort(),
    ]
    assert [step.describe() for step in steps] == [
        "connect",
        "connect (second)",
        "listen",
        "accept",
        "send 1 bytes",
        "receive 2 bytes within 1s, else {close}",
        "receive to EOF, at most 2s between reads, 30s in all",
        "shut down RDWR",
        "set SO_KEEPALIVE to 1",
        "wait uniform(0s, 1s)",
        "wait until 300ms",
        "wait until a worker is free",
        "every 5s see whether the peer has closed",
        "choose {0.9: close; 0.1: nothing}",
        "again and again {send 1 bytes, leave the loop}",
        "fork a child {ignore the socket for ever}",
        "the process ends",
        "the machine vanishes",
        "the machine reboots (20s down)",
        "ignore the socket for ever",
        "close",
        "abort",
    ]


def test_a_client_from_connect_to_close() -> None:
    d = Driver(connect(), send(100), receive(1000), wait("50ms"), close())
    assert d.connected() == sockets.SendAll(3, 100)
    assert d.value(100) == sockets.Recv(3, 1000)
    assert d.value(400) == sockets.Recv(3, 600)
    assert d.go(Reply(600), now_us=7_000) == Until(57_000)
    assert d.running.wake_us == 57_000
    assert d.go(now_us=57_000) == sockets.Close(3)
    assert d.running.wake_us is None
    assert d.value(0) == DONE
    assert d.running.finished


def test_a_server_accepts_on_its_listener() -> None:
    d = Driver(listen(backlog=7), accept(), receive(100), close(), close("listener"))
    assert d.go() == sockets.Socket()
    assert d.value(3) == sockets.Bind(3, 5_000)
    assert d.value(0) == sockets.Listen(3, 7)
    assert d.value(0) == sockets.Accept(3)
    assert d.value(4) == sockets.Recv(4, 100)
    assert d.value(100) == sockets.Close(4)
    assert d.value(0) == sockets.Close(3)
    assert d.value(0) == DONE


def test_options_are_set_before_bind_in_their_order() -> None:
    d = Driver(connect(options=(("SO_REUSEADDR", 1), ("TCP_USER_TIMEOUT", 2_000))), close())
    d.go()
    assert d.value(3) == sockets.SetSockOpt(3, "SO_REUSEADDR", 1)
    assert d.value(0) == sockets.SetSockOpt(3, "TCP_USER_TIMEOUT", 2_000)
    assert d.value(0) == sockets.Bind(3, 40_000)
    assert d.value(0) == sockets.Connect(3, 5_000)
    assert d.value(0) == sockets.Close(3)


def test_two_sockets_have_names() -> None:
    d = Driver(connect(), connect("second", local_port=40_001), close(), close("second"))
    assert d.connected(3) == sockets.Socket()
    assert d.value(4) == sockets.Bind(4, 40_001)
    d.value(0)
    assert d.value(0) == sockets.Close(3)
    assert d.value(0) == sockets.Close(4)


def test_a_failed_call_closes_the_socket_and_ends_the_program() -> None:
    d = Driver(connect(), send(100), receive(1000), ignore())
    d.connected()
    assert d.error("ECONNRESET") == sockets.Close(3)
    assert d.value(0) == DONE
    assert d.running.error == "ECONNRESET"


def test_a_failed_connect_closes_the_socket_too() -> None:
    d = Driver(connect(), send(100))
    assert [d.go(), d.value(3), d.value(0)][-1] == sockets.Connect(3, 5_000)
    assert d.error("ETIMEDOUT") == sockets.Close(3)


def test_on_error_steps_replace_the_close() -> None:
    d = Driver(connect(), send(100), close(), on_error=[wait("1s"), send(5), close()])
    d.connected()
    assert d.error("EPIPE") == Until(1_000_000)
    assert d.go(now_us=1_000_000) == sockets.SendAll(3, 5)
    assert d.error("EPIPE") == DONE, "a second error ends it; the descriptor stays"
    assert d.running.fds == (3,)


def test_early_eof_is_an_error_unless_told_otherwise() -> None:
    d = Driver(connect(), receive(1000), ignore())
    d.connected()
    assert d.value(0) == sockets.Close(3)
    assert d.running.error == "EOF"

    d = Driver(connect(), receive(1000, eof=[send(1)]), send(2))
    d.connected()
    assert d.value(0) == sockets.SendAll(3, 1)
    assert d.value(1) == sockets.SendAll(3, 2), "goes on behind the receive"


def test_receive_within_a_time_polls_and_keeps_one_deadline() -> None:
    d = Driver(connect(), receive(100, within="5s", late=[shutdown()]), close())
    assert d.connected() == sockets.Poll((3,), 5_000_000, sockets.POLLIN | sockets.POLLRDHUP)
    assert d.go(Reply(((3, "POLLIN"),)), now_us=2_000_000) == sockets.Recv(3, 100)
    action = d.value(40)
    assert action == sockets.Poll((3,), 3_000_000, sockets.POLLIN | sockets.POLLRDHUP)
    assert d.go(Reply(()), now_us=5_000_000) == sockets.Shutdown(3, "WR")
    assert d.value(0) == sockets.Close(3)


def test_receive_within_a_time_that_is_in_time_skips_the_late_steps() -> None:
    d = Driver(connect(), receive(100, within="5s", late=[shutdown()]), close())
    d.connected()
    d.value(((3, "POLLIN"),))
    assert d.value(100) == sockets.Close(3)


def test_without_late_steps_a_timeout_is_an_error() -> None:
    d = Driver(connect(), receive(100, within="5s"), ignore())
    d.connected()
    assert d.value(()) == sockets.Close(3)
    assert d.running.error == "ETIMEDOUT"


def test_draining_is_patient_between_reads_and_in_all() -> None:
    bits = sockets.POLLIN | sockets.POLLRDHUP
    d = Driver(connect(), receive_to_eof(between="2s", within="3s"), close())
    assert d.connected() == sockets.Poll((3,), 2_000_000, bits)
    assert d.go(Reply(((3, "POLLIN"),)), now_us=1_500_000) == sockets.Recv(3, 65_536)
    assert d.value(10) == sockets.Poll((3,), 1_500_000, bits)
    assert d.go(Reply(()), now_us=3_000_000) == sockets.Close(3)
    assert d.running.error is None


def test_receive_to_eof_discards_until_zero() -> None:
    d = Driver(connect(), receive_to_eof(), close())
    assert d.connected() == sockets.Recv(3, 65_536)
    assert d.value(500) == sockets.Recv(3, 65_536)
    assert d.value(0) == sockets.Close(3)


def test_polling_ends_when_the_peer_has_closed() -> None:
    d = Driver(connect(), poll_for_eof("5s"), close())
    assert d.connected() == Until(5_000_000)
    assert d.go(now_us=5_000_000) == sockets.Poll((3,), 0, sockets.POLLIN | sockets.POLLRDHUP)
    assert d.value(()) == Until(10_000_000)
    d.go(now_us=10_000_000)
    assert d.value(((3, "POLLIN"),)) == Until(15_000_000), "data is not the end"
    d.go(now_us=15_000_000)
    assert d.value(((3, "POLLIN|POLLRDHUP"),)) == sockets.Close(3)


def test_a_choice_is_asked_for_and_branches_rejoin() -> None:
    steps = [connect(), choose([(0.9, [wait("50ms")]), (0.1, [send(1), send(2)])], "mood"), close()]
    for index, expected in ((0, Until(50_000)), (1, sockets.SendAll(3, 1))):
        d = Driver(*steps)
        assert d.connected() == Ask("mood", ("pass", "branch 2"), (0.9, 0.1))
        assert d.value(index) == expected
    assert d.value(1) == sockets.SendAll(3, 2)
    assert d.value(2) == sockets.Close(3)


def test_a_drawn_wait_begins_when_it_is_drawn() -> None:
    d = Driver(wait(Uniform(0, 9)), wait_until("1s"), wait_until("1s"), wait(0))
    assert d.go(now_us=100) == Draw(Uniform(0, 9))
    assert d.value(7) == Until(107)
    assert d.go(now_us=107) == Until(1_000_000)
    assert d.go(now_us=1_000_000) == DONE


def test_nothing_to_wait_for_is_no_step() -> None:
    assert wait_if_any("0s") == []
    assert wait_if_any("1s") == [wait("1s")]
    assert wait_if_any(Uniform(0, 9)) == [wait(Uniform(0, 9))]


def test_loops_and_how_to_leave_them() -> None:
    d = Driver(listen(), accept(), repeat([receive(10, eof=[leave()]), send(20)]), close())
    for value in (None, 3, 0, 0):
        d.go(None if value is None else Reply(value))
    assert d.value(4) == sockets.Recv(4, 10)
    assert d.value(10) == sockets.SendAll(4, 20)
    assert d.value(20) == sockets.Recv(4, 10)
    assert d.value(0) == sockets.Close(4)


def test_fork_starts_a_child_with_the_same_descriptors() -> None:
    d = Driver(connect(), fork([send(7), ignore()]), close())
    action = d.connected()
    assert isinstance(action, Spawn)
    assert action.child.fds == (3,)
    child, child_action = run(action.child, None, 0)
    assert child_action == sockets.SendAll(3, 7)
    assert run(child, Reply(7), 0)[1] == Until(None)
    assert d.value(2) == sockets.Close(3), "the parent does not run the child's steps"
    assert d.value(0) == DONE


def test_abort_is_a_close_that_does_not_linger() -> None:
    d = Driver(connect(), abort(), abort())
    assert d.connected() == sockets.SetSockOpt(3, "SO_LINGER", (1, 0))
    assert d.value(0) == sockets.Close(3)
    assert d.value(0) == DONE, "a second close of the same socket is nothing"


@pytest.mark.parametrize(
    ("step", "action"),
    [(crash(), sockets.Exit()), (vanish(), Vanish()), (reboot("20s"), Reboot(20_000_000))],
    ids=["crash", "vanish", "reboot"],
)
def test_what_befalls_a_machine_is_an_action(step: Any, action: Any) -> None:
    assert Driver(step).go() == action


def test_ignoring_is_for_ever_and_pausing_until_resumed() -> None:
    d = Driver(pause("resumed"), connect(), ignore())
    assert d.go() == Until(None)
    assert d.running.describe() == "wait until resumed"
    assert d.connected() == Until(None)
    assert d.go() == Until(None)
    assert d.running.describe() == "ignore the socket for ever"


def test_a_loop_that_does_nothing_is_one_line_of_error() -> None:
    with pytest.raises(InputError, match=r"^program: found .*: loops that wait"):
        Driver(repeat([wait(0)])).go()


def test_programs_and_places_are_values() -> None:
    steps = [connect(), choose([(0.5, [close()]), (0.5, [ignore()])]), fork([ignore()])]
    again = [connect(), choose([(0.5, [close()]), (0.5, [ignore()])]), fork([ignore()])]
    assert Program(steps) == Program(again)
    assert hash(start(Program(steps))) == hash(start(Program(again)))
    assert Program(steps) != Program(steps, on_error=[])
    assert Program(steps) != Program([*steps, close()])


def test_time_in_a_place_is_relative() -> None:
    def asleep(now_us: int) -> Running:
        d = Driver(wait("1s"), close())
        d.go(now_us=now_us)
        return d.running

    assert relative(asleep(5), 105) == relative(asleep(1_005), 1_105)
    assert relative(asleep(5), 105) != relative(asleep(5), 106)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: send(0), "send: found 0, allowed: an integer >= 1"),
        (lambda: wait("5"), "wait: found '5', allowed: a number with a unit"),
        (lambda: receive(1, late=[close()]), "receive.late: found no time limit"),
        (lambda: shutdown("READ"), "shutdown: found 'READ', allowed: \"RD\""),
        (lambda: poll_for_eof(0), "poll_for_eof.every: found 0"),
        (lambda: choose([(0.5, []), (0.6, [])]), r"choose.behaviour: found \(0.5, 0.6\)"),
        (lambda: Program([leave()]), "leave: found no loop"),
        (lambda: Program(["close"]), "program: found 'close', allowed: steps such as"),  # type: ignore
    ],
)
def test_a_mistake_in_a_program_is_told_in_one_line(wrong: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        wrong()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("last", [vanish(), crash(), ignore()])
def test_what_would_never_be_reached_is_refused(last: Step) -> None:
    with pytest.raises(InputError, match="never reached"):
        Program([connect(), last, close()])
    with pytest.raises(InputError, match="never reached"):
        Program([connect()], on_error=[last, close()])
    Program([connect(), choose([(0.5, [last]), (0.5, [])]), close()])
    Program([connect(), reboot("5s"), connect("again"), close("again")])
