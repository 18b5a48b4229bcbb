"""A page in a real browser: what a reader does with it, and what it says."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import tcpsim
from tcpsim.catalogue import as_toml, scenario, scenarios
from tcpsim.draw import time_format as clocks
from tcpsim.pair import SIDES, names
from tcpsim.web.site import Entry, index
from tests.web import walker
from tests.web.browser import browser, complaints, focus, needed, opened, press, requests, said, seen_by

pytestmark = needed

HOSTILE = '</script><script>document.title="run"</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some pages: the one lost RST, two side by side, two with relays, and one of a hostile file."""
    where = tmp_path_factory.mktemp("pages")
    tcpsim.page("one-rst-stack", losses=4).save(where / "rst.html")
    tcpsim.page("closewait-ignored-eof", losses=2, beside="fix=keepalive=10min").save(where / "both.html")
    tcpsim.page("many-segments-lossy", losses=1).save(where / "burst.html")
    tcpsim.page("relay-waits-for-both-ends", losses=1, beside="fix=relay-drain=30s").save(
        where / "relay.html"
    )
    tcpsim.page("sidecar-on-both-sides", losses=1).save(where / "line.html")
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3
    hostile = replace(scenario("normal-close"), title=HOSTILE, story=long + HOSTILE)
    toml = as_toml(hostile)
    (where / "hostile.toml").write_text(toml, encoding="utf-8")
    tcpsim.page(where / "hostile.toml", losses=1).save(where / "hostile.html")
    entries = [
        Entry(each.name, HOSTILE + each.title, each.theme, (("client", "CLOSE-WAIT"),), 1, "rst.html")
        for each in scenarios()
    ]
    (where / "index.html").write_text(index(entries, "1.0"), encoding="utf-8")
    return where


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as one:
        yield one


def test_the_lost_rst_by_keyboard(driver: Any, pages: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages / "rst.html")
    assert driver.title.startswith("one-rst-stack: ")
    focus(driver, "#step")
    for _ in range(9):
        press(driver, Keys.ENTER)
        if "RST seq 1002 arrives" in said(driver):
            break
    assert "server's RST seq 1002 arrives" in said(driver)
    focus(driver, "[data-act=lose]")
    press(driver, Keys.ENTER)
    assert "RST seq 1002, will be lost" in said(driver)
    assert driver.execute_script("return document.activeElement.dataset.act") == "lose"  # the focus stays
    press(driver, "s")
    assert "For ever" in said(driver)
    assert "CLOSE-WAIT" in said(driver)
    code = driver.find_element("css selector", ".command code").text
    assert code == 'tcpsim run one-rst-stack --drop "server #4"'
    assert driver.current_url.endswith("#server4")
    press(driver, "b")
    assert "server's RST seq 1002 will be lost" in said(driver)
    assert driver.execute_script("return page.panes[0].leak") == pytest.approx(0.1, abs=1e-9)
    assert complaints(driver) == []
    assert requests(driver) == []


