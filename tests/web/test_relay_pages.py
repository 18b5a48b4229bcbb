"""Pages of lines with relays in a real browser: legs on the ladder, in names, addresses and exercises."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.draw.event_text import tell
from tcpsim.pair import StateChanged
from tests.web import walker
from tests.web.browser import browser, complaints, focus, needed, opened, press, said, seen_by

pytestmark = needed


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One relay, two of them, and none."""
    where = tmp_path_factory.mktemp("pages")
    for file, name in (
        ("relay", "relay-waits-for-both-ends"),
        ("line", "sidecar-on-both-sides"),
        ("two", "one-rst-stack"),
    ):
        tcpsim.page(name, losses=1).save(where / f"{file}.html")
    return where


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as one:
        yield one


def test_a_loss_behind_a_relay_by_keyboard(driver: Any, pages: Path) -> None:
    """The FIN of the server on the last leg: its name on the page, in the address and in the command."""
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages / "line.html")
    for _ in range(60):
        press(driver, "s")
        if "server's FIN" in said(driver) and "to relay 2" in said(driver):
            break
    focus(driver, "[data-act=lose][aria-label*='server to relay 2'][aria-label*='FIN']")
    press(driver, Keys.ENTER)
    assert said(driver).startswith("server to relay 2 #4, FIN ")
    press(driver, "g")
    assert driver.execute_script("return String(page.losses)") == "leg3server4"
    assert driver.current_url.endswith("#leg3server4")
    code = driver.find_element("css selector", ".command code").text
    assert code == 'tcpsim run sidecar-on-both-sides --drop "leg 3: server #4"'
    opened(driver, pages / "line.html", "#leg3server4,leg4client1,leg0client1,relay1")  # others are no ways
    assert driver.execute_script("return page.losses.count") == 1
    assert complaints(driver) == []


def test_losses_are_rules_of_their_leg(driver: Any, pages: Path) -> None:
    opened(driver, pages / "line.html")
    words = "client1,server2,leg2client3,leg2server4,leg3client5,leg3server6"
    script = "const lost = Losses.parse(arguments[0]); return [lost.rules(), `${lost}`]"
    rules, again = driver.execute_script(script, words)
    assert again == words
    assert rules[:2] == ["client #1", "server #2"]
    assert rules[2:4] == ["leg 2: client #3", "leg 2: server #4"]
    assert rules[4:] == ["leg 3: client #5", "leg 3: server #6"]


WALK = """
const walk = page.panes[0].graph.walk(new Losses(arguments[0]));
return [walk.stuck, walk.items.map(({t, side}) => [t, SIDES[side]]),
  walk.flights.map(({label, lost}) => [label, lost !== null])];
"""


def test_losses_before_a_box_behind_a_relay(driver: Any, tmp_path: Path) -> None:
    """They are decided where a segment is sent, on the leg that has the box."""
    chosen = walker.box_behind_a_relay()
    tcpsim.page(chosen, losses=1).save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html")
    ends = ("client", "server", "leg 2: client", "leg 2: server")
    for way, number in ((2, 2), (3, 3), (0, 2)):
        lost = [[number] if each == way else [] for each in range(len(ends))]
        stuck, items, flights = driver.execute_script(WALK, lost)
        story = tell(tcpsim.run(chosen, drop=f"{ends[way]} #{number}").events, sides=chosen.sides)
        assert stuck == ""
        assert [tuple(each) for each in items] == [(item.t_us, item.side) for item in story.items]
        assert [tuple(each) for each in flights] == [(f.label, f.lost is not None) for f in story.flights]


def test_both_legs_of_a_relay_are_shown(driver: Any, pages: Path) -> None:
    """What it holds on each leg: in words, and in the colours of its two lifelines."""
    opened(driver, pages / "relay.html", "#leg2client2")
    held = driver.find_elements("css selector", ".held > div")[1].text
    assert "FIN-WAIT-2 held by a program, client leg" in held
    assert "CLOSE-WAIT held by a program, server leg" in held
    bars = driver.execute_script(
        "return [...page.panes[0].svg.querySelectorAll('.bar')]"
        ".map(bar => [bar.textContent, +bar.getAttribute('x')])"
    )
    rails = driver.execute_script("return page.panes[0].ladder.rails")
    assert rails[1][0] < rails[1][1]
    for leg, rail in (("client leg", rails[1][0]), ("server leg", rails[1][1])):
        assert {round(x + 4 - rail) for words, x in bars if words.startswith(f"relay's {leg}")} == {0}
    states = [words.split(": ")[1] for words, _ in bars if words.startswith("relay's server leg")]
    assert states == ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT"]


ARROWS = """
const {ladder, walk, svg} = page.panes[0];
const arrows = walk.flights.map(({index, way}) => {
  const line = svg.querySelector(`[data-flight="${index}"] .line`);
  const [x1, , x2] = line.getAttribute("d").match(/[0-9.]+/g);
  return [WAYS[way].from, WAYS[way].to, +x1, +x2];
});
const words = [...svg.querySelectorAll(".say")].map(text => {
  const {x, width} = text.getBBox();
  return [x, x + width];
});
return [arrows, ladder.rails, words];
"""


@pytest.mark.parametrize(("name", "width"), [("line", "wide"), ("line", "phone"), ("two", "wide")])
def test_every_arrow_is_on_its_leg(driver: Any, pages: Path, name: str, width: str) -> None:
    """From the lifeline of who sends it to that of who hears it; words are beside arrows, not on them."""
    try:
        seen_by(driver, width)
        opened(driver, pages / f"{name}.html")
        driver.find_element("id", "go").click()
        arrows, rails, words = driver.execute_script(ARROWS)
        assert len(arrows) > 8
        for sender, hearer, begin, end in arrows:
            right = sender < hearer
            assert abs(begin - rails[sender][right]) == pytest.approx(6, abs=0.01)
            assert abs(end - rails[hearer][not right]) == pytest.approx(6, abs=0.01)
            assert (begin < end) is right
        gaps = [(left[1], right[0]) for left, right in pairwise(rails)]
        assert all(right <= low + 1 or left >= high - 1 for left, right in words for low, high in gaps)
    finally:
        seen_by(driver)


def test_exercises_of_a_line_name_the_leg(driver: Any, pages: Path) -> None:
    opened(driver, pages / "line.html")
    found = driver.execute_script(
        "const {graph, chance} = page.panes[0]; return questions(graph, chance, page.whatIf, .1)"
    )
    which = next(each for each in found if each["kind"] == "which")
    assert "leg lasts" in which["ask"]
    is_right = "return rightLoss(arguments[0], page.whatIf, arguments[1])"
    values = [each["value"] for each in which["options"]]
    assert [driver.execute_script(is_right, which, value) for value in values].count(True) == 1
    spans = "return [0, 1].map(leg => spanOf(page.whatIf.quiet, 1, leg, arguments[0]))"
    assert driver.execute_script(spans, "SYN-SENT") == [0, 2_000]
    assert driver.execute_script(spans, "SYN-RECEIVED") == [20_000, 0]
    blanks = next(each for each in found if each["kind"] == "states")["blanks"]
    told = tcpsim.run("sidecar-on-both-sides").events
    changes = {(e.t_us, e.side, str(e.new)) for e in told if isinstance(e, StateChanged)}
    assert {(each["t"], each["who"].split("'")[0], each["state"]) for each in blanks} <= changes
    assert {"relay 1's client leg", "relay 1's server leg"} <= {each["who"] for each in blanks}
