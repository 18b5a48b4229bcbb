"""The exception for the mistakes of a user.

Owns: the type of the error, its one-line form, and suggestions for misspelt names. Refuses to know: who reads
it. The command line prints it and exits with status 2. A user of the library catches it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T", bound=type)

_FEW = 12  # names that an error lists beside a suggestion


class InputError(ValueError):
    """Bad input. The text is one line that says where the mistake is, what was found, and what is allowed.

    >>> print(InputError("loss", "1.5", "a number from 0 to 1"))
    loss: found 1.5, allowed: a number from 0 to 1
    """

    def __init__(self, where: str, found: object, allowed: str) -> None:
        super().__init__(f"{where}: found {found}, allowed: {allowed}".replace("\n", " "))
        self.where = where
        self.found = found
        self.allowed = allowed

    def __reduce__(self) -> tuple[type[InputError], tuple[Any, ...]]:
        """A worker process returns the error unchanged, with the value that was found as a text."""
        return type(self), (self.where, str(self.found), self.allowed)


def nearest(value: object, known: Iterable[object]) -> str:
    """A misspelt value as an error shows it, with suggestions.

    >>> nearest("orphans", ("never", "orphan", "always"))
    "'orphans' (did you mean orphan?)"
    """
    words = list(map(str, known))
    near: list[str] = []
    if isinstance(value, str) and value:
        from difflib import (
            get_close_matches,  # costs more than the rest of a start, and only mistakes need it
        )

        near = get_close_matches(value, words, n=3) or [word for word in words if word.startswith(value)][:3]
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'}{hint}"


def unknown(where: str, name: str, known: Iterable[str]) -> InputError:
    """The error for an unknown name, with suggestions or with the list of all names.

    >>> print(unknown("stack", "linus", ["linux", "freebsd"]))
    stack: found 'linus' (did you mean linux?), allowed: freebsd, linux
    """
    names = sorted(set(known))
    found = nearest(name, names)
    if len(names) > _FEW and "did you mean" in found:
        return InputError(where, found, f"one of {len(names)} names")
    return InputError(where, found, ", ".join(names) or "nothing here")


class Mistakes(InputError):
    """All mistakes in one file, with a line for each.

    >>> print(Mistakes([InputError("a.loss", "2", "0 to 1"), InputError("a.delay", "x", "a time")]))
    a.loss: found 2, allowed: 0 to 1
    a.delay: found x, allowed: a time
    """

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(one for each in errors for one in getattr(each, "errors", (each,)))
        first = self.errors[0]
        super().__init__(first.where, first.found, first.allowed)

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))

    def __reduce__(self) -> tuple[type[InputError], tuple[Any, ...]]:
        return type(self), (self.errors,)


def checked(made: T) -> T:
    """Decorator for a NamedTuple with a method `check`. Every new instance is checked, also after `_replace`.

    >>> from typing import NamedTuple
    >>> @checked
    ... class Share(NamedTuple):
    ...     of: float
    ...
    ...     def check(self) -> None:
    ...         if not 0 <= self.of <= 1:
    ...             raise InputError("share", self.of, "a number from 0 to 1")
    >>> Share(0.5)._replace(of=0.25)
    Share(of=0.25)
    >>> Share(0.5)._replace(of=2)
    Traceback (most recent call last):
    tcpsim.errors.InputError: share: found 2, allowed: a number from 0 to 1
    """
    plain: Any = made.__new__

    def new(cls: Any, *arguments: Any, **named: Any) -> Any:
        self = plain(cls, *arguments, **named)
        self.check()
        return self

    def make(cls: Any, values: Iterable[Any]) -> Any:
        return cls(*values)

    made.__new__ = new  # type: ignore[method-assign, assignment]
    made._make = classmethod(make)  # type: ignore[attr-defined]
    return made
