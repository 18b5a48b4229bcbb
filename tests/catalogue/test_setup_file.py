"""Files of every kind: what they become, that each command reads them, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.catalogue import Scenario, as_toml, build, parse_scenario, play, scenario
from tcpsim.catalogue.index import KINDS, USER_GROUPS, USERS, WORKLOAD, WORKLOADS, content, kind_of, names
from tcpsim.catalogue.setup_file import parse_setup
from tcpsim.catalogue.user_group import UserGroup, Variant
from tcpsim.catalogue.workload import Workload
from tcpsim.errors import InputError
from tcpsim.host.browser import HANGS_UP, SOUND, Browsers
from tcpsim.host.limits import HostLimits
from tcpsim.host.pool import PoolConfig, Requests
from tcpsim.path import Fixed

LOAD = """\
title = "A worker that never closes"
[client]
behaviour = "never-closes"
[server]
behaviour = "responds-then-closes"
knobs = { tcp_fin_timeout = "30s" }
[arrivals]
rate = "2/s"
for = "1min"
fixed = true
[limits]
client.descriptors = 100
server.orphans = "none"
[host]
runs_out_of = "client.descriptors"
after = ["49s", "50s"]
"""
MIXED = """\
base = "normal-close"
[client]
arguments = { delay = "1s" }
[arrivals]
rate = "60/min"
for = "20s"
settle = "2min"
fixed = true
[[mix]]
share = "25%"
client = { behaviour = "never-closes" }
path = { delay = "30ms" }
[[mix]]
share = 0.75
[limits]
server.workers = 5
"""
POOL = """\
columns = ["done", "failed", "client CLOSE-WAIT left"]
[arrivals]
rate = "1/s"
for = "30s"
fixed = true
[server]
arguments = { timeout = "5s" }
[limits]
client.descriptors = 20
[pool]
size = 3
requests = "none"
[[variant]]
name = "shared"
expect = { failed = 0, done = [29, 30] }
[[variant]]
name = "one each"
pool = { shared = false, requests = 7 }
limits = { client.descriptors = 10 }
server = { behaviour = "keep-alive-timeout" }
"""


def read(text: str) -> Any:
    return parse_setup(text, "my.toml", "my")


def complaint(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    return str(error.value).split("\n")


def test_the_tables_say_what_a_file_is() -> None:
    assert isinstance(read(LOAD), Workload)
    assert isinstance(read(POOL), UserGroup)
    assert isinstance(
        read(LOAD.partition("[arrivals]")[0].replace("[client]", 'horizon = "1h"\n[client]')), Scenario
    )


def test_a_workload_says_all_that_a_run_needs(tmp_path: Path) -> None:
    found = read(LOAD)
    plan = found.plan()
    assert (plan.arrivals.per_second, plan.arrivals.for_us, plan.arrivals.poisson) == (2.0, 60_000_000, False)
    assert plan.limits.client == HostLimits(descriptors=100)
    assert plan.limits.server.orphans is None, "the file says so"
    assert plan.limits.server.minis is not None, "the stack says so"
    path = tmp_path / "my.toml"
    path.write_text(LOAD, encoding="utf-8")
    ran = tcpsim.exhaust(path)
    assert (ran.met_us, ran.surprises) == (49_500_000, ())
    late = read(LOAD.replace('["49s", "50s"]', '"never"'))
    assert tcpsim.exhaust(late).surprises == ("runs out after 49.5 s, not never",)
    assert tcpsim.exhaust(late, rate="1/s").surprises is None, "it is another workload"
    census = tcpsim.population(path)
    assert (census.connections, census.leaked) == (120, 100)
    assert tcpsim.population(path, for_="10s").connections == 20, "what is asked for wins"
    assert tcpsim.run(path).permanent, "one connection of it"


def test_kinds_are_what_differs() -> None:
    found = read(MIXED)
    (rare, first), (usual, second) = found.plan().kinds
    assert (rare, usual, found.scenario) == (0.25, 0.75, "normal-close")
    assert [pair.client.programs[0][1].program.name for pair in (first, second)] == [
        "never-closes",
        build(scenario("normal-close")).client.programs[0][1].program.name,
    ]
    assert first.path != second.path
    assert "wait 1s" in second.client.programs[0][1].program.describe(), "what holds for all"
    census = tcpsim.population(found)
    assert 0 < census.leaked < census.connections == 20
    assert census.plan.settle_us == 120_000_000


def test_a_base_says_the_rest() -> None:
    found = read('base = "closewait-ignored-eof"\n[server]\nknobs = { tcp_fin_timeout = 10 }\n')
    assert (found.name, found.client, found.horizon) == ("my", "never-closes", "1h")
    assert found.expect is None, "what the base expects may not hold"
    plain, changed = play(scenario("closewait-ignored-eof")), play(found)
    assert plain.settled_us - changed.settled_us == 50_000_000
    text = 'base = "closewait-ignored"\n[server]\nbehaviour = "never"\n'
    assert [line.partition(" (did")[0] for line in complaint(text)] == [
        "my.toml: base: found 'closewait-ignored'",
        "my.toml: server.behaviour: found 'never'",
    ], "what depends on the base is not judged without it"


def test_a_middlebox_of_ones_own() -> None:
    box = """[middlebox]