def test_a_link_is_a_finding(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html", "#server4")
    assert "For ever" in said(driver)
    driver.execute_script("location.hash = 'client1'")
    driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert "Clean" in said(driver)
    opened(driver, pages / "rst.html", "#server4@10000")
    assert "Next, at 20 ms" in said(driver)
    opened(driver, pages / "rst.html", "#server4,<img>,client-1,server0%")
    assert complaints(driver) == []


def test_buttons_lead_to_a_leak(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html")
    driver.find_element("id", "fewest").click()
    assert driver.execute_script("return String(page.losses)") == "server4"
    assert "For ever" in said(driver)
    driver.find_element("id", "again").click()
    driver.find_element("id", "likeliest").click()
    assert "For ever" in said(driver)


def test_a_past_segment_can_be_lost(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html", "#server4")
    driver.execute_script(
        "document.querySelector('[data-flight=\"1\"]')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert driver.execute_script("return String(page.losses)") == "server1"  # what came later is forgotten
    assert driver.execute_script("return page.panes[0].walk.now") == 10_000


def test_more_losses_than_are_followed(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html", "#client1,client2,client3,client4,client5")
    assert "more losses than the 4 of this page" in said(driver)
    assert "not followed" in driver.find_element("css selector", ".card").text


@pytest.mark.parametrize(
    "name", ["one-rst-stack", "keepalive-rescues", "vanished-client", "relay-upstream-blackholed"]
)
def test_the_chance_is_that_of_exact(driver: Any, tmp_path: Path, name: str) -> None:
    tcpsim.page(name, losses=3).save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html")
    answer = tcpsim.exact(name, loss=[0.1, 0.3], limit=8_000)
    for place, p in enumerate((0.1, 0.3)):
        found = driver.execute_script("return page.panes[0].chance.from(0, arguments[0])", p)
        cut = sum(end["probability"] for end in found if end["kind"] == "not followed")
        assert sum(end["probability"] for end in found) == pytest.approx(1, abs=1e-12)
        for end in answer.ends:
            shown = sum(
                each["probability"] for each in found
                if (each["kind"], each["held"]) == (str(end.kind), [end.client, *end.relays, end.server])
            )  # fmt: skip
            exact = float(end.probability[place])
            error = float(answer.error[place])
            assert shown - error - 1e-12 <= exact <= shown + cut + error + 1e-12, (end, p)


def test_the_chance_is_exact_where_all_is_followed(driver: Any, tmp_path: Path) -> None:
    """Late losses only, so that the whole graph is small; to the last digits."""
    setting: dict[str, Any] = {"loss_from": "500ms", "parameters": {"server.delay": "1s"}}
    tcpsim.page("one-rst-stack", losses=99, **setting).save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html")
    answer = tcpsim.exact("one-rst-stack", loss=[0.1, 0.3], **setting)
    for place, p in enumerate((0.1, 0.3)):
        shown = driver.execute_script("return page.panes[0].chance.leak(0, arguments[0])", p)
        assert shown["leak"] == pytest.approx(float(answer.permanent[place]), rel=1e-12)
        assert shown["cut"] == 0
    assert "Every way" in driver.find_element("id", "limits").text


WALKS = """
const graph = page.panes[0].graph;
const kinds = {s: "send", a: "arrive", k: "call", c: "state", t: "timer", n: "note", e: "end"};
return arguments[0].map(([lost, until]) => {
  const walk = graph.walk(new Losses(lost), [], until), words = walk.words();
  return [walk.stuck,
    walk.items.map((item, at) =>
      [item.t, SIDES[item.side], kinds[item.kind], words[at], item.flight?.index ?? -1]),
    walk.flights.map(({side, label, lost, way}) => [SIDES[side], label, lost !== null, WAYS[way].leg])];
});
"""


@pytest.mark.parametrize(
    "name",
    [
        "one-rst-stack",
        "last-rst-dropped-by-a-firewall",
        "load-balancer-forgets-an-idle-pool",
        "relay-and-conntrack",
        "sidecar-on-both-sides",
    ],
)
def test_the_page_walks_as_runs_go(driver: Any, tmp_path: Path, name: str) -> None:
    """Losses decided on arrival, and (behind a firewall) where a segment is sent."""
    chosen = scenario(name)
    losses = 2 if chosen.relays else 3
    tcpsim.page(name, losses=losses).save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html")
    data, random = walker.data_of(chosen, losses), Random(name)
    walks = [walker.walk(data, random) for _ in range(40)]
    asked = [(each.own, each.until_us) for each in walks]
    for walked, (stuck, items, flights) in zip(walks, driver.execute_script(WALKS, asked), strict=True):
        assert stuck in ("", "losses", "horizon"), walked.lost
        run, _ = walker.run_of(chosen, walked)
        assert [tuple(item) for item in items] == [item[:5] for item in run.items]
        assert [tuple(each) for each in flights] == [(f[0], f[1][0], *f[2:]) for f in run.flights]


def test_times_are_spelled_as_in_python(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html")
    random = Random(7)
    times = [0, 1, 999, 1_000, 9_999, 10_000, 999_999, 1_000_000, 60_000_000, 119_999_999, 120_000_000]
    times += [int(10 ** random.uniform(0, 12)) for _ in range(400)]
    found = driver.execute_script("return arguments[0].map(us => [clock(us), length(us)])", times)
    assert [tuple(each) for each in found] == [(clocks.clock(us), clocks.length(us)) for us in times]


def test_hostile_text_is_text(driver: Any, pages: Path) -> None:
    opened(driver, pages / "hostile.html")
    assert HOSTILE in driver.title
    assert HOSTILE in driver.find_element("tag name", "h1").text
    assert driver.execute_script("return document.querySelectorAll('img, h1 script').length") == 0
    assert complaints(driver) == []
    assert requests(driver) == []


def test_no_script_runs_but_the_pages_own(driver: Any, pages: Path, tmp_path: Path) -> None:
    page = (pages / "rst.html").read_text(encoding="utf-8")
    (tmp_path / "x.html").write_text(
        page.replace("<h1>", "<script>document.title='run'</script><h1>"), encoding="utf-8"
    )
    opened(driver, tmp_path / "x.html")
    assert driver.title != "run"
    assert any("Content Security Policy" in each for each in complaints(driver))


def test_exercises_by_keyboard_alone(driver: Any, pages: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages / "rst.html")
    focus(driver, "[data-check=lose]", 120)
    press(driver, Keys.ENTER)
    answer = "return document.activeElement.parentElement.querySelector('.answer').textContent"
    assert "Not yet: nothing is lost" in driver.execute_script(answer)
    press(driver, "f")  # the fewest losses to a leak
    press(driver, Keys.ENTER)
    assert "Right" in driver.execute_script(answer)
    focus(driver, "[data-exercise=states] select", 30)
    blanks = driver.execute_script("return statesToFill(page.whatIf.quiet)[0].blanks.map(each => each.state)")
    for number, state in enumerate(blanks):
        if number:
            press(driver, Keys.TAB)
        press(driver, *state)  # a select goes to what is typed
    press(driver, Keys.TAB, Keys.ENTER)
    assert "Right" in driver.execute_script(answer)


def test_which_loss_makes_a_state_last(driver: Any, pages: Path) -> None:
    opened(driver, pages / "rst.html")
    question = driver.execute_script(
        "const {graph, chance} = page.panes[0];"
        "return questions(graph, chance, page.whatIf, .1).find(each => each.kind === 'which')"
    )
    is_right = "return rightLoss(arguments[0], page.whatIf, arguments[1])"
    values = [each["value"] for each in question["options"]]
    (value,) = [each for each in values if driver.execute_script(is_right, question, each)]
    side = SIDES[question["side"]]
    who = value.rstrip("0123456789")
    run = tcpsim.run("one-rst-stack", drop=f"{who} #{value.removeprefix(who)}")
    changes = [
        (e.t_us, str(e.new)) for e in run.events if type(e).__name__ == "StateChanged" and e.side == side
    ]
    begin = next(t for t, state in changes if state == question["state"])
    end = next(t for t, state in changes if t > begin and state != question["state"])
    assert end - begin == question["us"]


KINDS = ["rst.html", "both.html", "hostile.html", "burst.html", "relay.html", "line.html", "index.html"]


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [(name, width, width == "phone") for name in KINDS for width in ("wide", "phone")]
    + [(KINDS[0], "wide", True), (KINDS[0], "phone", False)],
)
def test_nothing_serious_for_axe(driver: Any, pages: Path, name: str, width: str, dark: bool) -> None:
    """No finding of axe-core, nothing on the console, nothing that sticks out sideways."""
    axe = pytest.importorskip(
        "axe_selenium_python", reason="axe-selenium-python is not installed (the extra dev)"
    )
    try:
        seen_by(driver, width, dark)
        opened(driver, pages / name)
        if name != "index.html":
            driver.execute_script(
                "for (let step = 0; step < 6; step++) page.step();"
                "document.querySelector('#words details').open = true"
            )
        checker = axe.Axe(driver)
        checker.inject()
        found = checker.run()["violations"]
        serious = [
            (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert complaints(driver) == []
    finally:
        seen_by(driver)


def test_a_segment_flies_where_motion_is_wanted(driver: Any, pages: Path) -> None:
    try:
        seen_by(driver, calm=False)
        opened(driver, pages / "rst.html")
        assert driver.execute_script("return page.panes[0].walk.now") == 0
        driver.execute_script("page.step()")
        assert driver.execute_script("return document.querySelectorAll('circle.dot').length") == 1
        driver.execute_async_script(
            "const done = arguments[0], wait = () => page.flying ? setTimeout(wait, 20) : done(); wait()"
        )
        assert driver.execute_script("return page.panes[0].walk.now") == 10_000
    finally:
        seen_by(driver)


def test_beside_each_other(driver: Any, pages: Path) -> None:
    opened(driver, pages / "both.html", "#server2")
    told = said(driver)
    assert told.count(" / ") == 1
    assert "as it is: For ever" in told
    assert "fix=keepalive=10min: Clean" in told
    codes = [each.text for each in driver.find_elements("css selector", ".command code")]
    assert [code.count("--drop") for code in codes] == [1, 1]
    assert "--set keep_idle_us=10min" in codes[1]


def test_two_stacks_beside_each_other(driver: Any, tmp_path: Path) -> None:
    """The same loss under a stack whose FIN-WAIT-2 has no limit: there it stays as well."""
    name = "closewait-ignored-eof"
    tcpsim.page(name, losses=1, beside="stack_server=rfc9293").save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html", "#server4")
    runs = [tcpsim.run(name, drop="server #4", stack_server=each) for each in (None, "rfc9293")]
    assert len({run.headline() for run in runs}) == 2
    shown = driver.execute_script("return page.panes.map(({walk}) => walk.graph.words(walk.state))")
    for (client, server), run in zip(shown, runs, strict=True):
        assert run.ended.describe().endswith(f": client {client}, server {server}")
    codes = [each.text for each in driver.find_elements("css selector", ".command code")]
    assert "--stack-server rfc9293" in codes[1]


def test_every_command_line_is_the_run_of_its_pane(driver: Any, pages: Path) -> None:
    """What stands there to copy, run by the command line's own parser, ends as the pane says."""
    for name, address in (
        ("both.html", "#client3"),
        ("rst.html", "#server4"),
        ("burst.html", "#server7"),
        ("relay.html", "#client2,leg2server3"),
        ("line.html", "#leg3client2"),
    ):
        opened(driver, pages / name, address)
        codes = [each.text for each in driver.find_elements("css selector", ".command code")]
        views = driver.execute_script("return page.panes.map(({walk}) => walk.graph.words(walk.state))")
        for code, view in zip(codes, views, strict=True):
            done = subprocess.run(
                [sys.executable, "-m", *shlex.split(code)], capture_output=True, text=True, check=True
            )
            for side, words in zip(names(len(view) - 2), view, strict=True):
                (told,) = [line for line in done.stdout.splitlines() if line.startswith(f"{side}  ")]
                assert all(word in told for word in words.split(" + ")), code


def test_a_burst_is_one_arrow_until_it_is_opened(driver: Any, pages: Path) -> None:
    opened(driver, pages / "burst.html")
    driver.find_element("id", "go").click()
    before = len(driver.find_elements("css selector", ".flight"))
    bursts = driver.find_elements("css selector", "[data-act=open]")
    assert bursts
    assert "segments" in bursts[0].get_attribute("aria-label")
    driver.execute_script(
        "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))", bursts[0]
    )
    assert len(driver.find_elements("css selector", ".flight")) > before


def test_one_sheet_of_paper(driver: Any, pages: Path) -> None:
    from base64 import b64decode

    opened(driver, pages / "rst.html", "#server4")
    pdf = b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.count(b"/Type /Page\n") == 1


def test_what_goes_round_for_ever_goes_round_once(driver: Any, tmp_path: Path) -> None:
    """A window that stays shut is probed without end: a run to the end stops where states come again."""
    tcpsim.page("closing-behind-a-closed-window", losses=1).save(tmp_path / "x.html")
    opened(driver, tmp_path / "x.html")
    driver.find_element("id", "go").click()
    first = driver.execute_script("return page.panes[0].walk.moments.length")
    assert 20 < first < 200
    assert "the same comes again and again. Next, at" in said(driver)
    press(driver, "s")
    assert driver.execute_script("return page.panes[0].walk.moments.length") == first + 1
    assert complaints(driver) == []
