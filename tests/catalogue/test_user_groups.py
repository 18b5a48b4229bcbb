"""The stories of browsers and pools: each variant comes out as it says, and the order of timeouts matters."""

from __future__ import annotations

import pytest

from tcpsim.catalogue.user_group import UserGroup, Variant
from tcpsim.catalogue.user_group_file import user_group, user_groups
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.population import simulate
from tcpsim.measure.experience import measure

# Seconds of computing each; the others of their stories are quick
LONG = (
    "closes when it opens another",
    "closes when it quits",
    "KeepAliveTimeout 15 s",
    "KeepAliveTimeout 1 s",
    "5 s, without lingering_close()",
    "2 % lost, KeepAlive On",
    "looks every few seconds",
    "a pool of ten",
    "firewall, server, pool: looks before use",
    "pool, firewall, server",
    "server, firewall, pool",
    "firewall, pool, server",
    "firewall, server, pool: it answers RST",
    "firewall, server, pool: keepalive 15 s, looks",
    "server, firewall, pool: looks before use",
    "one object, a pool of ten",
    "the same, each idle for 10 s at most",
    "a pool of ten, patience 30 s",
    "a pool of twenty, patience 30 s",
)
EVERY = [
    pytest.param(
        story,
        variant,
        id=f"{story.name}-{variant.name}",
        marks=[pytest.mark.verify] if variant.name in LONG else [],
    )
    for story in user_groups()
    for variant in story.variants
]


def told(story: str, variant: str, seed: int = 1) -> Census:
    chosen = user_group(story)
    (found,) = [each for each in chosen.variants if each.name == variant]
    return simulate(chosen.plan(found, seed))


@pytest.mark.parametrize(("story", "variant"), EVERY)
def test_it_comes_out_as_it_says(story: UserGroup, variant: Variant) -> None:
    census = simulate(story.plan(variant))
    found = {name: measure(census, name) for name in variant.expect}
    assert variant.expect
    assert {name: (least <= found[name] <= most) for name, (least, most) in variant.expect.items()} == (
        dict.fromkeys(found, True)
    ), found


@pytest.mark.parametrize("story", user_groups(), ids=lambda story: story.name)
def test_it_is_documented(story: UserGroup) -> None:
    assert len(story.story) > 80
    assert story.watch
    assert len({variant.name for variant in story.variants}) == len(story.variants) > 1


def test_long_variants_exist() -> None:
    assert set(LONG) <= {variant.name for story in user_groups() for variant in story.variants}


@pytest.mark.verify
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_only_the_pools_own_timeout_may_be_the_shortest(seed: int) -> None:
    """Whatever the arrivals: no error with the pool first, and errors of the right kind else."""
    story = "three-idle-timeouts"
    kinds = {
        variant.name: {error for error, _ in told(story, variant.name, seed).experience.stumbles}
        for variant in user_group(story).variants
        if ":" not in variant.name
    }
    for order, errors in kinds.items():
        first = order.partition(",")[0]
        assert errors == {"pool": set(), "server": {"EOF"}, "firewall": {"ETIMEDOUT"}}[first], order


def test_an_unknown_one_names_its_neighbours() -> None:
    with pytest.raises(
        InputError, match=r"^users: found 'three-timeouts' \(did you mean three-idle-timeouts"
    ):
        user_group("three-timeouts")
