"""Anonymises a dump: it replaces addresses and program names, and keeps everything else.

Owns: which parts of a text are names, and their replacements. The same address has the same replacement in
all texts together, so connections, both ends, services and LISTEN lines still match. Loopback and "any" are
kept. Refuses to know: what a line means. Lines that no reader understands are anonymised too.

IPv4 addresses become those of 198.18.0.0/15 (RFC 2544, for benchmarks), IPv6 ones of 2001:db8::/32.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tcpsim.dumps.addresses import packed
from tcpsim.dumps.read import decoded

_V4 = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?=[:%\s\]./,;)-]|\Z)", re.ASCII)
_V6 = re.compile(r"(?<![0-9A-Za-z:.])((?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15})(?![0-9A-Za-z])", re.ASCII)
_HEX = re.compile(r"(?<=[ \t])([0-9A-F]{8}|[0-9A-F]{32})(?=:[0-9A-F]{4}\s)", re.ASCII)
_USER = re.compile(r'\("((?:[^"\\]|\\.)*)",', re.ASCII)
_PROGRAM = re.compile(
    r"(?<=\s)(\d+)/(\S.*?)(?=\s{2,}|\s*$|\s+(?:off|on|keepalive|timewait|probe|unkn-\d)\s)", re.ASCII
)
_LSOF = re.compile(r"^(\S+)(\s+\d+\s+)(\S+)(?=\s+\d+[a-z]*[uUrRwW]?\s+(?:IPv[46]|sock)\b)", re.ASCII)
_EXE = re.compile(r"\[([^\]]+\.exe)\]", re.IGNORECASE)
_NAMED = re.compile(
    r"(?<![\w.-])((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]*)(?=[:.](?:\d+|[a-z*]))",
    re.ASCII,
)
_PROMPT = re.compile(r"^\S*@\S+(?=[#$%>:])", re.ASCII)
_UNIT = re.compile(r"(cgroup:)\S+", re.ASCII)
_SYSCTL = re.compile(r"\s*(?:#|\$)?.*?\b(?:net|fs|kernel)\.[a-z]", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d\d:\d\d\Z", re.ASCII)  # a time of day has colons too
_KEEP = re.compile(r"127\.|0\.0\.0\.0$|255\.255\.255\.255$", re.ASCII)


class Names:
    """The replacements so far."""

    def __init__(self) -> None:
        self.v4: dict[str, str] = {}
        self.v6: dict[str, str] = {}
        self.programs: dict[str, str] = {}
        self.hosts: dict[str, str] = {}

    def address(self, text: str) -> str:
        """An IPv4 address."""
        if _KEEP.match(text) or any(int(part) > 255 for part in text.split(".")):
            return text
        number = len(self.v4) + 1
        return self.v4.setdefault(text, f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}")

    def address6(self, text: str) -> str:
        """An IPv6 address; the IPv4 address in one is replaced already, one that was cut off stays so."""
        low = text.lower()
        if _CLOCK.match(text):
            return text
        if low in ("::", "::1") or not any(char.isdigit() or char in "abcdef" for char in low):
            return text
        if "." in low:
            return text
        whole = "::" in low or low.count(":") == 7
        made = f"2001:db8::{len(self.v6) + 1:x}" if whole else f"2001:db8:0:0:{len(self.v6) + 1:x}"
        return self.v6.setdefault(low, made)

    def of_hex(self, text: str) -> str:
        """An address of /proc/net/tcp."""
        raw = bytes.fromhex(text)
        host = packed(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
        if ":" in host:
            if host in ("::", "::1"):
                return text
            number = int(self.address6(host).rpartition("::")[2] or "0", 16)
            made = bytes.fromhex("20010db8") + bytes(8) + number.to_bytes(4, "big")
        else:
            made = bytes(int(part) for part in self.address(host).split("."))
            if len(raw) == 16:
                made = bytes(10) + b"\xff\xff" + made
        return b"".join(made[at : at + 4][::-1] for at in range(0, len(made), 4)).hex().upper()

    def program(self, text: str) -> str:
        """A program's name; what it is called does not matter, that it is the same does."""
        return self.programs.setdefault(text, f"program{len(self.programs) + 1}")

    def host(self, text: str) -> str:
        """A host's name."""
        return self.hosts.setdefault(text.lower(), f"host{len(self.hosts) + 1}.example")


def anonymised(texts: Sequence[str | bytes], names: Names | None = None) -> list[str]:
    """The same texts, made anonymous together.

    >>> anonymised(['ESTAB 0 0 10.1.2.3:22 10.1.2.9:5000 users:(("sshd",pid=7,fd=4))'])
    ['ESTAB 0 0 198.18.0.1:22 198.18.0.2:5000 users:(("program1",pid=7,fd=4))']
    """
    known = names or Names()
    return ["".join(_line(line, known) for line in _text(each).splitlines(keepends=True)) for each in texts]


def _text(given: str | bytes) -> str:
    return given if isinstance(given, str) else decoded(given)


def _line(line: str, names: Names) -> str:
    line = _HEX.sub(lambda found: names.of_hex(found[1]), line)
    line = _V4.sub(lambda found: names.address(found[1]), line)
    line = _V6.sub(lambda found: _six(found, names), line)
    if not _SYSCTL.match(line):
        line = _NAMED.sub(lambda found: names.host(found[1]), line)
    line = _USER.sub(lambda found: f'("{names.program(found[1])}",', line)
    line = _PROGRAM.sub(lambda found: f"{found[1]}/{names.program(found[2].strip())}", line)
    line = _LSOF.sub(lambda found: f"{names.program(found[1])}{found[2]}user", line)
    line = _EXE.sub(lambda found: f"[{names.program(found[1])}.exe]", line)
    line = _UNIT.sub(lambda found: f"{found[1]}/", line)
    return _PROMPT.sub("user@host", line)


def _six(found: re.Match[str], names: Names) -> str:
    """An IPv6 address, with a port behind it where no bracket ends it: netstat's, or a BSD's behind a dot."""
    text, before = found[1], found.string[found.start() - 1 : found.start()]
    head, dot, tail = text.rpartition(".")
    if dot and not _V4.match(text.rpartition(":")[2]):
        return f"{names.address6(head)}.{tail}"
    head, _, tail = text.rpartition(":")
    if before in ("[", "=") or not tail.isdigit() or head.count(":") < 2 or dot:
        return names.address6(text) if not text.startswith(":::") else text
    return f"{names.address6(head)}:{tail}"
