"""The buffers of the send queue: how they are filled, how they grow, and where PSH lies when they are cut."""

from __future__ import annotations

import pytest

from tcpsim.tcp.tcb import Chunk, SocketOptions
from tcpsim.tcp.write_queue import cut, grown, octets, taken
from tests.tcp.two_ends import CLIENT, SERVER, Line
from tests.tcp.two_ends import profile as stack_of

MSS = 1_448
Q = tuple[Chunk, ...]


@pytest.mark.parametrize(
    ("queue", "limit", "after"),
    [
        ((Chunk(100),), 5_000, (Chunk(100),)),  # nothing to take
        ((Chunk(100, False), Chunk(50)), 5_000, (Chunk(150),)),  # its PSH comes with it
        ((Chunk(100), Chunk(50, False)), 5_000, (Chunk(150),)),  # PSH is the buffer's
        ((Chunk(100, False), Chunk(50), Chunk(7)), 120, (Chunk(120, False), Chunk(30), Chunk(7))),
        ((Chunk(100, False), Chunk(50), Chunk(7)), 5_000, (Chunk(150), Chunk(7))),  # one at a time
        ((Chunk(100, False), Chunk(50)), 100, (Chunk(100, False), Chunk(50))),
    ],
)
def test_a_buffer_grows(queue: Q, limit: int, after: Q) -> None:
    assert grown(queue, limit) == after
    assert octets(after) == octets(queue)


def test_the_rest_of_a_buffer_keeps_its_push() -> None:
    assert cut((Chunk(100), Chunk(5, False)), 60) == (False, (Chunk(40), Chunk(5, False)))
    assert cut((Chunk(100), Chunk(5, False)), 100) == (True, (Chunk(5, False),))
    assert cut((Chunk(100, False),), 100) == (False, ())


def test_what_is_taken_tells_where_buffers_ended() -> None:
    assert taken((Chunk(10), Chunk(20), Chunk(30)), 35) == (frozenset({10, 30}), (Chunk(25),))


def test_a_write_fills_buffers_of_half_the_largest_window() -> None:
    line = Line(stack_of("linux"), stack_of("linux")).open(server=SocketOptions(rcvbuf=5_000))
    line.send(CLIENT, 40_000)
    line.run(1_000_000)
    t = line.tcb(CLIENT)
    assert t.max_window == 3 * MSS  # half of it is one and a half
    grew, *others, last = t.unsent
    assert grew.octets <= 2 * MSS
    assert {chunk.octets for chunk in others} == {MSS}
    assert [chunk.pushed for chunk in others] == [place % 2 > 0 for place in range(len(others))]
    assert last.pushed  # the end of a write


def test_small_writes_fill_the_last_buffer() -> None:
    line = Line(stack_of("linux"), stack_of("linux")).open(server=SocketOptions(rcvbuf=4_000))
    line.send(CLIENT, 10 * MSS)
    line.run(1_000_000)
    before = line.tcb(CLIENT).unsent
    for _ in range(3):
        line.send(CLIENT, 10)
    after = line.tcb(CLIENT).unsent
    assert octets(after) == octets(before) + 30
    assert len(after) <= len(before) + 1
    assert after[-1].pushed


def test_what_was_written_arrives() -> None:
    line = Line(stack_of("linux"), stack_of("linux")).open(server=SocketOptions(rcvbuf=4_000))
    taken_up = line.send(CLIENT, 50_000)
    total = 0
    for _ in range(200):
        line.run(30_000)
        total += line.receive(SERVER)
    assert total == taken_up > 20_000
    assert not line.tcb(CLIENT).unsent
