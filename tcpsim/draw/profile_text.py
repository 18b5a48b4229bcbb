"""Stack profiles as text: a table of all, the differences of some, and one value with its source.

Owns: which values the overview shows. Refuses to know: where the values come from (tcp/stacks), how a value
is spelled (domain), and what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from tcpsim.draw.text_columns import columns
from tcpsim.errors import InputError
from tcpsim.profile import Knob
from tcpsim.tcp.stack import STACKS, knobs, names, stack

FIELDS = tuple(STACKS.domains)
_OVERVIEW = (
    ("FIN-WAIT-2", "fin_wait_2_us"),
    ("armed when acked", "fin_wait_2_on_fin_acked"),
    ("on close", "fin_wait_2_on_close"),
    ("RST", "fin_wait_2_rst"),
    ("TIME-WAIT", "time_wait_us"),
    ("RTO min", "rto_min_us"),
    ("RTO max", "rto_max_us"),
    ("keepalive", "keep_idle_us"),
    ("by default", "keepalive_default"),
)
_WIDTH = 88


def overview(chosen: Sequence[str] = ()) -> str:
    """One line for each stack: how its FIN-WAIT-2 ends, and its most important timers."""
    head = ("stack", *(title for title, _ in _OVERVIEW), "unverified")
    rows = [head]
    for name in chosen or names():
        profile = stack(name)
        doubtful = sum(not knob.verified for knob in knobs(name))
        cells = [STACKS.spelled(profile, field) for _, field in _OVERVIEW]
        if profile.fin_wait_2_us is None:
            cells[1:4] = ["-"] * 3  # no limit, so nothing arms it
        rows.append((name, *cells, str(doubtful)))
    return aligned(rows)


def differences(chosen: Sequence[str]) -> str:
    """The fields in which the stacks differ, with a column for each stack."""
    profiles = [stack(name) for name in chosen]
    rows = [("field", *chosen)]
    for field in FIELDS:
        cells = [STACKS.spelled(profile, field) for profile in profiles]
        if len(set(cells)) > 1:
            rows.append((field, *cells))
    return aligned(rows)


def story(name: str, field: str) -> str:
    """One value of a stack, or of each field that starts with this text: value, name, domain and source."""
    found = matching(name, field)
    lines: list[str] = []
    for knob in found:
        own = f"  ({knob.own_name})" if knob.own_name else ""
        value = STACKS.spelled(stack(name), knob.field)
        lines.append(f"{name} {knob.field} = {value}{own}")
        lines += [f"    {line}" for line in wrap(f"allowed: {STACKS.domains[knob.field].allowed}", _WIDTH)]
        doubt = "" if knob.verified else " [unverified]"
        lines += [f"    {line}" for line in wrap(knob.source + doubt, _WIDTH)]
    return "\n".join(lines) + "\n"


def matching(name: str, field: str) -> tuple[Knob, ...]:
    """The knobs of a stack that `field` names: by the owner's name, a field, or the start of several fields.

    Raises:
        InputError: there is no such knob.
    """
    found = tuple(k for k in knobs(name) if field in (k.own_name, k.field) or k.field.startswith(field))
    if not found:
        raise InputError("--explain", repr(field), f"a field or knob of {name}, such as fin_wait_2")
    return found


def pages() -> dict[str, str]:
    """docs/stacks/: an index with the overview and the fields, and a page for each stack, by file name."""
    return {"README.md": _index(), **{f"{name}.md": _stack_page(name) for name in names()}}


def _index() -> str:
    parts = [
        "# Stacks\n",
        "A stack is one implementation of TCP, described as data. Each stack has a page with all its",
        "values and their sources. `make docs` writes these pages from `tcpsim/tcp/stacks/*.toml`, and",
        "`tcpsim stacks` prints the same. A value is marked *unverified* if it comes from memory, from",
        "inference, or from a source that nobody has read again. For freebsd and lwip, no copy of the source",
        "was at hand: files are named from memory, so what no script checks (tests/conformance/scripts) is",
        "*unverified*, whether it is marked or not.\n",
        *[f"- [{name}]({name}.md)" for name in names()],
        "\n```text",
        overview().rstrip("\n"),
        "```",
        "\n## Fields\n",
        "This table says which values each field accepts. The same values are accepted in a profile file, by",
        "`--set`, in a scenario, in a fix, and in the sysctls of a script.\n",
        "| field | allowed |",
        "|---|---|",
        *[f"| `{field}` | {domain.allowed} |" for field, domain in STACKS.domains.items()],
    ]
    return "\n".join(parts) + "\n"


def _stack_page(name: str) -> str:
    """Every value of a stack, with its source."""
    parts = [
        f"# {name}\n",
        "[All stacks](README.md)\n",
        "| field | value | own name | source |",
        "|---|---|---|---|",
    ]
    for knob in knobs(name):
        value = STACKS.spelled(stack(name), knob.field)
        doubt = "" if knob.verified else " *unverified*"
        parts.append(f"| `{knob.field}` | {value} | {knob.own_name} | {knob.source}{doubt} |")
    return "\n".join(parts) + "\n"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text, each column as wide as it has to be."""
    return "\n".join(columns(rows, len(rows[0]))) + "\n"