name = "ours"
base = "linux-conntrack"
nf_conntrack_tcp_timeout_established = 350
close_wait = { value = "90s", source = "our wiki" }
"""
    found = read('base = "closewait-ignored-eof"\n' + box).middlebox
    assert (found.name, found.established_us, found.close_wait_us) == ("ours", 350_000_000, 90_000_000)
    again = parse_scenario(as_toml(read('base = "closewait-ignored-eof"\n' + box)), "again.toml", "my")
    assert again.middlebox == found
    wrong = '[middlebox]\nname = "junos"\nrole = "switch"\nclosewait = "1s"\nloose = true\n'
    told = complaint('base = "normal-close"\n' + wrong)
    assert [line.partition(" (did")[0].partition(", allowed")[0] for line in told[:3]] == [
        "my.toml: middlebox.name: found 'junos'",
        "my.toml: middlebox.role: found 'switch'",
        "my.toml: middlebox.closewait: found 'closewait'",
    ]
    assert told[3].startswith(
        "my.toml: middlebox: found no value for begins, answers, passes_ignored, syn_sent"
    )


def test_a_user_group_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(POOL, encoding="utf-8")
    found = tcpsim.users(path)
    assert [row["variant"] for row in found.table()] == ["shared", "one each"]
    assert [row["failed"] for row in found.table()] == [0, 20], "descriptors"
    assert found.surprises == ()
    wrong = read(POOL.replace("failed = 0", "failed = [5, 9]"))
    assert tcpsim.users(wrong).surprises == ("shared: failed 0, not 5 to 9",)
    with pytest.raises(InputError, match="a user group with 2 variants, allowed: one variant"):
        tcpsim.population(path)
    alone = read(POOL.partition("[[variant]]")[0])
    assert [each.name for each in alone.variants] == ["my"]
    assert tcpsim.population(alone).connections == 1, "one is enough"


def test_browsers_in_a_file() -> None:
    text = '[arrivals]\nrate = 1\nfor = "9s"\n[browsers]\nimages = 2\nreads = "7s"\nlooks = "3s"\nhabits = '
    found = read(
        text + '[{ share = 0.5, habit = "hangs up" }, { share = 0.5, name = "mine", leaves = "quits" }]'
    )
    (variant,) = found.variants
    users = variant.users
    assert (users.images, users.reads, users.looks_us) == (2, Fixed(7_000_000), 3_000_000)
    assert users.habits == ((0.5, HANGS_UP), (0.5, SOUND._replace(name="mine", leaves="quits")))
    assert complaint(text + '[{ share = 0.5, habit = "hangs up" }]') == [
        "my.toml: browsers.habits: found shares 0.5, allowed: shares that add up to 1"
    ]


def in_the_manual() -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    return [block.partition("```")[0] for block in page.split("```toml\n")[1:]]


def test_the_files_of_the_manual_come_out_as_they_say() -> None:
    own, own_box, steps, many, users = in_the_manual()
    scenario_, boxed, load, group = map(read, (own, own_box, many, users))
    stepped = read(f'base = "normal-close"\n{steps}')
    assert stepped.client.describe()[0] == "connect"
    assert isinstance(scenario_, Scenario)
    assert boxed.middlebox.established_us == 350_000_000
    assert tcpsim.exhaust(load).surprises == ()
    assert tcpsim.exhaust(load, fix=load.cures).met_us is None
    assert tcpsim.users(group).surprises == ()


MISTAKES = [
    (
        LOAD,
        'rate = "2/s"',
        'rate = "fast"',
        "arrivals.rate: found 'fast', allowed: a number above 0 of events",
    ),
    (LOAD, 'for = "1min"', "for = 60", "arrivals.for: found '60', allowed: a number with a unit"),
    (LOAD, 'for = "1min"', "", "arrivals.for: found nothing, allowed: it is required"),
    (
        LOAD,
        "descriptors = 100",
        "descriptor = 100",
        "limits.client.descriptor: found 'descriptor' (did you mean",
    ),
    (
        LOAD,
        "client.descriptors = 100",
        "client.workers = 1",
        "limits.client.workers: found 'workers', allowed: ",
    ),
    (
        LOAD,
        "descriptors = 100",
        "descriptors = -1",
        "limits.client.descriptors: found -1, allowed: an integer >= 0",
    ),
    (
        LOAD,
        '"client.descriptors"',
        '"client.ports"',
        "host.runs_out_of: found 'client.ports' (did you mean client.des",
    ),
    (LOAD, '["49s", "50s"]', '"soon"', "host.after: found 'soon', allowed: two times, the earliest"),
    (LOAD, '["49s", "50s"]', '["49s"]', "host.after: found ['49s'], allowed: two times"),
    (LOAD, "[host]", "[hosts]", "hosts: found 'hosts' (did you mean host?)"),
    (MIXED, '"25%"', '"35%"', "mix: found shares 0.35, 0.75, allowed: shares that add up to 1"),
    (MIXED, '"never-closes"', '"never"', "mix[0].client.behaviour: found 'never' (did you mean never-closes"),
    (MIXED, 'delay = "30ms"', 'dely = "30ms"', "mix[0].path.dely: found 'dely' (did you mean delay"),
    (
        MIXED,
        'arguments = { delay = "1s" }',
        "arguments = { dely = 1 }",
        "client.arguments.dely: found 'dely' (did",
    ),
    (POOL, "size = 3", "size = 0", "pool.size: found 0, allowed: an integer >= 1"),
    (POOL, "size = 3", 'idle = "soon"', "pool.idle: found 'soon', allowed: a number with a unit"),
    (POOL, "shared = false", "shared = 1", "variant[1].pool.shared: found 1, allowed: true or false"),
    (POOL, "failed = 0", "faild = 0", "variant[0].expect.faild: found 'faild' (did you mean failed"),
    (POOL, "[29, 30]", "[30, 29]", "variant[0].expect.done: found [30, 29], allowed: one value, or a list"),
    (POOL, '"failed"', '"client CLOSED-WAIT"', "columns[1]: found 'client CLOSED-WAIT' (did you mean"),
    (POOL, 'name = "one each"', "", "variant[1].name: found nothing, allowed: it is required"),
    (POOL, "[pool]", "[browsers]\n[pool]", "pool: found [browsers] beside it, allowed: one of the two"),
    (
        POOL,
        '"keep-alive-timeout" }',
        '"httpd", arguments = { tineout = "1s" } }',
        "variant[1].server.arguments.tineout",
    ),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "told"), MISTAKES, ids=lambda each: each[:40].replace("\n", " ")
)
def test_a_mistake_names_its_field(text: str, old: str, new: str, told: str) -> None:
    assert text.count(old) == 1
    assert complaint(text.replace(old, new))[0].startswith(f"my.toml: {told}")


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = (
        LOAD.replace('"2/s"', '"fast"').replace("never-closes", "never").replace("[host]", "[host]\nwhen = 1")
    )
    assert [line.partition(": found")[0] for line in complaint(text)] == [
        "my.toml: arrivals.rate",
        "my.toml: client.behaviour",
        "my.toml: host.when",
    ]
    text = (
        POOL.replace("size = 3", "size = 0").replace("rate = ", "rat = ").replace("failed = 0", "faild = 0")
    )
    assert [line.partition(": found")[0] for line in complaint(text)] == [
        "my.toml: arrivals.rate",
        "my.toml: arrivals.rat",
        "my.toml: pool.size",
        "my.toml: variant[0].expect.faild",
    ]


@pytest.mark.parametrize("name", [*WORKLOADS, *USER_GROUPS])
def test_what_the_catalogue_prints_is_what_a_user_writes(name: str) -> None:
    kind = kind_of(name)
    assert kind in (WORKLOAD, USERS)
    found = parse_setup(content(kind, name), f"{name}.toml", name)  # type: ignore[arg-type]
    (own,) = [each for each in (*tcpsim.workloads(), *tcpsim.user_groups()) if each.name == name]
    assert found == own


def test_the_index_knows_every_file_and_no_name_twice() -> None:
    folder = Path(tcpsim.__file__).parent / "catalogue"
    assert {path.stem for path in (folder / "workloads").glob("*.toml")} == {*WORKLOADS}
    assert {path.stem for path in (folder / "user_groups").glob("*.toml")} == {*USER_GROUPS}
    every = [name for kind in KINDS for name in names(kind)]
    assert len(every) == len(set(every))
    assert [kind_of(names(kind)[0]) for kind in KINDS] == list(KINDS)
    assert kind_of("nothing") is None


POOLED = Variant("small", Requests(PoolConfig(size=2)))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Workload("w", "normal-clos", rate=1, for_="1s"), "scenario: found 'normal-clos'"),
        (lambda: Workload("w", "normal-close", rate=0, for_="1s"), "w.rate: found 0"),
        (lambda: Workload("w", "normal-close", rate=1, for_="0s"), "w.for: found 0s"),
        (
            lambda: Workload("w", "normal-close", 1, "1s", limits={"server.ports": 1}),
            "w.limits: found 'server.ports'",
        ),
        (
            lambda: Workload("w", "normal-close", 1, "1s", runs_out_of="server.workers"),
            "w.runs_out_of: found",
        ),
        (lambda: Workload("w", "normal-close", 1, "1s", mix=[(0.5, {})]), "kinds: found"),
        (
            lambda: Workload("w", "normal-close", 1, "1s", mix=[(1, {"clint": 1})]),
            "normal-close: found 'clint'",
        ),
        (lambda: Workload("w", "normal-close", 1, "1s", cures=["no"]), "w.cures and in_vain: found 'no'"),
        (lambda: Workload("w", "normal-close", 1, "1s").limit, "w: limits: found no limit"),
        (lambda: UserGroup("g", [], 1, "1s"), "g.variants: found none"),
        (lambda: UserGroup("g", [POOLED, POOLED], 1, "1s"), "g.variants: found small, small"),
        (lambda: UserGroup("g", [POOLED], 1, "1s", columns=["dones"]), "g.columns: found 'dones'"),
        (
            lambda: UserGroup("g", [POOLED], 1, "1s", overrides={"client": "closes-first"}),
            "users: found a client",
        ),
        (lambda: Variant("v", Browsers(), {"don": (0, 1)}), "v: expect: found 'don'"),
        (lambda: Variant("v", 3), "v: users: found 3"),  # type: ignore[arg-type]
        (lambda: tcpsim.exhaust(3), "workload: found 3, allowed: a name"),  # type: ignore[arg-type]
        (
            lambda: tcpsim.users("openstack-chain"),
            "users: found 'openstack-chain', a workload, allowed: tcpsim exh",
        ),
    ],
)
def test_a_value_that_cannot_be_is_told(make: Any, told: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(told)
