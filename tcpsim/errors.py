"""The one exception that a user's mistake becomes.

Owns: the error's type and its one-line form. Refuses to know: who reads it (the command line prints
it and exits with status 2; a library user catches it).
"""

from __future__ import annotations


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
