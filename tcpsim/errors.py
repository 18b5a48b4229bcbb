"""The one exception that a user's mistake becomes.

Owns: the error's type and its one-line form. Refuses to know: who reads it (the command line prints
it and exits with status 2; a library user catches it).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T", bound=type)


class InputError(ValueError):
    """Bad input: one line that says where, what was found and what is allowed.

    >>> print(InputError("loss", "1.5", "a number from 0 to 1"))
    loss: found 1.5, allowed: a number from 0 to 1
    """

    def __init__(self, where: str, found: object, allowed: str) -> None:
        super().__init__(f"{where}: found {found}, allowed: {allowed}".replace("\n", " "))
        self.where = where
        self.found = found
        self.allowed = allowed


class Mistakes(InputError):
    """All mistakes of one file: a line for each.

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

    def __reduce__(self) -> tuple[type[Mistakes], tuple[tuple[InputError, ...]]]:
        return type(self), (self.errors,)


def checked(made: T) -> T:
    """For a NamedTuple with a method `check`: every instance is checked as it is made, by `_replace` too.

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
