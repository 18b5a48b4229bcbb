"""What a program may yet send: the octets of its only write, where there is only one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tcpsim.app import Program, accept, close, fork, listen, receive, repeat, send, wait
from tcpsim.app import equivalence as app
from tcpsim.app.program import Step, start
from tests.explore.key_worlds import either

OPENS: Sequence[Step] = [listen(), accept(), receive(10)]


@pytest.mark.parametrize(
    ("steps", "octets"),
    [
        ([send(700), close()], 700),
        ([close()], None),
        ([send(700), send(1), close()], None),
        ([repeat([receive(1), send(700)])], None),
        ([either([send(700)], [wait("1s")]), close()], 700),
        ([either([send(700)], [send(800)]), close()], None),
        ([fork([send(700), close()]), close()], 700),
        ([repeat([fork([send(700), close()]), receive(1)])], None),
        ([fork([repeat([fork([send(700), close()])])]), close()], None),
    ],
)
def test_the_only_write_to_come(steps: Sequence[Step], octets: int | None) -> None:
    assert app.one_send(start(Program([*OPENS, *steps]), 1, 2)) == octets


@pytest.mark.parametrize(
    ("steps", "octets"),
    [
        ([send(700), send(1), close()], 701),
        ([close()], 0),
        ([repeat([receive(1), send(700)])], None),
        ([fork([send(700), close()]), close()], 700),
        ([repeat([fork([send(700), close()]), receive(1)])], None),
    ],
)
def test_all_that_a_program_sends_in_its_life(steps: Sequence[Step], octets: int | None) -> None:
    assert app.most_octets(Program([*OPENS, *steps])) == octets


def test_a_write_that_has_begun_is_not_to_come() -> None:
    program = Program([send(700), close()])
    fresh = start(program, 1, 2)
    assert (app.one_send(fresh), app.one_send(fresh.phase_to(1))) == (700, None)
