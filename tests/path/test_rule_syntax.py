"""Rules in words and as data: which segments each drops, what it remembers, and what it refuses."""

from __future__ import annotations

import pytest

from tcpsim.errors import InputError
from tcpsim.path import Quiet, make_path, send
from tcpsim.path.element import Element, Side
from tcpsim.path.rule import Rule, Script, rule_from_trace
from tcpsim.path.rule_syntax import parse_rule, script
from tcpsim.tcp.segment import ACK, FIN, PSH, RST, SYN, Segment
from tests.path.wire import Tape, seg

Sent = tuple[Side, Segment]


def c(flags: str, length: int = 0, seq: int = 0, port: int = 40_000) -> Sent:
    return "client", seg(flags, length, seq, "client", port)


def s(flags: str, length: int = 0, seq: int = 0, port: int = 40_000) -> Sent:
    return "server", seg(flags, length, seq, "server", port)


# A whole connection, with its FINs repeated; the test names positions in it.
LIFE: list[Sent] = [
    c("S"),  # 0
    s("SA"),  # 1
    c("A"),  # 2
    c("PA", 100),  # 3
    s("A"),  # 4
    s("PA", 1000),  # 5
    c("A"),  # 6
    s("FA"),  # 7
    s("FA"),  # 8
    c("A"),  # 9
    s("FPA", 10),  # 10
    c("FA"),  # 11
    s("R"),  # 12
    c("RA"),  # 13
]


def dropped(*rules: str | Rule, life: list[Sent] = LIFE, step_us: int = 1_000_000) -> list[int]:
    """The positions in `life` that are dropped; one segment per second."""
    element: Element = script(rules)
    found = []
    for index, (side, segment) in enumerate(life):
        element, emerged, why = element.carry(side, segment, index * step_us, Tape())
        if emerged:
            assert (emerged, why) == (((index * step_us, segment),), "")
        else:
            found.append(index)
    return found


