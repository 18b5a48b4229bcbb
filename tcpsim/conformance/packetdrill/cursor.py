"""A cursor that reads text from left to right and reports the place of an error.

Owns: the position, blanks and comments, and the conditional lines (``#ifdef``). They are replaced by blanks,
so that every line and column is that of the file. Refuses to know: the grammar (parser).

There is no tokenizer. The meaning of ``-``, ``...`` or ``F.`` depends on what is expected at this place, so
each rule of the grammar asks for the pattern that it needs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping

from tcpsim.conformance.packetdrill.script import Place, ScriptError

_BLANKS = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_NEXT = re.compile(r"\S+")
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*([A-Za-z]+)(?:[ \t]+([A-Za-z_][A-Za-z_0-9]*))?[ \t]*(?://.*|/\*.*)?")


class Cursor:
    """A place in a text. `define` holds the words that ``-D`` replaces."""

    __slots__ = ("_lines", "at", "define", "text")

    def __init__(self, text: str, define: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.at = 0
        self.define = define or {}
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, at: int | None = None) -> Place:
        """Line and column of an offset, or of the next thing to read."""
        if at is None:
            self.skip()
            at = self.at
        line = bisect_right(self._lines, at)
        return Place(line, at - self._lines[line - 1] + 1)

    def skip(self) -> None:
        """Past blanks and comments."""
        found = _BLANKS.match(self.text, self.at)
        if found:
            self.at = found.end()
        if self.text.startswith("/*", self.at):
            raise ScriptError(self.place(self.at), "parse error: this comment has no end")

    def done(self) -> bool:
        """Nothing is left."""
        self.skip()
        return self.at >= len(self.text)

    def sees(self, literal: str) -> bool:
        """Whether `literal` comes next."""
        self.skip()
        return self.text.startswith(literal, self.at)

    def take(self, literal: str) -> bool:
        """Go past `literal` if it comes next."""
        if not self.sees(literal):
            return False
        self.at += len(literal)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go past `pattern` if it comes next."""
        self.skip()
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def peek(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Whether `pattern` comes next."""
        self.skip()
        return pattern.match(self.text, self.at)

    def expect(self, literal: str) -> None:
        """Go past `literal`, which has to come next."""
        if not self.take(literal):
            raise self.wrong(repr(literal))

    def keyword(self, word: str) -> bool:
        """Go past a whole word if it comes next."""
        found = self.peek(_WORD)
        if found is None or found[0] != word:
            return False
        self.at = found.end()
        return True

    def word(self, what: str) -> str:
        """A name."""
        found = self.match(_WORD)
        if found is None:
            raise self.wrong(what)
        return self.define.get(found[0], found[0])

    def number(self, what: str, least: int = 0, most: int = 2**32 - 1) -> int:
        """A whole number, decimal or hexadecimal, with a sign where `least` is below zero."""
        place = self.place()
        start = self.at
        negative = least < 0 and self.take("-")
        found = self.match(_NUMBER)
        defined = self.peek(_WORD) if found is None else None
        digits = self.define.get(defined[0], "") if defined else ""
        if found is not None:
            digits = found[0]
        elif defined is not None and _NUMBER.fullmatch(digits):
            self.at = defined.end()
        else:
            self.at = start
            raise self.wrong(what)
        if len(digits) > 24:
            raise ScriptError(place, f"{what} out of range: {digits[:24]}...")
        value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
        value = -value if negative else value
        if not least <= value <= most:
            raise ScriptError(place, f"{what} out of range: {value} is not in {least} to {most}")
        return value

    def until(self, end: str, what: str) -> str:
        """Everything up to `end`, which is gone past too."""
        start = self.at
        stop = self.text.find(end, start)
        if stop < 0:
            raise ScriptError(self.place(start - 1), f"parse error: {what} has no end ({end!r})")
        self.at = stop + len(end)
        return self.text[start:stop]

    def wrong(self, expected: str) -> ScriptError:
        """The error that something else comes next than has to."""
        place = self.place()
        found = _NEXT.match(self.text, self.at)
        shown = f"at {found[0][:40]!r}" if found else "at the end of the file"
        return ScriptError(place, f"parse error {shown}: expected {expected}")


def conditioned(text: str, symbols: Collection[str]) -> str:
    """The text with ``#ifdef`` lines, and what they leave out, replaced by blanks.

    >>> conditioned("a\\n#ifdef Linux\\nb\\n#endif\\nc\\n", {"FreeBSD"}).split()
    ['a', 'c']

    Raises:
        ScriptError: an unknown directive, or one that has no partner.
    """
    if "#" not in text:
        return text
    open_at: list[tuple[Place, bool]] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        found = _DIRECTIVE.fullmatch(line) if "#" in line else None
        place = Place(number + 1, line.find("#") + 1)
        if found is not None:
            _directive(found, place, symbols, open_at)
        if found is not None or not all(kept for _, kept in open_at):
            lines[number] = ""
    if open_at:
        raise ScriptError(open_at[0][0], "parse error: this #ifdef has no #endif")
    return "\n".join(lines)


def _directive(
    found: re.Match[str], place: Place, symbols: Collection[str], open_at: list[tuple[Place, bool]]
) -> None:
    directive, symbol = found[1], found[2]
    if directive in ("ifdef", "ifndef") and symbol:
        open_at.append((place, (symbol in symbols) == (directive == "ifdef")))
    elif directive == "endif" and open_at:
        open_at.pop()
    elif directive == "endif":
        raise ScriptError(place, "parse error: this #endif has no #ifdef")
    else:
        raise ScriptError(
            place, f"parse error at '#{directive}': expected #ifdef NAME, #ifndef NAME or #endif"
        )
