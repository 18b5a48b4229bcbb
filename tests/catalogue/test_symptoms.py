"""From symptom to scenario: the index is what the runs show, and the pages are made from it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcpsim.catalogue import Scenario, matching, own_symptoms, play, scenario, scenarios, symptoms
from tcpsim.catalogue.symptoms import LEAST_US, Symptom, watched, written
from tcpsim.catalogue.themes import scenarios as catalogue
from tcpsim.errors import InputError
from tcpsim.pair import StateChanged
from tcpsim.tcp.state import State
from tests.catalogue import symptoms as pages

S = 1_000_000
STATES = re.compile("|".join(sorted(map(str, State), key=len, reverse=True)))


def names(state: str | None = None, side: str | None = None, owner: str | None = None) -> list[str]:
    return [each.name for each in scenarios(state, side, owner)]


def test_the_index_is_what_the_runs_show() -> None:
    assert pages.INDEX.read_text(encoding="utf-8") == written(), "run `make docs`"


def test_the_page_is_up_to_date() -> None:
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(), "run `make docs`"


def test_the_table_of_the_readme_is_up_to_date() -> None:
    assert pages.README.read_text(encoding="utf-8") == pages.readme(), "run `make docs`"


def test_the_table_is_put_between_its_markers() -> None:
    page = f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n"
    assert pages.BLOCK.sub(lambda _: pages.block(), page) == f"before\n{pages.block()}\nafter\n"


@pytest.mark.parametrize(
    "place",
    [
        ("CLOSE-WAIT", "client", "program"), ("CLOSE-WAIT", "server", "program"),
        ("CLOSE-WAIT", "server", "queue"), ("FIN-WAIT-2", "client", "program"),
        ("FIN-WAIT-2", "server", "program"), ("FIN-WAIT-2", "server", "kernel"),
        ("ESTABLISHED", "client", "program"), ("ESTABLISHED", "server", "program"),
        ("TIME-WAIT", "client", "kernel"), ("TIME-WAIT", "server", "kernel"),
        ("LAST-ACK", "client", "kernel"), ("LAST-ACK", "server", "kernel"),
        ("FIN-WAIT-1", "client", "kernel"), ("FIN-WAIT-1", "server", "kernel"),
        ("CLOSING", "server", "kernel"), ("SYN-RECEIVED", "server", "kernel"),
        ("CLOSED", "client", "program"), ("CLOSED", "server", "program"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_blind_spot(place: tuple[str, str, str]) -> None:
    """A scenario is about each of these, and says what helps and what does not."""
    best = scenarios(*place)[0]
    (seen,) = matching(best, *place)
    assert seen in own_symptoms(best)
    assert best.in_vain
    assert best.cures or best.drops == ("every server SYN-ACK",), "only who mends that path helps"


@pytest.mark.parametrize("chosen", catalogue(), ids=lambda chosen: chosen.name)
def test_what_is_left_at_the_end_is_a_symptom(chosen: Scenario) -> None:
    ended = play(chosen).ended
    left = {
        (side, held.state)
        for side in ended.sides
        for held in ended.of(side)
        if held.fd or held.state is not State.CLOSED
    }
    assert {(each.side, each.state) for each in symptoms(chosen) if each.lasts != "ends"} == left


@pytest.mark.parametrize("chosen", catalogue(), ids=lambda chosen: chosen.name)
def test_it_asks_a_question_and_names_only_states_that_it_has(chosen: Scenario) -> None:
    assert chosen.question.endswith("?")
    had = {
        str(event.new)
        for overrides in ({}, *(each.overrides for each in chosen.contrasts))
        for event in play(chosen, **overrides).events
        if isinstance(event, StateChanged)
    }
    claimed = re.sub(f"no ({STATES.pattern})", "", f"{chosen.title} {chosen.question} {chosen.watch}")
    assert set(STATES.findall(claimed)) <= had


def test_how_long_a_socket_stays_is_its_timer() -> None:
    fin_wait_2, close_wait = watched(scenario("closewait-ignored-eof"))[::-1]
    assert fin_wait_2 == Symptom("server", State.FIN_WAIT_2, "kernel", 1, 0, 0, 60 * S, "ends")
    assert (close_wait.side, close_wait.state, close_wait.how_long) == (
        "client",
        State.CLOSE_WAIT,
        "for ever",
    )
    shorter = watched(scenario("closewait-ignored-eof"), knobs={"server.tcp_fin_timeout": "9s"})
    assert shorter[1:] == (), f"nobody sees what stays less than {LEAST_US} us"


def test_sockets_are_counted_and_what_is_queued_is_told() -> None:
    (queued,) = matching(scenario("fin-wait-1-towards-a-full-accept-queue"), "CLOSE-WAIT", "server", "queue")
    assert (queued.sockets, queued.unread, queued.lasts) == (2, 258, "for ever")
    (unsent,) = matching(scenario("fin-wait-1-towards-a-full-accept-queue"), "FIN-WAIT-1", "client", "none")
    assert (unsent.sockets, unsent.unacked, unsent.lasts) == (2, 258, "ends")


def test_owners() -> None:
    assert "server-never-closes" not in names("CLOSE-WAIT", "server", "none")
    assert names("CLOSE-WAIT", "server", "none") == names("CLOSE-WAIT", "server", "queue")
    assert set(names("FIN-WAIT-2", owner="none")) == set(names("FIN-WAIT-2", owner="kernel"))


def test_the_spelling_of_a_state_is_anybodys() -> None:
    assert names("FIN-WAIT-1") == names("fin_wait1") == names("FIN_WAIT_1") != []
    assert names() == [each.name for each in catalogue()]


def test_who_is_about_it_comes_first() -> None:
    found = scenarios("TIME-WAIT", "server")
    about = [any(each.state is State.TIME_WAIT for each in own_symptoms(one)) for one in found]
    assert about == sorted(about, reverse=True)
    assert found[0].name == "time-wait-on-the-server"


def test_a_scenario_of_a_users_is_run() -> None:
    mine = replace(scenario("closewait-ignored-eof"), server="half-closes")
    assert {(each.side, each.state, each.owner, each.lasts) for each in symptoms(mine)} == {
        ("server", State.FIN_WAIT_2, "program", "for ever"),
        ("client", State.CLOSE_WAIT, "program", "for ever"),
    }


def test_what_the_run_does_not_see_the_end_of_is_said() -> None:
    (found,) = matching(scenario("so-linger-broken"), "FIN-WAIT-1", "server", "none")
    assert (found.lasts, found.how_long) == ("beyond the horizon", "more than 23 h")
    assert found.describe().endswith("bytes unacknowledged; stays more than 23 h")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": "CLOSE-WIAT"}, "state: found 'CLOSE-WIAT' (did you mean CLOSE-WAIT"),
        ({"side": "sever"}, "side: found 'sever' (did you mean server?), allowed: client, server"),
        ({"owner": "orphan"}, "owner: found 'orphan'"),
        ({"state": "LISTEN"}, "state: found LISTEN, allowed: a state of a connection"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        scenarios(**arguments)
    assert str(caught.value).startswith(message)
