"""docs/scenarios/, a page for each theme: `python -m tests.catalogue.stories`, or `make docs`.

Owns: the pages, and where a scenario stands in them. Refuses to know: how a story is told (api.explain).
"""

from __future__ import annotations

from pathlib import Path

from tcpsim.api.explain import explain
from tcpsim.catalogue import Scenario, scenarios

FOLDER = Path(__file__).parent.parent.parent / "docs" / "scenarios"
INDEX = "README.md"

INTRODUCTION = """\
# The scenarios

Each theme has a page. A page shows what `tcpsim explain NAME` prints for each scenario of the theme: the
story, the ladder of the run with seed 1, the [claims](../claims.md) that the scenario comes from, and the
fixes that help and the fixes that do not.

`make docs` writes these pages. A test runs all scenarios and compares. If you know the symptom and not the
scenario, start from [the symptoms](../symptoms.md).
"""


def stem(theme: str) -> str:
    """The file name of a theme's page, without its suffix."""
    return theme.lower().replace(",", "").replace(" ", "-")


def link(scenario: Scenario) -> str:
    """Where a scenario stands, as a link from a page in docs/."""
    return f"scenarios/{_page_link(scenario)}"


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    themes: dict[str, list[Scenario]] = {}
    for each in scenarios():
        themes.setdefault(each.theme, []).append(each)
    found = {f"{stem(theme)}.md": _theme_page(theme, members) for theme, members in themes.items()}
    return {INDEX: _index(themes), **found}


def write() -> None:
    """Write all pages, and remove those of themes that there are no more."""
    FOLDER.mkdir(exist_ok=True)
    found = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in found:
            old.unlink()
    for name, text in found.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _index(themes: dict[str, list[Scenario]]) -> str:
    lines = [INTRODUCTION]
    for theme, members in themes.items():
        lines += [f"## [{_headline(theme)}]({stem(theme)}.md)", ""]
        lines += [f"- [{each.name}]({_page_link(each)}): {each.title}" for each in members]
        lines += [""]
    return "\n".join(lines)


def _theme_page(theme: str, members: list[Scenario]) -> str:
    lines = [f"# {_headline(theme)}", "", f"[All scenarios]({INDEX})"]
    for each in members:
        told = explain(each.name).text().rstrip("\n")
        lines += ["", f"## {each.name}", "", "```text", told, "```"]
    return "\n".join(lines) + "\n"


def _page_link(scenario: Scenario) -> str:
    """A page of this folder, and the heading in it as Markdown makes its anchor."""
    return f"{stem(scenario.theme)}.md#{scenario.name.replace('.', '')}"


def _headline(theme: str) -> str:
    return theme[0].upper() + theme[1:]


if __name__ == "__main__":
    write()
