"""The stories of users, by name: browsers and pools.

Owns: how a story is found. Refuses to know: the stories (browsers, pools).
"""

from __future__ import annotations

from tcpsim.errors import unknown
from tcpsim.host.clienteles import browsers, pools
from tcpsim.host.clienteles.clientele import Clientele, Variant

__all__ = ["Clientele", "Variant", "clientele", "clienteles"]

_ALL = (*browsers.CLIENTELES, *pools.CLIENTELES)
_BY_NAME = {each.name: each for each in _ALL}


def clienteles() -> tuple[Clientele, ...]:
    """All of them."""
    return _ALL


def clientele(name: str) -> Clientele:
    """The clientele of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    if name not in _BY_NAME:
        raise unknown("users", name, list(_BY_NAME))
    return _BY_NAME[name]
