"""What goes into a segment: PUSH (3.9.1.2), the MSS and other options (3.2, 3.7.1)."""

from __future__ import annotations

import pytest

from tcpsim.tcp.options import size
from tcpsim.tcp.segment import PSH, SYN, Options, Segment
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, PORTS, SERVER, Line, S, data, profile, segment_for
from tests.tcp.ways import reach

RFC = profile("rfc9293")


def lengths(line: Line, side: str, since_us: int = 0) -> list[int]:
    """The payloads that a side sent, in order."""
    return [sent.seg.len for sent in line.log(side, since_us) if sent.seg.len]


def syn_from_peer(options: Options, **knobs: int) -> Line:
    """The server of a line has answered a SYN with these options."""
    line = Line(RFC, profile(RFC, **knobs))
    line.listen()
    line.inject(SERVER, Segment(PORTS[CLIENT], PORTS[SERVER], SYN, 7_000, 0, 0, 65_535, options))
    return line


# 3.9.1.2: PUSH


@pytest.mark.parametrize("octets", [1, 1_448, 1_449, 5_000])
def test_the_last_segment_of_what_is_queued_has_psh(octets: int) -> None:
    line = Line(RFC, RFC).open(client=SocketOptions(nodelay=True))
    line.send(CLIENT, octets)
    line.run(1 * S)
    pushed = [bool(sent.seg.flags & PSH) for sent in line.log(CLIENT) if sent.seg.len]
    assert pushed == [False] * (len(pushed) - 1) + [True]


@pytest.mark.parametrize("octets", [1, 100, 1_447, 1_448, 2_000])
def test_nothing_is_buffered_for_ever(octets: int) -> None:
    """Whatever is sent behind outstanding data, Nagle lets it go when that is acknowledged."""
    line = Line(RFC, RFC).open()
    line.send(CLIENT, 10)
    line.send(CLIENT, octets)
    line.run(1 * S)
    assert line.tcb(CLIENT).unacked == 0
    assert line.receive(SERVER) == 10 + octets


def test_small_sends_wait_for_each_other_and_their_psh_bits_collapse() -> None:
    """3.7.4: while something is outstanding small sends are gathered; they leave as one pushed segment."""
    line = Line(RFC, RFC).open()
    for _ in range(5):
        line.send(CLIENT, 100)
    line.run(1 * S)
    sent = [(s.seg.len, bool(s.seg.flags & PSH)) for s in line.log(CLIENT) if s.seg.len]
    assert sent == [(100, True), (400, True)]


def test_a_full_segment_is_sent_wherever_possible() -> None:
    line = Line(RFC, RFC).open()
    for _ in range(20):
        line.send(CLIENT, 1_000)
    line.run(1 * S)
    assert lengths(line, CLIENT) == [1_000, *[1_448] * 13, 176]


# 3.1, 3.2, 3.7.1: options


@pytest.mark.parametrize("maxseg", [None, 536, 1_000])
def test_every_syn_offers_an_mss_and_nothing_else_does(maxseg: int | None) -> None:
    """MMS_R less the TCP header: 1460 on a host with an MTU of 1500, or what the program asked for."""
    line = Line(RFC, RFC).open(client=SocketOptions(maxseg=maxseg))
    line.send(CLIENT, 20_000)
    line.shutdown(CLIENT)
    line.run(1 * S)
    line.receive(SERVER)
    line.shutdown(SERVER)
    line.run(1 * S)
    assert line.state(CLIENT) == State.TIME_WAIT
    offers = [(sent.flags, sent.side, sent.seg.options.mss) for sent in line.sent]
    assert [offer for offer in offers if offer[2] is not None] == [
        ("S", CLIENT, maxseg or 1_460),
        ("SA", SERVER, 1_460),
    ]


@pytest.mark.parametrize("default", [536, 1_220], ids=["IPv4", "IPv6"])
def test_without_an_offer_the_default_is_assumed(default: int) -> None:
    line = syn_from_peer(Options(), default_mss=default)
    line.inject(SERVER, segment_for(line, SERVER, "A"))
    line.accept()
    line.send(SERVER, 2 * default)
    assert RFC.default_mss == 536
    assert lengths(line, SERVER) == [default, default]


@pytest.mark.parametrize(("offer", "segment"), [(1, 48), (500, 500), (1_460, 1_460), (9_000, 1_460)])
def test_the_smaller_of_both_sizes_is_sent(offer: int, segment: int) -> None:
    """Eff.snd.MSS: what the peer can reassemble, and what our own IP layer carries; never next to nothing."""
    line = syn_from_peer(Options(mss=offer))
    line.inject(SERVER, segment_for(line, SERVER, "A"))
    line.accept()
    line.send(SERVER, 20_000)
    assert max(lengths(line, SERVER)) == segment


def test_options_of_a_segment_count_against_its_size() -> None:
    """3.7.1: IPoptionsize and TCPhdrsize; timestamps always, SACK blocks where there are some."""
    line = Line(RFC, RFC).open(client=SocketOptions(nodelay=True), server=SocketOptions(nodelay=True))
    line.loses = data(SERVER, 2, 4, 6, 8, 10, 12)
    line.send(SERVER, 60_000)
    for _ in range(40):
        line.send(CLIENT, 1_460)
        line.run(5 * MS)
    line.run(60 * S)
    assert line.receive(SERVER) == 40 * 1_460
    assert any(sent.seg.options.sack and sent.seg.len for sent in line.log(CLIENT))
    assert max(sent.seg.len + size(sent.seg.options) for sent in line.sent) == 1_460


@pytest.mark.parametrize("flags", ["A", "PA", "FA", "R"])
def test_an_option_may_come_in_any_segment(flags: str) -> None:
    """Also one that has no business there: the segment is processed as if it were not."""
    line, side = reach("ESTABLISHED", RFC)
    seg = segment_for(line, side, flags, length=10 if flags == "PA" else 0)
    odd = seg.options._replace(
        mss=100, wscale=7, sack_permitted=True, layout=("mss", "wscale", "sackOK", "TS")
    )
    line.inject(side, seg._replace(options=odd))
    plain, _ = reach("ESTABLISHED", RFC)
    plain.inject(side, seg)
    assert line.tcb(side) == plain.tcb(side)


@pytest.mark.parametrize(
    "layout",
    [
        ("mss", "nop", "wscale", "eol"),
        ("wscale", "mss", "nop"),
        ("nop", "nop", "mss", "wscale", "eol", "eol"),
    ],
)
def test_options_are_understood_in_any_order_and_padding(layout: tuple[str, ...]) -> None:
    """Endpoint of list, no-operation and MSS, the mandatory set; nothing needs to begin on a word."""
    line = syn_from_peer(Options(mss=700, wscale=3, layout=layout))
    line.inject(SERVER, segment_for(line, SERVER, "A"))
    assert (line.tcb(SERVER).snd_mss, line.tcb(SERVER).snd_wscale) == (700, 3)


def test_our_own_lists_are_padded_to_words_and_only_at_their_end() -> None:
    line = Line(RFC, RFC).open()
    line.loses = data(SERVER, 1)
    line.send(SERVER, 8_000)
    line.run(5 * S)
    lists = {sent.seg.options for sent in line.sent}
    assert len({options.layout for options in lists}) >= 3
    for options in lists:
        assert size(options) % 4 == 0
        assert "eol" not in options.layout[: len(options.layout) - options.layout.count("eol")]
