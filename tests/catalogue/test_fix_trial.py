"""A fix is judged by a run with it: it helps, makes things worse, changes nothing, or cannot be tried."""

from __future__ import annotations

from typing import Any

import pytest

from tcpsim.app import Program, accept, close, connect, ignore, listen, receive, receive_to_eof, send, wait
from tcpsim.catalogue import Tried, descriptors, play, scenario, scenarios, takes, try_fix
from tcpsim.errors import InputError
from tcpsim.tcp.stack import stack


def tried(name: str, words: str, **base: Any) -> Tried:
    chosen = scenario(name)
    return try_fix(chosen, words, play(chosen, **base), base=base)


def test_a_fix_for_a_client_that_closes_first_makes_it_wait() -> None:
    found = tried("normal-close", "client-closes", client="closes-first", server="closes-on-eof")
    assert found.effect == "worse"
    assert found.why_not == "the client was never in CLOSE-WAIT"
    assert found.worse[0] == "the client keeps ESTABLISHED for ever"
    told = "does not apply (the client was never in CLOSE-WAIT), and makes it worse: the client keeps"
    assert found.in_words().startswith(told)


def test_what_helps_and_what_does_not() -> None:
    assert tried("closewait-ignored-eof", "client-closes").effect == "helps"
    vain = tried("closewait-ignored-eof", "fin-timeout=30s")
    assert (vain.effect, vain.helps, vain.worse) == ("none", False, ())


def test_the_same_run_is_none_of_its_effect() -> None:
    same = tried("normal-close", "keepalive=30s")
    assert (same.effect, same.in_words()) == (
        "does not apply",
        "does not apply: the run without it has the same events",
    )


def test_a_fix_that_cannot_be_tried_says_why() -> None:
    found = tried("closewait-ignored-eof", "backlog=3")
    assert (found.played, found.effect) == (None, "does not apply")
    assert "server.backlog" in found.why_not
    with pytest.raises(InputError, match="did you mean"):
        tried("closewait-ignored-eof", "client-close")


def test_later_is_worse_and_sooner_is_told() -> None:
    slow = tried("normal-close", "pool-idle=10s", client="closes-first", server="closes-on-eof")
    assert slow.worse == ("the client and server are free later: after 70.06s, not 60.06s",)
    early = tried("normal-close", "pool-idle=10s", server="keep-alive-timeout")
    assert (early.effect, early.worse) == ("sooner", ())


def test_a_lost_request_is_worse() -> None:
    asks = [send(100), receive(1000)]
    twice = Program([connect(), *asks, wait("1s"), *asks, close()])
    again = Program(
        [listen(), accept(), receive(100), send(1000), receive(100), send(1000), receive_to_eof(), close()]
    )
    found = tried("normal-close", "no-lingering-close", client=twice, server=again)
    assert "1 of 2 requests lost" in found.worse


def test_a_descriptor_that_stays_is_told() -> None:
    forgets = Program([connect(), send(100), receive_to_eof(), ignore()], on_error=[ignore()])
    found = tried("closewait-ignored-eof", "keepalive=1min", client=forgets)
    assert (found.effect, found.worse) == ("helps", ()), "the connection is over, and that is better"
    assert found.played is not None
    assert descriptors(scenario("closewait-ignored-eof"), found.played) == 1


@pytest.mark.parametrize("words", ["keepalive=30s", "keepalive"])
def test_keepalive_tells_how_long_it_takes(words: str) -> None:
    idle = 30 if words.endswith("30s") else 7200
    assert takes(words, stack("linux")).endswith(f"after {idle} s + 9 x 75 s = {idle + 675} s")
    short = stack("linux").with_knobs({"keep_cnt": 3, "keep_intvl_us": "10s"})
    assert takes(words, short).endswith(f"after {idle} s + 3 x 10 s = {idle + 30} s")
    assert takes("fin-timeout=30s", stack("linux")) == ""


@pytest.mark.parametrize("name", [each.name for each in scenarios() if each.cures or each.in_vain])
def test_the_catalogue_says_what_the_runs_say(name: str) -> None:
    chosen = scenario(name)
    before = play(chosen)
    for words in chosen.cures:
        assert try_fix(chosen, words, before).helps
    for words in chosen.in_vain:
        assert not try_fix(chosen, words, before).helps
