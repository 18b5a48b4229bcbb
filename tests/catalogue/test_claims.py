"""No claim lacks a scenario, a test or a verdict; those that name stacks are tried on every stack."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from tcpsim.catalogue import Scenario, Verdict, play, scenario, scenarios
from tcpsim.catalogue.claims import VERDICTS, Claim, claims
from tcpsim.catalogue.index import USER_GROUPS, WORKLOADS
from tcpsim.catalogue.user_group import UserGroup
from tcpsim.catalogue.workload import CLUSTER_BYTES
from tcpsim.catalogue.workload_file import workload
from tcpsim.host.population import simulate
from tcpsim.tcp.stack import names, stack
from tcpsim.tcp.state import State
from tests.catalogue import stories
from tests.catalogue.page import PAGE, ROOT, node_id, page, subject

EVERY = claims()


def claim(number: str) -> Claim:
    return next(each for each in EVERY if each.number == number)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_scenario_pages_are_what_explain_prints() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in stories.FOLDER.glob("*.md")}
    assert committed == stories.pages(), "run `make docs`"


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.number)
def test_a_claim_has_all_it_needs(each: Claim) -> None:
    chosen = subject(each.scenario)
    assert each.verdict in VERDICTS
    assert (each.verdict == "on") == bool(each.stacks)
    assert set(each.stacks) <= set(names())
    assert each.verdict != "refined" or each.note.endswith(".")
    assert len(each.quote) <= 120
    assert "|" not in each.quote
    assert each.tests
    assert not each.figure or (ROOT / "docs" / each.figure).exists()
    for words in each.tests:
        path, _, function = node_id(each, words).partition("::")
        name, _, parameter = function.partition("[")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, function
        known = {chosen.name}
        if isinstance(chosen, Scenario):
            known |= {f"{chosen.name}-{fix}" for fix in (*chosen.cures, *chosen.in_vain)}
            known |= {f"{chosen.name}-{contrast.title}" for contrast in chosen.contrasts}
        if isinstance(chosen, UserGroup):
            known |= {f"{chosen.name}-{variant.name}" for variant in chosen.variants}
        assert not parameter or parameter.removesuffix("]") in known, function


def test_all_of_the_two_documents_is_there() -> None:
    """The least number of claims by document; whoever strikes one has to say so here."""
    by = [each.number[0] for each in EVERY]
    assert {letter: by.count(letter) for letter in "JAFB"} == {"J": 16, "A": 36, "F": 9, "B": 23}


def test_every_scenario_shows_a_claim_or_has_a_source_but_for_those_that_only_teach_or_count() -> None:
    shown = {each.scenario for each in EVERY}
    assert {*WORKLOADS, *USER_GROUPS} - shown == {
        "conntrack-full-of-close-wait",
        "pool-behind-a-relay",
        "relay-descriptors",
    }
    sourced = {each.name for each in scenarios() if each.source}
    assert {each.name for each in scenarios()} - shown - sourced == {
        "many-segments-lossy",
        "w1",
    }


ROOM: dict[str, Any] = {"nofile": 64}  # lwIP has too few descriptors for a server by default


def flushes(stack: str) -> bool:
    return 1000 not in play(scenario("post-without-authorisation"), stack_client=stack, knobs=ROOM).reads


def resets_on_expiry(stack: str) -> bool:
    """The stack's own timer, or ten minutes where it has none by itself."""
    timer = {"server.fin_wait_2_us": "600s", "server.orphan_keep_idle_us": "none"}
    knobs = timer if stack in ("hpux-11", "rfc9293") else {}
    return play(scenario("closewait-ignored-eof"), stack_server=stack, knobs={**knobs, **ROOM}).rst


def stays(stack: str) -> bool:
    """Whether the server is in FIN-WAIT-2 a day after close(), or after lingering_close()."""
    base = scenario("keepalive-timeout-buggy-client")
    ways = ("keep-alive-timeout", "drains")
    runs = [play(base, stack_server=stack, server=server, knobs=ROOM) for server in ways]
    return any(held.state is State.FIN_WAIT_2 for each in runs for held in each.ended.server)


def leaks_only_by_lingering(stack: str) -> bool:
    base = scenario("lingering-close-4.4bsd")
    plain, lingering = (
        play(base, stack_server=stack, server=server, knobs=ROOM)
        for server in ("responds-then-closes", "drains")
    )
    return bool(lingering.ended.server) and not plain.ended.server


def linger_piles_up(stack: str) -> bool:
    """With room for the whole response, so that close() is reached on every stack."""
    room = {"server.snd_space": 100_000, **ROOM}
    chosen = replace(scenario("so-linger-broken"), horizon="1h")
    ended = play(chosen, stack_server=stack, knobs=room).ended
    return ended.verdict is Verdict.RUNNING and bool(ended.server and ended.server[0].unacked)


def test_behind_so_linger_only_linux_has_a_limit() -> None:
    """Of those that have SO_LINGER at all."""
    limited = [each for each in names() if stack(each).so_linger and not linger_piles_up(each)]
    assert limited == ["linux", "linux-2.2"]


def crashes(stack: str) -> bool:
    """In a minute, with a pool for a few sockets that FIN-WAIT-2 fills, on a stack of whatever kind."""
    few = workload("mbufs-without-a-timer").with_limit(4 * CLUSTER_BYTES)
    kernel = {"stack_server": stack, "knobs": {"server.fin_wait_2_us": "none", **ROOM}}
    return simulate(few.plan(kernel, lasts_us=60_000_000)).crashed is not None


ON_STACKS = {
    "J9": resets_on_expiry,
    "A2": crashes,
    "A7": stays,
    "A5": leaks_only_by_lingering,
    "A21": leaks_only_by_lingering,
    "F2": flushes,
}


@pytest.mark.parametrize("number", ON_STACKS)
def test_on_which_stacks_it_holds(number: str) -> None:
    assert tuple(stack for stack in names() if ON_STACKS[number](stack)) == tuple(
        sorted(claim(number).stacks)
    )


def test_every_claim_about_stacks_is_tried_on_all_of_them() -> None:
    assert {each.number for each in EVERY if each.verdict == "on"} == {*ON_STACKS}
