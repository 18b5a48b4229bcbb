"""The catalogue as pages: an index that leads to each, by theme, state and side."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest

import tcpsim
from tcpsim.api import pages as api
from tcpsim.catalogue import scenario, scenarios
from tcpsim.cli import main
from tcpsim.web.site import Entry, index

NAMES = ("normal-close", "one-rst-stack", "closewait-ignored-eof")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "scenarios", lambda: [scenario(name) for name in NAMES])


def links(page: Path) -> set[str]:
    return set(re.findall(r'<a href="([^"#]+)"', page.read_text(encoding="utf-8")))


@pytest.mark.usefixtures("few")
def test_a_page_for_each_and_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tcpsim.pages(tmp_path / "site", losses=1)
    assert {path.name for path in (tmp_path / "site").iterdir()} == {
        "index.html",
        *[f"{name}.html" for name in NAMES],
    }
    assert links(site.where / "index.html") == {f"{name}.html" for name in NAMES}
    assert links(site.where / "one-rst-stack.html") == {"index.html"}
    assert [each["losses_to_a_leak"] for each in site.to_dict()["pages"]] == [None, 1, 0]
    with pytest.raises(SystemExit, match="0"):
        main(["pages", "--out", str(tmp_path / "again"), "--losses", "1", "--workers", "2"])
    for path in site.where.iterdir():  # in other processes as in this one
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert "3 pages" in capsys.readouterr().out


def test_the_index_groups_by_theme_state_and_side() -> None:
    entries = [
        Entry("a", "<b>", "Theme", (("client", "CLOSE-WAIT"),), 0, "a.html"),
        Entry("b", "second", "Theme", (), None, "", "not explored (jitter)"),
        Entry("c", "third", "Theme", (("relay 1", "CLOSE-WAIT"), ("relay 2", "FIN-WAIT-2")), 0, "c.html"),
    ]
    page = index(entries, "1.0")
    assert escape("<b>") in page
    assert "<b>" not in page
    assert "not explored (jitter)" in page
    below = {part.split("</h3>")[0]: part for part in page.split("<h3>")[1:]}
    assert list(below) == ["Theme", "CLOSE-WAIT", "FIN-WAIT-2", "nothing", "client", "relay 1", "relay 2"]
    assert "c.html" in below["relay 2"]
    assert "a.html" in below["CLOSE-WAIT"]
    assert "a.html" not in below["nothing"]


@pytest.mark.verify
def test_every_scenario_has_a_page_below_two_megabytes(tmp_path: Path) -> None:
    site = tcpsim.pages(tmp_path, workers=2)
    assert set(site.sizes) == {each.name for each in scenarios()}
    assert max(site.sizes.values()) < 2_000_000
