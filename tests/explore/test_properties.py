"""What holds in every future of a connection: the contrast between stacks is the lesson."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.errors import InputError
from tcpsim.explore.properties import Kind, Property, Step, check
from tcpsim.explore.standard_properties import (
    PROPERTIES,
    acked_was_received,
    established_agree,
    one_socket_per_ports,
    received_was_sent,
    rst_draws_no_rst,
    time_wait_answers_fin,
)
from tcpsim.pair import Arrived, Called, Kill, Pair, Sent, advance, call, census, new_pair
from tcpsim.path import Quiet, make_path
from tcpsim.sockets import Close
from tcpsim.tcp import acks
from tcpsim.tcp.endpoint import Endpoint
from tcpsim.tcp.segment import ACK, FIN, RST, Segment
from tcpsim.tcp.stack import stack
from tcpsim.tcp.state import State
from tests.explore.worlds import leaver, one_rst, opens_and_closes


def _holds(pair: Pair) -> dict[str, bool]:
    found = check(pair, PROPERTIES)
    assert found.whole
    return {each.property.name: each.holds for each in found.findings}


def test_an_orphan_has_a_timer_on_linux_and_not_under_the_rfc() -> None:
    client = one_rst(1)
    assert _holds(leaver(0.5, 1, client, stack("linux")))["orphan-has-timer"]
    assert not _holds(leaver(0.5, 1, client, stack("rfc9293")))["orphan-has-timer"]


def test_without_keepalive_one_loss_leaks_on_one_side_only() -> None:
    found = check(leaver(0.5, 2), PROPERTIES)
    leak = found.finding("no-permanent-leak")
    assert not leak.holds
    assert leak.way is not None
    assert leak.way.drops == ("server #3",)
    assert found.finding("one-side-at-most").holds
    clean = found.finding("can-end-clean")
    assert clean.holds
    assert clean.way is not None
    assert clean.way.drops == ()


def test_with_keepalive_nothing_stays_for_ever() -> None:
    assert all(_holds(leaver(0.5, 2, keepalive=True)).values())


def test_without_any_limit_both_sides_stay() -> None:
    verdicts = _holds(leaver(0.5, 1, server=stack("rfc9293")))
    assert not verdicts["one-side-at-most"]
    assert not verdicts["no-permanent-leak"]


def test_what_was_not_explored_is_no_proof() -> None:
    found = check(build(scenario("normal-close"), loss=0.5), PROPERTIES, limit=200)
    assert not found.whole
    assert all(each.holds for each in found.findings)


@pytest.mark.parametrize("retries", [1, 3])
def test_the_fewest_losses_are_fewest(retries: int) -> None:
    """A client without keepalive is left half-open by nothing less than every FIN lost."""
    found = check(leaver(0.5, retries, server=one_rst(retries, fin_wait_2_rst=False)), PROPERTIES)
    leak = found.finding("no-permanent-leak")
    assert leak.way is not None
    assert leak.way.drops == (), "a silent end of FIN-WAIT-2 needs no loss at all"


def test_a_repeated_fin_in_time_wait_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that kept silent there would be found out, with the one loss that shows it."""
    pair = opens_and_closes(0.5, mini_sockets=True)
    assert check(pair, PROPERTIES).finding("time-wait-answers-fin").holds
    monkeypatch.setattr(acks, "may_answer_to", lambda step, seg: False)
    found = check(pair, PROPERTIES).finding("time-wait-answers-fin")
    assert not found.holds
    assert found.way is not None
    assert sum(rule.count(",") + 1 for rule in found.way.drops) == 1


def test_a_stay_that_only_losses_end_is_no_end() -> None:
    """A client that probes, a server that answers for ever: nothing ends it but nine losses in a row."""
    client = one_rst(1, keep_idle_us="2h")
    found = check(leaver(0.5, 1, client, stack("rfc9293"), keepalive=True), PROPERTIES)
    ways = {name: found.finding(name).way for name in ("every-connection-ends", "no-permanent-leak")}
    lost = {name: way and "".join(way.drops).count(",") for name, way in ways.items()}
    assert lost["every-connection-ends"] == 0
    assert lost["no-permanent-leak"] == 7, "then the server is alone in FIN-WAIT-2"