@pytest.mark.parametrize(
    ("rule", "positions"),
    [
        ("server FIN", [7, 8, 10]),
        ("every server FIN", [7, 8, 10]),
        ("server FIN 1", [7]),
        ("server FIN 2", [8]),
        ("server FIN 2,3", [8, 10]),
        ("server FIN 1-4", [7, 8, 10]),
        ("server FIN 1,3-5", [7, 10]),
        ("server FIN 3,1", [7, 10]),
        ("server FIN 1-9,2", [7, 8, 10]),
        ("SERVER fin 2", [8]),
        ("server #1", [1]),
        ("server #7", [12]),
        ("server #2-3,7", [4, 5, 12]),
        ("every server RST", [12]),
        ("both RST", [12, 13]),
        ("both FIN 4", [11]),
        ("client ACK", [2, 6, 9]),
        ("client ACK 3", [9]),
        ("client DATA 1", [3]),
        ("server DATA", [5, 10]),
        ("client SYN 1", [0]),
        ("server SYN", []),
        ("server SYN-ACK 1", [1]),
        ("client ANY", [0, 2, 3, 6, 9, 11, 13]),
        ("client after 5s", [5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("server after 5s", [5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("both after 5s", [5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("client after 5s before 7s", [5, 6]),
        ("client ANY after 5s", [6, 9, 11, 13]),
        ("server FIN 1 after 8s", [8]),
        ("every server FIN before 8s", [7]),
        ("client ACK before 7s after 3s", [6]),
    ],
)
def test_words(rule: str, positions: list[int]) -> None:
    assert dropped(rule) == positions


def test_rules_count_alone_and_each_sees_what_another_drops() -> None:
    assert dropped("server FIN 1", "server FIN 2") == [7, 8]
    assert dropped("server #5", "server FIN 2") == [8]  # its 5th segment is its 2nd FIN
    assert dropped("server FIN", "server FIN 2") == [7, 8, 10]


def test_a_loss_says_which_rule_it_was() -> None:
    _, emerged, why = script(["client SYN", "client #1"]).carry(*c("S"), 0, Tape())
    assert (emerged, why) == ((), "client SYN")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every",
        "server",
        "every server",
        "peer FIN 1",
        "FIN 1",
        "server FINN",
        "server FIN 0",
        "server FIN x",
        "server FIN -1",
        "server FIN 4-1",
        "server FIN 1,",
        "server FIN 1 2",
        "every server FIN 2",
        "every client after 5s",
        "server #",
        "server #0",
        "server # 7",
        "server #7 8",
        "client before 5s",
        "client after",
        "after 5s",
        "client FIN after 5s after 6s",
        "server FIN,RST",
    ],
)
def test_what_is_no_rule_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rule(text, "--drop")
    message = str(caught.value)
    assert message.startswith(f"--drop: found {text!r}")
    assert ("SYN-ACK" in message) is ("did you mean" not in message)
    assert "\n" not in message


def test_a_time_in_a_rule_needs_a_unit_and_an_order() -> None:
    with pytest.raises(
        InputError, match=r"^--drop 'client after 5': found '5', allowed: a number with a unit"
    ):
        parse_rule("client after 5", "--drop")
    with pytest.raises(InputError, match=r"^drop: found .*, allowed: a time before that is later"):
        parse_rule("client FIN after 5s before 5s")


def test_counting_stops_behind_the_last_number() -> None:
    element: Element = script(["server FIN 2"])
    states = []
    for _ in range(4):
        element, _, _ = element.carry(*s("FA"), 0, Tape())
        states.append(element)
    assert states[0] != states[1]
    assert states[1] is states[2] is states[3]
    assert len(set(states)) == 2


def test_a_script_without_numbers_has_one_state() -> None:
    element = script(["server FIN", "client after 5s"])
    assert element.carry(*s("FA"), 0, Tape())[0] is element


# --- rules as data -----------------------------------------------------------------------------------------


def test_data_conditions() -> None:
    assert dropped(Rule("r", "server", has=FIN | PSH)) == [10]
    assert dropped(Rule("r", "client", has=ACK, lacks=FIN | PSH | RST)) == [2, 6, 9]
    assert dropped(Rule("r", "both", min_len=10, max_len=100)) == [3, 10]
    assert dropped(Rule("r", "both", has=SYN, after_us=1_000_000)) == [1]
    assert dropped(Rule("r", "both", before_us=2_000_000)) == [0, 1]


def test_delay() -> None:
    element = script([Rule("late", "client", has=SYN, action="delay", delay_us=500)])
    assert element.carry(*c("S"), 7, Tape())[1:] == (((507, c("S")[1]),), "late")


# Three connections on one 4-tuple, a repeated SYN, another 4-tuple between them, ISNs near the wrap.
TOP = 2**32
AGAIN: list[Sent] = [
    c("A", seq=5),  # 0: before any SYN; its ISN is unknown
    c("S", seq=TOP - 1),  # 1: conn 0
    c("S", seq=TOP - 1),  # 2: the same SYN
    s("SA", seq=900),  # 3
    c("PA", 10, seq=0),  # 4: relative 1, beyond the wrap
    c("S", seq=70, port=50_000),  # 5: conn 0 of another 4-tuple
    s("FA", seq=901),  # 6: relative 1
    c("S", seq=500),  # 7: conn 1
    s("SA", seq=2_000),  # 8
    s("FA", seq=2_001),  # 9
    c("S", seq=600),  # 10: conn 2
    s("FA", seq=71, port=50_000),  # 11: still conn 0 there; ISN of that server unknown
]


def test_connections_of_a_4_tuple_are_counted() -> None:
    assert dropped(Rule("r", conn=0), life=AGAIN) == [0, 1, 2, 3, 4, 5, 6, 11]
    assert dropped(Rule("r", conn=1), life=AGAIN) == [7, 8, 9]
    assert dropped(Rule("r", conn=2), life=AGAIN) == [10]
    assert dropped(Rule("r", has=FIN, nth=((2, 2),), conn=0), life=AGAIN) == [11]


def test_sequence_numbers_are_relative_to_the_senders_isn() -> None:
    assert dropped(Rule("r", "client", seq=0), life=AGAIN) == [1, 2, 5, 7, 10]
    assert dropped(Rule("r", "client", seq=1), life=AGAIN) == [4]
    assert dropped(Rule("r", "server", seq=1), life=AGAIN) == [6, 9]


def test_crossing_syns_are_one_connection() -> None:
    life = [c("S", seq=10), s("S", seq=20), s("SA", seq=20), c("SA", seq=10), c("S", seq=11)]
    assert dropped(Rule("r", conn=0), life=life) == [0, 1, 2, 3]
    assert dropped(Rule("r", conn=1), life=life) == [4]


def test_a_server_that_forgot_answers_the_same_connection_with_a_new_isn() -> None:
    life = [c("S", seq=10), s("SA", seq=20), c("S", seq=10), s("SA", seq=30), s("FA", seq=31)]
    assert dropped(Rule("r", "server", conn=0, seq=1), life=life) == [4]


def test_connections_are_followed_only_if_a_rule_asks() -> None:
    plain = script(["server FIN"])
    assert plain.carry(*c("S", seq=10), 0, Tape())[0] is plain
    assert script([Rule("r", conn=1)]).carry(*c("S", seq=10), 0, Tape())[0] != script([Rule("r", conn=1)])


# The shapes of rule that the traces in use have.
@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (
            {"name": "fin", "action": "drop", "dir": "B>A", "has": "F", "nth": [2, 1]},
            Rule("fin", "server", has=FIN, nth=((1, 1), (2, 2))),
        ),
        ({"name": "vanish", "action": "drop", "dir": "*", "after": 290}, Rule("vanish", after_us=290_000)),
        (
            {
                "name": "a",
                "dir": "A>B",
                "has": "A",
                "lacks": "SFRP",
                "max_len": 0,
                "after": 300.5,
                "nth": "all",
            },
            Rule("a", "client", has=ACK, lacks=SYN | FIN | RST | PSH, max_len=0, after_us=300_500),
        ),
        (
            {"min_len": 500, "before": 2, "conn": 1, "seq": 7},
            Rule("", min_len=500, before_us=2_000, conn=1, seq=7),
        ),
        ({"action": "delay", "delay_ms": 1.5}, Rule("", action="delay", delay_us=1_500)),
    ],
)
def test_rules_of_a_trace(fields: dict[str, object], rule: Rule) -> None:
    assert rule_from_trace(fields) == rule


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"hass": "F"}, "hass"),
        ({"dir": "A<B"}, "dir"),
        ({"has": "X"}, "has"),
        ({"lacks": 4}, "lacks"),
        ({"nth": 2}, "nth"),
        ({"nth": [0]}, "nth"),
        ({"nth": []}, "nth"),
        ({"nth": ["1"]}, "nth"),
        ({"action": "mangle"}, "action"),
        ({"action": "delay"}, "delay_ms"),
        ({"delay_ms": 5}, "delay_ms"),
        ({"after": "300"}, "after"),
        ({"min_len": -1}, "min_len"),
        ({"before": float("nan")}, "before"),
        ({"conn": True}, "conn"),
    ],
)
def test_rules_of_a_trace_are_refused_by_field(fields: dict[str, object], where: str) -> None:
    with pytest.raises(InputError, match=rf"^rule 'r'\.{where}: found .*, allowed: "):
        rule_from_trace({"name": "r", **fields})


