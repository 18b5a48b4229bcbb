"""Every field of a profile declares what it may be, and nothing outside gets in: by no way, in no form."""

from __future__ import annotations

import pickle
import tomllib
from dataclasses import replace
from importlib import resources
from random import Random
from typing import Annotated, Any, NamedTuple

import pytest

from tcpsim.catalogue import build, changes, fixes, scenario, scenarios
from tcpsim.conformance.packetdrill.dialect import dialect_of
from tcpsim.domain import Domain, Duration, OrNone, Record, Several, Spelled, Whole, Word, domains
from tcpsim.errors import InputError
from tcpsim.pair import advance
from tcpsim.path import Seeded
from tcpsim.path.middlebox import MIDDLEBOXES, middlebox, middleboxes
from tcpsim.tcp.stack import STACKS, Stack, names, stack

RANDOM_VALUES = 1_000
ALL = [(STACKS, field) for field in STACKS.domains] + [(MIDDLEBOXES, field) for field in MIDDLEBOXES.domains]
FIELDS = pytest.mark.parametrize(
    ("kind", "field"), ALL, ids=lambda value: value if isinstance(value, str) else ""
)


def edges(domain: Domain) -> list[Any]:
    """The outermost values of a domain, and each word."""
    match domain:
        case OrNone(inner):
            return [None, *edges(inner)]
        case Whole(least, most) | Duration(least, most):
            return [least, least + 1, (least + most) // 2, most]
        case Word(words):
            return list(words)
        case Spelled(values, _):
            return list(values)
        case Several():
            items = edges(domain.item)
            lengths = domain.lengths or (0, 1, min(len(items) if domain.distinct else 5, domain.most))
            return [domain.made((items if domain.distinct else items * 5)[:length]) for length in lengths]
        case Record(kind):
            inner = domains(kind)
            return [kind(*[edges(inner[name])[at] for name in inner]) for at in (0, -1)]
    return [True, False]


def beyond(domain: Domain) -> list[Any]:
    """Values just outside a domain."""
    match domain:
        case OrNone(inner):
            return beyond(inner)
        case Whole(least, most):
            return [
                least - 1,
                most + 1,
                str(most + 1),
                str(least - 1),
                "--3",
                "1.5",
                1.5,
                True,
                "x",
                "",
                [],
                10**4000,
            ]
        case Duration(least, most):
            return [least - 1, most + 1, "-1s", "3", "1 parsec", 1.5, True, "", "1e9s", "9" * 5000 + "s"]
        case Word(words):
            return [words[0] + "s", words[0].upper() + "!", "", 0, True, [words[0]]]
        case Spelled():
            return ["nowhere", 10**6, True]
        case Several():
            wrong = [[each] * (max(domain.lengths) if domain.lengths else 1) for each in beyond(domain.item)]
            twice = edges(domain.item)[:1] * 2 if domain.distinct else ["x", "y"]
            return [*wrong, 7, {}, twice, ["x"] * (domain.most + 1)]
        case Record():
            return [{}, "x", 7, {"nothing": 1}]
    return ["perhaps", 2, -1, 1.0, "", []]


def garbage(random: Random, domain: Domain) -> Any:
    """Anything that somebody may type, more often something that is nearly right."""
    legal = edges(domain)
    kind = random.randrange(7)
    if kind == 0:
        return random.choice(legal)
    if kind == 1:
        return domain.spell(random.choice(legal))
    if kind == 2:
        text = list(domain.spell(random.choice(legal)) or " ")
        text[random.randrange(len(text))] = random.choice("sx-19. ,")
        return "".join(text)
    if kind == 3:
        return random.choice(
            [random.randrange(-(10**6), 10**6), random.random() * 100, 10 ** random.randrange(400)]
        )
    if kind == 4:
        return "".join(random.choice("0123456789smhd-.,e ounlevr") for _ in range(random.randrange(8)))
    if kind == 5:
        return [garbage(random, domain) for _ in range(random.randrange(4))]
    return random.choice([None, True, False, {}, b"", "none", "never", "true", *beyond(domain)])


@FIELDS
def test_a_legal_value_comes_back_from_its_spelling(kind: Any, field: str) -> None:
    domain = kind.domains[field]
    for value in edges(domain):
        assert domain.read(value, "here") == value
        assert domain.read(domain.spell(value), "here") == value
        assert all(domain.read(other, "here") == other != value for other in domain.others(value))


@FIELDS
def test_what_lies_just_outside_is_one_line_that_says_what_is_allowed(kind: Any, field: str) -> None:
    profile = kind.profile(kind.names()[0])
    for value in beyond(kind.domains[field]):
        with pytest.raises(InputError, match=field) as caught:
            kind.turned(profile, {field: value})
        assert "\n" not in str(caught.value)
        assert caught.value.allowed
        with pytest.raises(InputError, match=field):
            replace(profile, **{field: value})


@FIELDS
def test_random_values_are_in_the_domain_or_one_line(kind: Any, field: str) -> None:
    random = Random(f"{kind.names()[0]} {field}")
    profile, domain = kind.profile(kind.names()[0]), kind.domains[field]
    taken, told = 0, [""]
    for _ in range(RANDOM_VALUES):
        value = garbage(random, domain)
        try:
            turned = kind.turned(profile, {field: value})
        except InputError as error:
            told.append(str(error))
            continue
        taken += 1
        found = getattr(turned, field)
        assert domain.read(found, "here") == found
        assert replace(profile, **{field: found}) == turned
        assert _inside(domain, found), (value, found)
    assert taken > 50
    assert not any("\n" in each for each in told)
    assert max(map(len, told)) < 1_500


def _inside(domain: Domain, value: Any) -> bool:
    """The same question, answered without `read`."""
    match domain:
        case OrNone(inner):
            return value is None or _inside(inner, value)
        case Whole(least, most) | Duration(least, most):
            return type(value) is int and least <= value <= most
        case Word(words):
            return value in words
        case Spelled(values, _):
            return type(value) is type(values[0]) and value in values
        case Several():
            once = not domain.distinct or len(set(value)) == len(value)
            return once and len(value) <= domain.most and all(_inside(domain.item, each) for each in value)
        case Record(kind):
            return isinstance(value, kind) and all(
                _inside(each, v) for each, v in zip(domains(kind).values(), value, strict=True)
            )
    return value is True or value is False


# no traceback further on, either
PLAYED = ("closewait-ignored-eof", "many-segments-lossy", "so-linger-works")


@pytest.mark.parametrize("field", STACKS.domains)
def test_a_connection_runs_with_the_outermost_values(field: str) -> None:
    for value in edges(STACKS.domains[field]):
        profile = replace(stack("linux"), **{field: value})
        for name in PLAYED:
            pair, chooser = (
                build(scenario(name), loss=0.3, stack_client=profile, stack_server=profile),
                Seeded(3),
            )
            for _ in range(120):
                if pair.next_us is not None:
                    pair = advance(pair, chooser)


@pytest.mark.parametrize(
    ("knob", "value", "allowed"),
    [
        ("fin_wait_2_on_fin_acked", "orphans", "never, orphan, cannot-receive or always"),
        ("nagle", "foo", "rfc, bsd or minshall"),
        ("retry_rule", "sometimes", "count or budget"),
        ("wscale", "99", "an integer from 0 to 14"),
        ("retries", "-3", "an integer from 0 to 255, or none"),
        ("mss", "0", "an integer from 48 to 65495"),
        ("timer_hz", "3000000", "an integer from 0 to 1000000"),
        ("keepalive_states", "ESTABLISH", "ESTABLISHED"),
        ("backoff", "1,x", "an integer from 1 to 65536"),
    ],
)
def test_a_typo_does_not_change_a_verdict(knob: str, value: str, allowed: str) -> None:
    with pytest.raises(InputError, match=rf"^knob server\.{knob}: found ") as caught:
        build(scenario("closewait-ignored-eof"), knobs={f"server.{knob}": value})
    assert allowed in str(caught.value)


def test_lists_can_be_written_on_a_command_line() -> None:
    profile = stack("linux").with_knobs(
        {"backoff": "1,2", "keepalive_states": "ESTABLISHED", "icmp_hard": "none"}
    )
    assert (profile.backoff, [*map(str, profile.keepalive_states)], profile.icmp_hard) == (
        (1, 2),
        ["ESTABLISHED"],
        (),
    )
    assert profile.with_knobs({"backoff": "doubling"}).backoff == ()
    owned = profile.with_knobs({"memory": "owned 1, orphan 2, mini 3, request 4"}).memory
    assert owned == (1, 2, 3, 4, 0, 0)


def test_a_level_is_on_under_the_owners_name_only() -> None:
    assert stack("linux").with_knobs({"tcp_timestamps": "2"}).timestamps
    with pytest.raises(InputError, match="knob timestamps: found '2', allowed: true or false"):
        stack("linux").with_knobs({"timestamps": "2"})


def test_a_field_has_a_short_name_where_its_unit_is_all_that_is_left_out() -> None:
    assert stack("4.4bsd").with_knobs({"fin_wait_2": "75s"}).fin_wait_2_us == 75_000_000
    assert middlebox("junos").with_knobs({"max_retrans": 2}).max_retrans == 2  # not max_retrans_us


def test_a_field_without_a_domain_is_the_programmers_mistake() -> None:
    class Careless(NamedTuple):
        name: str
        number: int

    class Careful(NamedTuple):
        name: str
        number: Annotated[int, Whole(1, 2)] | None

    with pytest.raises(TypeError, match=r"Careless\.number"):
        domains(Careless)
    assert domains(Careful)["number"].allowed == "an integer from 1 to 2, or none"


def test_what_the_tables_of_scripts_turn_is_in_the_domain() -> None:
    """Both the values that a sysctl stands for, and what a dialect takes for granted."""
    folder = resources.files("tcpsim.conformance.packetdrill") / "dialects"
    tables = {file.name: tomllib.loads(file.read_text("utf-8")) for file in folder.iterdir()}
    turned = 0
    for name in names():
        dialect = dialect_of(name)
        profile = stack(name).with_knobs(dialect.defaults).with_knobs(dialect.ipv6)
        for entry in tables[f"{dialect.name}.toml"]["keys"].values():
            for change in entry.get("as", {}).values():
                assert isinstance(profile.with_knobs(change), Stack)
                turned += len(change)
    assert turned > 20


def test_what_fixes_and_scenarios_turn_is_in_the_domain() -> None:
    for each in fixes():
        for knob, value in changes([each.spelled]).get("knobs", {}).items():
            kind, field = (MIDDLEBOXES, knob[10:]) if knob.startswith("middlebox.") else (STACKS, knob)
            kind.turned(kind.profile(kind.names()[0]), {field: value})
    assert all(build(each).next_us is not None for each in scenarios())


@pytest.mark.parametrize("name", middleboxes())
def test_a_middlebox_is_checked_like_a_stack(name: str) -> None:
    with pytest.raises(InputError, match=r"Middlebox\.begins: found 'server'.*, allowed: client or both"):
        replace(middlebox(name), begins="server")


def test_a_mistake_survives_the_way_from_a_worker_process() -> None:
    with pytest.raises(InputError) as caught:
        stack("linux").with_knobs({"nagle": "foo"})
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.where) == (InputError, str(caught.value), "knob nagle")
    odd = pickle.loads(pickle.dumps(InputError("here", lambda: 0, "what can be pickled")))
    assert str(odd).startswith("here: found <function")
