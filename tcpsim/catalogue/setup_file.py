"""A file of a user, whatever it describes: a scenario, a workload, or a user group.

Owns: what kind of set-up a file is (its tables say so). Refuses to know: the tables (scenario_file,
workload_file, user_group_file), which are loaded when a file has them: a scenario needs no SimPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tcpsim.catalogue.scenario import Scenario
from tcpsim.catalogue.scenario_file import opened, read_connection

if TYPE_CHECKING:
    from tcpsim.catalogue.user_group import UserGroup
    from tcpsim.catalogue.workload import Workload

OF_USERS: Final = frozenset(("pool", "browsers", "variant"))
OF_WORKLOADS: Final = frozenset(("arrivals", "limits", "host", "mix"))


def parse_setup(content: str, where: str, name: str) -> Scenario | Workload | UserGroup:
    """What a file's content describes; `where` is the file's name, `name` that of a set-up without one.

    Raises:
        InputError: no TOML, an unknown or a missing key, or a value out of range; with the field's path.
    """
    top = opened(content, where)
    given = top.left.keys()
    if given & OF_USERS:
        from tcpsim.catalogue.user_group_file import read_user_group

        users = read_user_group(top, name)
        top.done()
        return users()
    if given & OF_WORKLOADS:
        from tcpsim.catalogue.workload_file import read_workload

        workload = read_workload(top, name)
        top.done()
        return workload()
    found = read_connection(top)
    top.done()
    return found.scenario(name)
