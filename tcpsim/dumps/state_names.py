"""State names in the spelling of any command and in the languages of Windows.

Owns: the normal form of a word, so that a name survives a wrong code page, and the localised names
(words.toml). Refuses to know: where in a line the word stands.

>>> state("CLOSE-WAIT") is state("CLOSE_WAIT") is state("SCHLIESSEN_WARTEN") is State.CLOSE_WAIT
True
>>> state("ABH\\ufffdREN") is state("ABHÖREN") is State.LISTEN
True
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources

from tcpsim.tcp.state import State, parse_state

_ASCII = re.compile(r"[^A-Z0-9]")
# as `ss`, netstat and lsof of Linux, the BSDs, macOS, Solaris and Windows write them
_WRITTEN = (
    "ESTAB", "ESTABLISHED", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE",
    "CLOSED",
    "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_RCVD",
    "SYN_RECEIVED", "NEW_SYN_RECV", "LISTENING", "UNCONN", "BOUND", "IDLE",
)  # fmt: skip
_UNCONNECTED = {
    "LISTENING": State.LISTEN,
    "UNCONN": State.CLOSED,
    "BOUND": State.CLOSED,
    "IDLE": State.CLOSED,
}


def fold(word: str) -> str:
    """The letters and digits that every code page agrees on."""
    return _ASCII.sub("", word.upper())


def _load() -> dict[str, State]:
    found = {}
    for word in _WRITTEN:
        found[fold(word)] = _UNCONNECTED[word] if word in _UNCONNECTED else parse_state(word)
    text = (resources.files("tcpsim.dumps") / "words.toml").read_text(encoding="utf-8")
    for language in tomllib.loads(text).values():
        for name, words in language.items():
            if name not in ("verified", "source"):
                found |= {fold(word): State[name] for word in words}
    return found


_BY_FOLDED = _load()
_SEEN: dict[str, State | None] = {}


def state(word: str) -> State | None:
    """The state that a word names, or None."""
    try:
        return _SEEN[word]
    except KeyError:
        found = _BY_FOLDED.get(fold(word)) if word[:1].isalpha() and word.upper() == word else None
        if len(_SEEN) < 10_000:  # a garbled text must not fill the memory
            _SEEN[word] = found
        return found
