"""The words of public texts: house words are in the glossary, and some old words do not come back.

Public texts are the README, CONTRIBUTING, docs/, the help of every command, and the docstrings of what
`import tcpsim` offers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import tcpsim
from tcpsim.cli import COMMANDS
from tcpsim.cli import tcpsim as program

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = ROOT / "docs" / "decisions"

# An old word or phrase, and what to write instead.
BANNED = {
    r"mini-sockets?": "timewait socket",
    r"crowds?": "population",
    r"clienteles?": "story of users",
    r"where chance begins": "the seed of all random events",
    r"whose move it is": "who must act next",
    r"finite means": "limits",
    r"in vain": "does not help",
    r"happenings?": "event",
    r"cut is said": "the output says what is missing",
    r"meets? silence": "gets no answer",
    r"wants? of (?:memory|it)": "lack of",
    r"(?:likeliest|fewest) ways?": "path",
    r"ways? (?:into|of fewest losses)": "path to",
    r"all (?:its|their) lives|every life|lives of": "history",
    r"(?:Poisson|binomial|exact) laws?": "distribution",
    r"next to impossible": "extremely unlikely",
    r"told apart": "distinguished",
    r"says? of (?:each|the|a)\b": "say about",
    r"as many, and": "say which number",
    r"lies? on top": "override",
    r"a word on stderr": "a note",
    r"considered and not taken": "rejected",
    r"who pays for": "who holds",
    r"from then on it": "say since when",
}
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def prose(page: Path) -> str:
    """A page without its code, which has names and not words."""
    return _CODE.sub(" ", page.read_text(encoding="utf-8"))


def helps() -> Iterator[tuple[str, str]]:
    """The help of the program and of every command, by its name."""
    context = click.Context(program, info_name="tcpsim")
    yield "tcpsim", program.get_help(context)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        yield name, command.get_help(inner)
        if isinstance(command, click.Group):
            for child in command.commands.values():
                yield f"{name} {child.name}", child.get_help(click.Context(child, parent=inner))


def docstrings() -> Iterator[tuple[str, str]]:
    """What `import tcpsim` says about itself and about each of its names."""
    yield "tcpsim", inspect.getdoc(tcpsim) or ""
    for name in tcpsim.__all__:
        yield name, inspect.getdoc(getattr(tcpsim, name)) or ""


def entries() -> list[str]:
    """The words that the glossary explains."""
    return re.findall(r"^\| \*\*(.+?)\*\* \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


PROSE = {str(page.relative_to(ROOT)): prose(page) for page in PAGES if DECISIONS not in page.parents}
HELP = {f"{name} --help": text for name, text in helps()}
DOCSTRINGS = {f"help({name})": text for name, text in docstrings()}
PUBLIC = PROSE | HELP | DOCSTRINGS


def banned(text: str) -> list[str]:
    """The old words in a text, each with what to write instead."""
    plain = " ".join(text.split())
    return [
        f"{found[0]!r}: write {better!r}"
        for pattern, better in BANNED.items()
        for found in re.finditer(rf"\b(?:{pattern})\b", plain, re.IGNORECASE)
    ]


def test_the_glossary_has_entries() -> None:
    assert len(entries()) > 40
    assert len(set(entries())) == len(entries())


@pytest.mark.parametrize("word", entries())
def test_a_word_of_the_glossary_is_used(word: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES if page != GLOSSARY]
    assert any(
        re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE) for text in [*pages, *HELP.values()]
    ), f"nobody says {word!r}: take it out of the glossary"


@pytest.mark.parametrize("where", sorted(PUBLIC))
def test_no_old_word_is_in_a_public_text(where: str) -> None:
    assert not banned(PUBLIC[where])


def test_the_glossary_is_linked() -> None:
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(glossary.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


@pytest.mark.parametrize(
    ("text", "number"),
    [("Two mini-sockets\nare left", 1), ("a timewait socket", 0), ("The seed:\nwhere chance\nbegins.", 1)],
)
def test_an_old_word_is_found(text: str, number: int) -> None:
    assert len(banned(text)) == number
