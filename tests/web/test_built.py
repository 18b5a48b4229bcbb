"""The built page and README's ladder are what today's code makes, and README shows them."""

from __future__ import annotations

from tests.web import built


def test_the_built_page_is_todays() -> None:
    kept = built.PAGE.read_text(encoding="utf-8")
    assert kept == built.page(), "run: make docs"
    assert len(kept.encode()) < 150_000


def test_readme_has_the_ladder_the_picture_and_the_link() -> None:
    text = built.README.read_text(encoding="utf-8")
    assert built.BEGIN in text
    assert built.readme(text) == text, "run: make docs"
    assert "](docs/pictures/page.png)](docs/pages/one-rst.html)" in text
    assert built.PICTURE.stat().st_size < 150_000
