"""docs/scenarios.md, every scenario as explained: `python -m tests.catalogue.stories`, or `make docs`.

Owns: the page, and where on it a scenario stands. Refuses to know: how a story is told (api).
"""

from __future__ import annotations

from pathlib import Path

from tcpsim.api.explain import explain
from tcpsim.catalogue import Scenario, scenarios

PAGE = Path(__file__).parent.parent.parent / "docs" / "scenarios.md"

INTRODUCTION = """\
# The scenarios

Each as `tcpsim explain NAME` tells it: the story, the ladder of its run with seed 1, the claims it comes from
([all claims](claims.md)), and what helps. `make docs` prints this page; a test runs all of it again.
"""


def anchor(name: str) -> str:
    """Of a scenario's heading, as Markdown makes it."""
    return name.replace(".", "")


def page() -> str:
    """The whole page: a list by theme, then the stories in its order."""
    themes: dict[str, list[Scenario]] = {}
    for each in scenarios():
        themes.setdefault(each.theme, []).append(each)
    lines = [INTRODUCTION]
    for theme, members in themes.items():
        links = [f"[{each.name}](#{anchor(each.name)})" for each in members]
        lines.append(f"- **{theme}**: {', '.join(links)}")
    for theme, members in themes.items():
        lines += ["", f"## {theme[0].upper()}{theme[1:]}"]
        for each in members:
            told = explain(each.name).text().rstrip("\n")
            lines += ["", f"### {each.name}", "", "```text", told, "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