def test_a_property_of_ones_own() -> None:
    """Data: whoever has a question writes a function and a sentence."""

    def no_close_wait(pair: Pair) -> bool:
        return all(held.state is not State.CLOSE_WAIT for held in census(pair, "client"))

    mine = Property("no-close-wait", Kind.ALWAYS, "the client is never in CLOSE-WAIT", no_close_wait, "me")
    finding = check(leaver(0.5, 1), [mine]).finding("no-close-wait")
    assert not finding.holds
    assert finding.way is not None
    assert finding.way.drops == ()


def _at(pair: Pair, us: int) -> Pair:
    """The pair without any loss, at a time."""
    while pair.next_us is not None and pair.next_us <= us:
        pair = advance(pair, Quiet())
    return pair


def test_statements_on_two_hosts_of_different_times() -> None:
    """One host of a moment and one of another are what a violation would look like."""
    pair = opens_and_closes(0.5)
    early, later = _at(pair, 25_000), _at(pair, 55_000)
    for statement in (acked_was_received, received_was_sent, established_agree):
        assert statement(early)
        assert statement(later)
    server_ahead, client_ahead = early._replace(server=later.server), later._replace(server=early.server)
    assert not received_was_sent(client_ahead) or not acked_was_received(client_ahead)
    assert not received_was_sent(server_ahead) or not acked_was_received(server_ahead)


def test_established_sockets_of_two_connections() -> None:
    one, other = _at(leaver(0.5, 1), 100_000), _at(leaver(0.5, 1), 0)
    later = call(one, "server", Kill(1), 100_000, Quiet())
    assert established_agree(one)
    stranger = new_pair(
        other.client.programs[0][1].program, other.server.programs[0][1].program, stack("linux"),
        stack("linux"), make_path(10_000), client_iss=77,
    )  # fmt: skip
    assert not established_agree(one._replace(client=_at(stranger, 100_000).client))
    assert established_agree(later)


def test_two_sockets_on_one_pair_of_ports() -> None:
    pair = _at(leaver(0.5, 1), 100_000)
    end = pair.client.system.end
    (t,) = end.sockets.values()
    twice = Endpoint(end.stack, end.iss, end.ts_offset, {1: t, 2: t}, end.listeners, 3)
    assert one_socket_per_ports(pair)
    system = pair.client.system._replace(end=twice)
    assert not one_socket_per_ports(pair._replace(client=pair.client._replace(system=system)))


def test_another_acknowledgment_in_time_wait_is_no_answer() -> None:
    pair = opens_and_closes(0.5, mini_sockets=True)
    while State.TIME_WAIT not in [held.state for held in census(pair, "server")]:
        pair = advance(pair, Quiet())
    (t,) = pair.server.system.end.sockets.values()
    fin = Segment(t.remote_port, t.local_port, FIN | ACK, t.rcv_nxt - 1, t.snd_nxt, 0, 100)
    good = Segment(t.local_port, t.remote_port, ACK, t.snd_nxt, t.rcv_nxt, 0, 100)
    arrived = Arrived(0, "server", fin)
    assert time_wait_answers_fin(Step(pair, [arrived, Sent(0, "server", good, (1,))]))
    assert not time_wait_answers_fin(Step(pair, [arrived, Sent(0, "server", good._replace(ack=1), (1,))]))
    assert not time_wait_answers_fin(Step(pair, [arrived]))


def test_a_rst_for_a_rst() -> None:
    pair = _at(leaver(0.5, 1), 100_000)
    rst = Segment(5_000, 40_000, RST, 1, 0, 0, 0)
    back = Segment(40_000, 5_000, RST, 1, 0, 0, 0)
    arrived = Arrived(100_000, "client", rst)
    assert rst_draws_no_rst(Step(pair, [arrived]))
    assert rst_draws_no_rst(
        Step(pair, [arrived, Called(0, "client", 1, Close(3)), Sent(0, "client", back, ())])
    )
    assert not rst_draws_no_rst(Step(pair, [arrived, Sent(100_000, "client", back, (1,))]))


def test_a_bound_instead_of_a_proof() -> None:
    """Where the losses are named, it is known how likely what was not looked at is at most."""
    pair = build(scenario("closewait-ignored-eof"), loss=0.5)
    found = check(pair, PROPERTIES, losses=[0.001, 0.01], tolerance=1e-6)
    assert not found.whole
    assert found.error is not None
    assert 0 < found.error <= 1e-6
    with pytest.raises(InputError, match="any order"):
        check(pair, PROPERTIES, in_flight=2, losses=[0.01])