def test_a_script_is_a_value() -> None:
    assert script(["server FIN 2"]) == script(["server FIN 2"])
    assert hash(script(["server FIN 2"])) == hash(script(["server FIN 2"]))
    assert Script(()).carry(*c("S"), 0, Tape())[1] == ((0, c("S")[1]),)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("server FON 2", "server FIN 2"),
        ("sever fin", "server fin"),
        ("every clinet SYNACK", "every client SYN-ACK"),
        ("client DATA aftr 5s", "client DATA after 5s"),
    ],
)
def test_a_misspelt_word_is_suggested(text: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rule(text)
    told = f"drop: found {text!r} (did you mean {meant!r}?), allowed: WHO, WHAT and NUMBERS as in docs/cli.md"
    assert str(caught.value) == told


@pytest.mark.parametrize("text", ["nobody knows", "server FIN 0", "server", "7 FIN"])
def test_where_nothing_near_is_a_rule_the_grammar_is_told(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rule(text)
    assert "did you mean" not in str(caught.value)
    assert "[every] WHO WHAT" in str(caught.value)


def test_a_rule_may_delay_what_it_picks() -> None:
    rule = parse_rule("delay server DATA 2-3 after 1s by 300ms")
    plain = parse_rule("server DATA 2-3 after 1s")
    assert rule == plain._replace(name=rule.name, action="delay", delay_us=300_000)
    assert rule.name == "delay server DATA 2-3 after 1s by 300ms"


@pytest.mark.parametrize(
    "text",
    ["delay", "delay client DATA 2", "delay client DATA 2 by", "delay by 3s", "delay client DATA 2 by 0s"],
)
def test_a_delay_needs_a_rule_and_a_time(text: str) -> None:
    with pytest.raises(InputError):
        parse_rule(text)


def test_a_late_segment_is_overtaken() -> None:
    """Two segments of data: the first is late, the second arrives before it."""
    path = make_path(10_000, drops=["delay client DATA 1 by 5ms"])
    path, _ = send(path, *c("A", 100, 2), 0, Quiet())
    path, _ = send(path, *c("A", 100, 102), 1_000, Quiet())
    assert [(each.due_us, each.segment.seq) for each in path.flights] == [(11_000, 102), (15_000, 2)]
