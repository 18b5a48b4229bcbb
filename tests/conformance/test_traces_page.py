"""docs/conformance.md tells of every trace that fails or is exempt, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpsim.conformance.traces import Verdict
from tcpsim.conformance.traces.not_compared import reasons
from tests.conformance import page
from tests.conformance.kernel import TRACES


def test_the_page_gives_every_reason() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    told = text.partition(page.BEGIN)[2].partition(page.END)[0]
    for name, reason in (page.remaining() | reasons()).items():
        assert name in told
        assert reason in told


def test_every_group_of_traces_has_a_line() -> None:
    recorded = [path for path in TRACES if path.parent.name in page.SETS]
    assert {path.stem[:2] for path in recorded} <= set(page.GROUPS)


def test_a_failure_that_nobody_explains_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = {"traces/02a": Verdict("02a.json", "FAIL"), "plain/02a": Verdict("02a.json", "PASS")}
    monkeypatch.setattr(page, "remaining", dict)
    with pytest.raises(SystemExit, match="traces/02a"):
        page.section(judged)
    monkeypatch.setattr(page, "remaining", lambda: {"traces/02a": "it rained"})
    text = page.section(judged)
    assert "| 02 | CLOSE-WAIT leak, FIN-WAIT-2 expires | 0 of 1 | 1 of 1 |" in text
    assert "1 of 2 pass." in text
    assert "it rained" in text


def test_the_page_keeps_what_stands_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    assert page.page_with("new") == f"before\n{page.BEGIN}\n\nnew\n\n{page.END}\nafter\n"
