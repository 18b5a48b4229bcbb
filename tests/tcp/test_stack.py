"""Profiles: each field is read by some rule, each value has a source, and turning a knob turns something."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import tcpsim
from tcpsim.errors import InputError
from tcpsim.tcp.stack import Stack, knobs, names, stack
from tcpsim.tcp.state import Holder, State, parse_state

PACKAGE = Path(tcpsim.__file__).parent
FIELDS = [field.name for field in fields(Stack)]


def attributes_read() -> set[str]:
    """What is read of a profile anywhere: `s.field`, `step.s.field`, `stack.field`, `end.stack.field`."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in ("s", "stack"):
                    found.add(node.attr)
    return found


def test_every_field_is_read_by_some_rule() -> None:
    assert set(FIELDS) <= attributes_read()


@pytest.mark.parametrize("name", names())
def test_every_value_has_a_source(name: str) -> None:
    assert [knob.field for knob in knobs(name)] == [field for field in FIELDS if field != "name"]
    assert all(knob.source for knob in knobs(name))


def test_no_code_asks_for_a_stacks_name() -> None:
    """Where stacks differ there is a field; `==` with a profile's name would be a second place."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                compared = [node.left, *node.comparators]
                constants = {part.value for part in compared if isinstance(part, ast.Constant)}
                asks = any(isinstance(part, ast.Attribute) and part.attr == "name" for part in compared)
                assert not (asks and constants & set(names())), path


@pytest.mark.parametrize(
    ("knob", "value", "field", "is_now"),
    [
        ("tcp_fin_timeout", "30s", "fin_wait_2_us", 30_000_000),
        ("tcp_fin_timeout", 30, "fin_wait_2_us", 30_000_000),
        ("tcp_fin_timeout", "30", "fin_wait_2_us", 30_000_000),
        ("fin_wait_2_us", 30_000_000, "fin_wait_2_us", 30_000_000),
        ("fin_wait_2_us", "never", "fin_wait_2_us", None),
        ("tcp_retries2", "5", "retries", 5),
        ("tcp_rfc1337", "1", "rfc1337", True),
        ("tcp_sack", 0, "sack", False),
        (
            "keepalive_states",
            ["ESTAB", "CLOSE_WAIT"],
            "keepalive_states",
            {State.ESTABLISHED, State.CLOSE_WAIT},
        ),
    ],
)
def test_knobs(knob: str, value: object, field: str, is_now: object) -> None:
    assert getattr(stack("linux").with_knobs({knob: value}), field) == is_now
    assert getattr(stack("linux"), field) != is_now or field == "sack"


@pytest.mark.parametrize(
    ("knob", "value", "says"),
    [
        ("tcp_fin_timeot", "30s", "tcp_fin_timeout"),
        ("tcp_fin_timeout", "30 parsecs", "knob tcp_fin_timeout"),
        ("tcp_retries2", "many", "an integer from 0 to 255"),
        ("tcp_rfc1337", "perhaps", "true or false"),
        ("name", "solaris", "found 'name'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_knob(knob: str, value: str, says: str) -> None:
    with pytest.raises(InputError, match=knob) as raised:
        stack("linux").with_knobs({knob: value})
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_stack() -> None:
    with pytest.raises(InputError, match="linux"):
        stack("plan9")


def test_memory_by_holder() -> None:
    memory = stack("linux").memory
    assert [memory.of(holder) for holder in Holder] == [4900, 3000, 256, 320, 3000]


@pytest.mark.parametrize(
    ("spelling", "state"),
    [
        ("FIN-WAIT-2", State.FIN_WAIT_2),
        ("fin_wait2", State.FIN_WAIT_2),
        ("FINWAIT2", State.FIN_WAIT_2),
        ("TCPS_FIN_WAIT_2", State.FIN_WAIT_2),
        ("TCP_ESTABLISHED", State.ESTABLISHED),
        ("ESTAB", State.ESTABLISHED),
        ("SYN-RECV", State.SYN_RECEIVED),
        ("UNCONN", None),
        ("CLOSED", State.CLOSED),
        ("08", State.CLOSE_WAIT),
        ("0a", State.LISTEN),
        ("NEW_SYN_RECV", State.SYN_RECEIVED),
    ],
)
def test_spellings_of_states(spelling: str, state: State | None) -> None:
    if state is None:
        with pytest.raises(ValueError, match="allowed are"):
            parse_state(spelling)
    else:
        assert parse_state(spelling) is state
