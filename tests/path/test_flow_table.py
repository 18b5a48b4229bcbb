"""The connection tracker: its table by lives of a flow, its clock to the microsecond, what it answers."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpsim.errors import InputError
from tcpsim.path import (
    SIDES,
    Fate,
    Loss,
    Middlebox,
    OneWay,
    Quiet,
    Tracker,
    due,
    make_path,
    middlebox,
    middleboxes,
    send,
)
from tcpsim.path.conntrack import SHORT, TABLE, Tracked, Unmoved, kind_of
from tcpsim.path.element import Side
from tcpsim.path.middlebox import FIELDS, sources
from tcpsim.tcp.segment import Segment, parse_flags
from tests.path.wire import Tape

S = 1_000_000
LINUX = middlebox("linux-conntrack")
OPEN = "c:S s:SA c:A"
CLIENT_ISN, SERVER_ISN = 1_000, 9_000


class Wire:
    """Two ends that number their segments as TCP does, and a box between them."""

    def __init__(self, box: Middlebox = LINUX, now: int = 0, shift: int = 0) -> None:
        self.tracker = Tracker(box)
        self.now = now
        self.first = {"client": CLIENT_ISN + shift, "server": SERVER_ISN + 2 * shift}
        self.next = {"client": CLIENT_ISN + shift, "server": SERVER_ISN + 2 * shift}
        self.origins = (CLIENT_ISN + shift, SERVER_ISN + 2 * shift)
        self.why = ""

    def key(self, later: int = 0) -> object:
        first, second = self.origins
        return self.tracker.key(self.now + later, {(40_000, 80): (first, second)})

    def play(self, words: str) -> list[str]:
        """ "c:S" (the client, a SYN), "c:A+10" (with payload), "c:S!" (a new ISN), 1 us apart; "+60s" waits.

        The flow's state after each of them, "-" for none, with "!" in front of it if the segment was stopped.
        """
        return [self.one(word) for word in words.split() if not self.waits(word)]

    def waits(self, word: str) -> bool:
        if word.startswith("+"):
            self.now += round(float(word[1:-1]) * S)
        return word.startswith("+")

    def one(self, word: str) -> str:
        side: Side = "client" if word[0] == "c" else "server"
        letters, _, payload = word[2:].partition("+")
        segment = self.segment(side, letters, int(payload or 0))
        after, emerged, self.why = self.tracker.carry(side, segment, self.now, Tape())
        assert isinstance(after, Tracker)
        assert emerged in ((), ((self.now, segment),))
        self.tracker = after
        self.now += 1
        known = [str(flow.state) for flow in after.flows if flow.known(self.now)]
        return ("" if emerged else "!") + (known[0] if known else "-")

    def segment(self, side: Side, letters: str, payload: int = 0) -> Segment:
        if letters.endswith("!"):
            self.first[side] = self.next[side] = self.next[side] + 100_000
        letters = letters.rstrip("!")
        flags = parse_flags(letters)
        other: Side = "server" if side == "client" else "client"
        ports = (40_000, 80) if side == "client" else (80, 40_000)
        ack = self.next[other] if "A" in letters else 0
        found = Segment(*ports, flags, self.next[side], ack, payload, 64_000)
        if "S" not in letters or self.next[side] == self.first[side]:  # a SYN that is repeated says the same
            self.next[side] += found.seg_len
        return found


LIVES = {
    # an ordinary life, closed by the server: any ACK after a FIN makes CLOSE_WAIT, whoever sends it
    OPEN: "SYN_SENT SYN_RECV ESTABLISHED",
    f"{OPEN} c:PA+10 s:A s:FA c:A c:FA s:A": "SYN_SENT SYN_RECV ESTABLISHED ESTABLISHED ESTABLISHED FIN_WAIT"
    " CLOSE_WAIT LAST_ACK TIME_WAIT",
    # a FIN that is repeated before its ACK looks like the FINs of both
    f"{OPEN} c:FA c:FA s:A": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT LAST_ACK TIME_WAIT",
    f"{OPEN} c:FA c:A": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT",
    # resets; a RST that is the only reply leaves nothing behind
    "c:S s:RA c:S": "SYN_SENT - SYN_SENT",
    f"{OPEN} s:R c:A": "SYN_SENT SYN_RECV ESTABLISHED CLOSE CLOSE",
    # a new connection on the ports of one that is over, and on those of one that is not
    f"{OPEN} c:FA s:FA c:A c:S s:SA": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT LAST_ACK TIME_WAIT SYN_SENT"
    " SYN_RECV",
    f"{OPEN} c:R c:S": "SYN_SENT SYN_RECV ESTABLISHED CLOSE SYN_SENT",
    f"{OPEN} c:S s:A": "SYN_SENT SYN_RECV ESTABLISHED ESTABLISHED ESTABLISHED",
    f"{OPEN} c:S! s:SA! c:A": "SYN_SENT SYN_RECV ESTABLISHED ESTABLISHED SYN_RECV ESTABLISHED",
    f"{OPEN} s:R c:S! s:SA! c:A": "SYN_SENT SYN_RECV ESTABLISHED CLOSE CLOSE SYN_RECV ESTABLISHED",
    f"{OPEN} s:FA c:A c:S s:A c:R c:S": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT CLOSE_WAIT"
    " CLOSE_WAIT CLOSE SYN_SENT",
    # a challenge ACK in LAST_ACK is not the last ACK
    f"{OPEN} s:FA c:FA c:S s:A s:A": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT LAST_ACK LAST_ACK LAST_ACK"
    " TIME_WAIT",
    f"{OPEN} s:FA c:FA c:S s:A c:A s:A": "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT LAST_ACK LAST_ACK LAST_ACK"
    " TIME_WAIT TIME_WAIT",
    # a stale end answers a SYN: the challenge passes, and the RST to it ends the flow
    "c:S s:A c:R c:S": "SYN_SENT SYN_SENT CLOSE SYN_SENT",
    # both open
    "c:S s:S c:SA s:SA": "SYN_SENT SYN_SENT2 SYN_RECV SYN_RECV",
    # what cannot be
    "c:S c:A c:F": "SYN_SENT !SYN_SENT !SYN_SENT",
    f"{OPEN} s:S c:SA c:U": "SYN_SENT SYN_RECV ESTABLISHED !ESTABLISHED !ESTABLISHED !ESTABLISHED",
    # the middle of a connection: picked up from inside by an ACK, not by a FIN or a RST, not from outside
    "c:PA+10 s:A": "ESTABLISHED ESTABLISHED",
    "c:FA": "!-",
    "c:R": "!-",
    "s:A": "!-",
    "s:SA": "!-",
    "s:S": "!-",
}


@pytest.mark.parametrize("words", LIVES)
def test_lives_of_a_flow(words: str) -> None:
    assert Wire().play(words) == LIVES[words].split()


def test_the_table_is_total_and_an_invalid_or_ignored_segment_names_no_state() -> None:
    assert len(TABLE) == 2 * 6 * len(Tracked)
    assert {kind for (_, kind, _) in TABLE} == {"SYN", "SYN-ACK", "FIN", "ACK", "RST", "no flags"}
    assert Tracked.NONE not in TABLE.values()
    from_none = {
        kind: after
        for (way, kind, state), after in TABLE.items()
        if (way, state) == ("original", Tracked.NONE)
    }
    assert [kind for kind, after in from_none.items() if after is not Unmoved.INVALID] == ["SYN", "ACK"]


RECORDED = (Path(__file__).parent / "conntrack-6.18.txt").read_text(encoding="utf-8")
KERNEL = dict(line.split(" = ") for line in RECORDED.splitlines() if not line.startswith("#"))
# Acknowledgements of numbers that were never sent: the kernel's window tracking sees that, this box does not.
NOBODY_SENDS = {"c:S s:SA c:SA s:A c:A", "c:S s:SA c:SA c:A", "c:A c:PA+10 s:S s:A s:A c:PA+10"}


@pytest.mark.parametrize("part", range(8))
def test_it_does_as_the_kernel_did(part: int) -> None:
    """States, times and drops after each segment of four hundred lives, most of them of no use to anybody."""
    for words in list(KERNEL)[part::8]:
        wire, told = Wire(LINUX.with_knobs({"begins": "both"})), []
        for word in words.split():
            stopped = "!" if wire.one(word).startswith("!") else ""
            flows = [flow for flow in wire.tracker.flows if flow.known(wire.now)]
            cells = [f"{SHORT[flow.state]}{flow.limit_us // S}" for flow in flows] or ["-"]
            told.append(stopped + cells[0])
        assert (" ".join(told) == KERNEL[words]) is (words not in NOBODY_SENDS), words


def test_enough_was_recorded() -> None:
    """All cells of the table but those of no flow against its direction, which there cannot be."""
    met = set()
    for words in KERNEL:
        wire = Wire(LINUX.with_knobs({"begins": "both"}))
        for word in words.split():
            before = [flow for flow in wire.tracker.flows if flow.known(wire.now)]
            side: Side = "client" if word[0] == "c" else "server"
            opener, state = (before[0].opener, before[0].state) if before else (side, Tracked.NONE)
            kind = kind_of(Segment(1, 2, parse_flags(word[2:].partition("+")[0].rstrip("!")), 0, 0, 0, 0))
            wire.one(word)
            met.add(("original" if side == opener else "reply", kind, state))
    missing = [cell for cell in TABLE if cell not in met and cell[::2] != ("reply", Tracked.NONE)]
    assert missing == []


WAYS = [
    ("c:S", "syn_sent", 120),
    ("c:S s:S", "syn_sent", 120),
    ("c:S s:SA", "syn_recv", 60),
    (OPEN, "established", 432_000),
    (f"{OPEN} s:FA", "fin_wait", 120),
    (f"{OPEN} s:FA c:A", "close_wait", 60),
    (f"{OPEN} s:FA c:A c:FA", "last_ack", 30),
    (f"{OPEN} s:FA c:A c:FA s:A", "time_wait", 120),
    (f"{OPEN} s:R", "close", 10),
]


@pytest.mark.parametrize(("way", "state", "seconds"), WAYS)
def test_a_silent_flow_is_forgotten_to_the_microsecond(way: str, state: str, seconds: int) -> None:
    early, late, patient = Wire(), Wire(), Wire(LINUX.with_knobs({state: f"{seconds + 1}s"}))
    for wire, more in ((early, -1), (late, 0), (patient, 0)):
        wire.play(way)
        wire.now += seconds * S - 1 + more  # the last segment was sent a microsecond ago
        wire.play("s:R")
    assert early.why == patient.why == ""
    assert late.why.startswith("firewall: forgotten after ")


def test_each_segment_that_counts_starts_the_time_anew_and_an_ignored_one_does_not() -> None:
    kept = Wire()
    assert kept.play(f"{OPEN} s:FA c:A +59s c:PA+5 +59s s:A +59s c:A")[-3:] == ["CLOSE_WAIT"] * 3
    ignored = Wire()
    assert ignored.play(f"{OPEN} s:FA c:A +59s c:S +2s s:A")[-2:] == ["CLOSE_WAIT", "!-"]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (f"{OPEN} c:PA+10", 300),  # data in flight
        (f"{OPEN} c:PA+10 s:A", 432_000),  # acknowledged
        (f"{OPEN} c:PA+10 s:PA+10", 300),  # the reply acknowledges the request, and is itself in flight
        ("c:A", 300),  # picked up, and not answered yet
        ("c:A s:A", 300),  # Linux notes the first answer only after it has set the time
        ("c:A s:A c:A", 432_000),
    ],
)
def test_what_is_not_acknowledged_shortens_the_time(words: str, seconds: int) -> None:
    wire = Wire()
    wire.play(words)
    assert wire.tracker.flows[0].limit_us == seconds * S
    loose = Wire(LINUX.with_knobs({"unacknowledged": "none"}))
    loose.play(words)
    assert loose.tracker.flows[0].limit_us == 432_000 * S


def test_an_acknowledgement_repeated_three_times_shortens_it_too() -> None:
    limits = []
    for box in (LINUX, LINUX.with_knobs({"max_retrans": 2}), LINUX.with_knobs({"max_retrans_us": "9s"})):
        wire = Wire(box)
        wire.play(OPEN)
        limits.append([(wire.one("c:A"), wire.tracker.flows[0].limit_us // S)[1] for _ in range(4)])
    long = 432_000
    assert limits == [[long, long, 300, 300], [long, 300, 300, 300], [long, long, 9, 9]]
    wire = Wire()
    wire.play(f"{OPEN} c:A c:A s:A c:A c:A")  # two in a row, twice
    assert wire.tracker.flows[0].limit_us == long * S


def test_only_an_answer_to_the_ignored_syn_convinces_it() -> None:
    wire = Wire()
    wire.play(f"{OPEN} c:S!")
    stale = wire.segment("server", "SA!")
    for segment, state in (
        (stale._replace(ack=stale.ack + 7), Tracked.ESTABLISHED),
        (stale, Tracked.SYN_RECV),
    ):
        after, emerged, _ = wire.tracker.carry("server", segment, 9, Tape())
        assert isinstance(after, Tracker)
        assert emerged
        assert [flow.state for flow in after.flows] == [state]


def test_other_boxes_do_otherwise() -> None:
    strict = LINUX.with_knobs({"loose": False})
    assert Wire(strict).play("c:A") == ["!-"]
    assert Wire(strict).play(OPEN)[-1] == "ESTABLISHED"
    assert Wire(LINUX.with_knobs({"passes_ignored": False})).play("c:S s:A") == ["SYN_SENT", "!SYN_SENT"]
    assert Wire(LINUX.with_knobs({"begins": "both"})).play("s:A c:A") == ["ESTABLISHED", "ESTABLISHED"]


@pytest.mark.parametrize(
    ("role", "way", "word", "why"),
    [
        ("NAT", "", "s:A", "NAT: no such flow"),
        ("firewall", f"{OPEN} s:FA c:A +61s", "c:FA", "firewall: forgotten after 60s in CLOSE_WAIT"),
        ("NAT", "c:S", "c:A", "NAT: ACK is INVALID in SYN_SENT"),
        ("NAT", f"{OPEN}", "s:S", "NAT: SYN is INVALID in ESTABLISHED"),
    ],
)
def test_it_says_why(role: str, way: str, word: str, why: str) -> None:
    wire = Wire(LINUX.with_knobs({"role": role}))
    wire.play(f"{way} {word}")
    assert wire.why == why


# --- on a path ------------------------------------------------------------------------------------


def stray(side: Side, letters: str = "PA", payload: int = 10) -> Segment:
    ports = (40_000, 80) if side == "client" else (80, 40_000)
    return Segment(*ports, parse_flags(letters), 500, 700 if "A" in letters else 0, payload, 64_000)


@pytest.mark.parametrize(
    ("answers", "told"), [("nobody", set()), ("client", {"client"}), ("both", {"client", "server"})]
)
def test_whom_it_answers(answers: str, told: set[str]) -> None:
    box = LINUX.with_knobs({"answers": answers, "loose": False})
    for side in SIDES:
        path, fates = send(make_path(10, middlebox=box), side, stray(side), 5, Quiet())
        assert fates[0] == Fate("lost", "firewall: no such flow", None)
        assert [(fate.kind, fate.due_us) for fate in fates[1:]] == [("answered", 15)] * (side in told)
        arrived = due(path, 15)[1]
        assert arrived == (((side, stray(side)._replace(
            src_port=stray(side).dst_port, dst_port=stray(side).src_port,
            flags=parse_flags("R"), seq=700, ack=0, len=0, wnd=0,
        )),) if side in told else ())  # fmt: skip


def test_its_answer_takes_the_way_to_the_sender_and_is_none_to_a_rst_or_within_a_flow() -> None:
    box = middlebox("reject-firewall")
    lossy = make_path(10, 0.5, 0.0, middlebox=box, loss_side="client")
    path, fates = send(lossy, "client", stray("client"), 5, Tape(1))
    assert path.flights == ()
    assert [(fate.kind, fate.due_us) for fate in fates] == [("lost", None), ("answered", None)]
    path, _ = send(lossy, "client", stray("client"), 5, Tape(0))
    assert [flight[:2] for flight in path.flights] == [(15, "client")]
    path, _ = send(make_path(10, middlebox=box), "client", stray("client", "R", 0), 5, Quiet())
    assert path.flights == ()
    path, _ = send(make_path(10, middlebox=box), "client", stray("client", "S", 0), 5, Quiet())
    path, fates = send(path, "client", stray("client", "A", 0), 5, Quiet())
    assert fates[0].why.startswith("firewall: ACK is INVALID")
    assert len(path.flights) == 1


def test_a_box_sees_what_is_lost_behind_it_and_not_what_is_lost_before() -> None:
    syn = stray("client", "S", 0)
    beyond, _ = send(make_path(10, 1.0, 1.0, middlebox=LINUX, loss_side="server"), "client", syn, 0, Quiet())
    before, _ = send(make_path(10, 1.0, 1.0, middlebox=LINUX), "client", syn, 0, Quiet())
    ruled, _ = send(make_path(10, drops=["client SYN"], middlebox=LINUX), "client", syn, 0, Quiet())
    known = [
        [len(e.flows) for e in path.shared if isinstance(e, Tracker)] for path in (beyond, before, ruled)
    ]
    assert known == [[1], [0], [0]]


def test_one_way_leaves_the_other_sender_alone() -> None:
    element = OneWay("client", Loss(1.0))
    assert element.carry("client", stray("client"), 3, Tape())[1:] == ((), "loss")
    assert element.carry("server", stray("server"), 3, Tape()) == (element, ((3, stray("server")),), "")
    later = OneWay("client", Loss(0.5, from_us=50))
    assert later.key(20) == OneWay("client", Loss(0.5, from_us=80)).key(50)


def test_a_side_of_a_box_needs_a_box() -> None:
    with pytest.raises(InputError, match=r"^loss_side: found client, allowed: a side of a middlebox"):
        make_path(10, 0.1, loss_side="client")


# --- its key --------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(f"{who}:{flags}" for who in "cs" for flags in ("S", "SA", "A", "PA+10", "FA", "R")),
        "+9s",
        "+55s",
        "+70s",
    ]
)
STORY = st.lists(WORDS, max_size=12).map(" ".join)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(STORY, STORY, st.integers(0, 10**9))
def test_of_equal_keys_are_equal_futures(past: str, future: str, later: int) -> None:
    """The same past at another time has the same key and future; when a flow was forgotten is no part."""
    one, other = Wire(), Wire(now=later, shift=later % 1000)
    one.play(past)
    other.play(past)
    assert one.key() == other.key()
    if not any(flow.known(one.now) for flow in one.tracker.flows):
        other.now += 10**12
        assert one.key() == other.key()
    told = [
        [(wire.one(word), wire.why) for word in future.split() if not wire.waits(word)]
        for wire in (one, other)
    ]
    assert told[0] == told[1]


def test_the_key_tells_the_time_that_is_left() -> None:
    wire = Wire()
    wire.play(OPEN)
    keys = {wire.key(us) for us in (0, 1, 432_000 * S, 432_001 * S)}
    assert len(keys) == 3
    assert len({Tracker(LINUX).key(0, {}), Tracker(middlebox("junos")).key(0, {})}) == 2


# --- profiles -------------------------------------------------------------------------------------


def test_every_value_of_a_profile_has_a_field_and_a_source() -> None:
    text = (resources.files("tcpsim.path") / "middleboxes.toml").read_text(encoding="utf-8")
    for name, table in tomllib.loads(text).items():
        assert set(table) - {"base"} <= set(FIELDS)
        assert all(
            set(table[field]) <= {"value", "source", "verified", "knob", "unit"}
            for field in table
            if field != "base"
        )
        assert all(len(knob.source) > 3 for knob in sources(name))
    assert middleboxes()[0] == "linux-conntrack"


def test_own_names_of_knobs_are_those_of_linux_only() -> None:
    assert LINUX.with_knobs({"nf_conntrack_tcp_timeout_close_wait": "75"}) == replace(
        LINUX, close_wait_us=75 * S
    )
    assert LINUX.with_knobs({"nf_conntrack_tcp_loose": 0, "close_wait_us": "75s"}) == replace(
        LINUX, loose=False, close_wait_us=75 * S
    )
    assert not [knob for knob in sources("junos") if knob.own_name]
    assert not [knob for knob in sources("gcp-nat") if knob.own_name]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": "x"}, "knob middlebox.name: found 'name'"),
    (
        {"close_weit": "1s"},
        "knob middlebox.close_weit: found 'close_weit' (did you mean close_wait",
    ),
    ({"close_wait": "60"}, "knob middlebox.close_wait: found '60', allowed: a number with a unit"),
    ({"close_wait": "none"}, "knob middlebox.close_wait: found 'none'"),
    ({"close_wait": True}, "knob middlebox.close_wait: found True"),
    ({"loose": "yes"}, "knob middlebox.loose: found 'yes', allowed: true or false"),
    ({"begins": "server"}, "knob middlebox.begins: found 'server', allowed: client or both"),
    ({"max_retrans": "x"}, "knob middlebox.max_retrans: found 'x', allowed: an integer from 1 to 255"),
]


@pytest.mark.parametrize(("knobs", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_knob_that_is_none_is_told_in_one_line(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        LINUX.with_knobs(knobs)
    assert str(caught.value).startswith(message)


def test_a_profile_that_does_not_exist() -> None:
    with pytest.raises(InputError, match=r"^middlebox: found 'cisco', allowed: .*, linux-conntrack, none, "):
        middlebox("cisco")
