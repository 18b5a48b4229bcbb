"""What is written as `ss` output is read back the same, and what a run shows is what its sockets are."""

from __future__ import annotations

import pytest

import tcpsim
from tcpsim.catalogue import scenarios
from tcpsim.dumps import Socket, read
from tcpsim.dumps.ss_output import ss
from tcpsim.errors import InputError
from tcpsim.tcp.state import State
from tests.diagnosis import recordings

STORIES = sorted({each.story for each in recordings.truths()})


def plain(sockets: list[Socket]) -> list[tuple[object, ...]]:
    """Everything but the line's number, and the coarseness of a timer."""
    return sorted(
        (
            (
                str(each.state),
                each.local,
                str(each.peer),
                each.recv_q,
                each.send_q,
                each.owners or (),
                each.timer,
            )
            for each in sockets
        ),
        key=str,
    )


@pytest.mark.parametrize("story", STORIES)
def test_written_and_read_again(story: str) -> None:
    for text in recordings.dumps(story).values():
        sockets = read(text).sockets
        assert plain(read(ss(sockets)).sockets) == plain(sockets)


@pytest.mark.parametrize("name", [each.name for each in scenarios()])
def test_a_run_shows_its_sockets(name: str) -> None:
    """At its end: the same states on both sides as the verdict says."""
    run = tcpsim.run(name)
    if run.horizon_us > 7_200_000_000:
        return
    for side in ("client", "server"):
        dump = read(run.ss(run.horizon_us, side))
        assert not dump.unread
        shown = sorted(str(each.state) for each in dump.sockets if each.state is not State.LISTEN)
        held = sorted(str(each.state) for each in getattr(run, side) if each.state is not State.CLOSED)
        assert shown == held


def test_the_shown_age_is_diagnosed_as_the_scenario_says() -> None:
    """The reverse and the way there: what a leak's run shows at 90 s is told apart by its dump."""
    for name, side, kind in (
        ("server-never-closes", "server", "close-wait-fin-unread"),
        ("closewait-ignored-eof", "client", "close-wait-eof-read"),
        ("accept-queue-never-drained", "server", "accept-queue"),
        ("client-waits-in-fin-wait-2", "client", "fin-wait-2-owned"),
        ("last-ack-on-the-server", "server", "last-ack"),
        ("fin-wait-1-behind-a-closed-window", "server", "fin-wait-1-window"),
    ):
        age = "20s" if "fin-wait-1" in name or "last-ack" in name else "90s"
        found = tcpsim.diagnose(tcpsim.run(name).ss(age, side))  # type: ignore[arg-type]
        assert [each.kind for each in found.findings] == [kind], name


def test_a_population_shows_what_its_census_counts() -> None:
    crowd = tcpsim.population("server-never-closes", rate=5, for_="2min", loss="5%")
    for side in ("client", "server"):
        shown: dict[str, int] = {}
        for each in read(crowd.ss("2min", side)).sockets:
            shown[str(each.state)] = shown.get(str(each.state), 0) + 1
        shown.pop("LISTEN", None)
        counted: dict[str, int] = {}
        for row in crowd.to_dict()["sockets"]:
            if row["side"] == side and row["count"]:
                counted[row["state"]] = counted.get(row["state"], 0) + row["count"]
        assert shown == counted


def test_an_age_beyond_the_horizon() -> None:
    with pytest.raises(InputError, match="up to the horizon"):
        tcpsim.run("normal-close", horizon="1min").ss("2min")
    with pytest.raises(InputError, match="up to"):
        tcpsim.population("normal-close", rate=1, for_="1min").ss("2min")
    limited = tcpsim.population("server-never-closes", rate=5, for_="1min", limits={"server.descriptors": 10})
    with pytest.raises(InputError, match="met a limit"):
        limited.ss("1min")
