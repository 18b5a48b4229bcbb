"""docs/stacks/: a page for each stack. `python -m tests.draw.stack_pages`, or `make docs`.

Owns: the files. Refuses to know: what they say (tcpsim.draw.profile_text).
"""

from __future__ import annotations

from pathlib import Path

from tcpsim.draw.profile_text import pages

FOLDER = Path(__file__).parent.parent.parent / "docs" / "stacks"


def write() -> None:
    """Write all pages, and remove those of stacks that there are no more."""
    FOLDER.mkdir(exist_ok=True)
    found = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in found:
            old.unlink()
    for name, text in found.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
