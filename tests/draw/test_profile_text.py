"""Stack profiles as text: complete, with sources, and the same as the pages in docs/stacks/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpsim.draw import profile_text
from tcpsim.errors import InputError
from tcpsim.tcp.stack import knobs, names, stack

FOLDER = Path(__file__).parents[2] / "docs" / "stacks"


def test_the_pages_are_what_the_profiles_say() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert committed == profile_text.pages(), "run `make docs`"


@pytest.mark.parametrize("name", names())
def test_every_value_has_a_source(name: str) -> None:
    for knob in knobs(name):
        assert len(knob.source) > 5, knob.field
        assert hasattr(stack(name), knob.field)


def test_the_overview_has_a_line_for_every_stack() -> None:
    lines = profile_text.overview().splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(names())


def test_two_stacks_differ_where_their_files_say() -> None:
    told = {line.split()[0] for line in profile_text.differences(["4.4bsd", "sunos-4"]).splitlines()[1:]}
    assert {"keepalive_probe_len", "rcv_space", "timestamps"} <= told
    assert "fin_wait_2_on_close" not in told  # both lack the second arm point


def test_a_story_tells_value_own_name_and_source() -> None:
    told = profile_text.story("linux", "tcp_fin_timeout")
    assert told.startswith("linux fin_wait_2_us = 60s  (tcp_fin_timeout)\n")
    assert "ip-sysctl" in told


def test_a_doubtful_value_says_so() -> None:
    assert "[unverified]" in profile_text.story("macos", "fin_wait_2_us")


def test_an_unknown_field_is_one_line() -> None:
    with pytest.raises(InputError, match=r"--explain: found 'nose', allowed: a field or knob of linux"):
        profile_text.story("linux", "nose")
