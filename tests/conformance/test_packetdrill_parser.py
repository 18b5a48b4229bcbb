"""The language: every form is read, every mistake has a line and a column, nothing is a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpsim.conformance.packetdrill.parser import parse
from tcpsim.conformance.packetdrill.script import (
    Apply,
    Call,
    Code,
    Command,
    Either,
    Ellipsis_,
    IcmpPacket,
    Items,
    Name,
    Place,
    ScriptError,
    Sequence,
    Struct,
    TcpPacket,
    Text,
    Unsupported,
    When,
)

FEATURES = sorted((Path(__file__).parent / "features").glob("*.pkt"))


def what(text: str) -> object:
    """The one event of a script."""
    (event,) = parse(text).events
    return event.what


def packet(text: str) -> TcpPacket:
    found = what(text)
    assert isinstance(found, TcpPacket)
    return found


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("0.100", When(us=100_000)),
        ("2", When(us=2_000_000)),
        (".1", When(us=100_000)),
        ("1.", When(us=1_000_000)),
        ("+.1", When(relative=True, us=100_000)),
        ("+ 0.00", When(relative=True)),
        ("+0.000001", When(relative=True, us=1)),
        ("*", When(any=True)),
        ("+*", When(relative=True, any=True)),
        ("+.3~+.31", When(relative=True, us=300_000, until_us=310_000)),
        ("+.3 ~ .31", When(relative=True, us=300_000, until_us=310_000)),
        ("1~2.5", When(us=1_000_000, until_us=2_500_000)),
    ],
)
def test_times(text: str, when: When) -> None:
    (event,) = parse(f"{text} > . 1:1(0) ack 1").events
    assert event.when == when


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("0...0.1", When(us=0, returns_us=100_000)),
        ("+0...0.200", When(relative=True, us=0, returns_us=200_000)),
        ("+.1...+.25", When(relative=True, us=100_000, returns_us=250_000)),
        ("0.5 ... 1", When(us=500_000, returns_us=1_000_000)),
    ],
)
def test_times_of_calls_that_block(text: str, when: When) -> None:
    (event,) = parse(f"{text} connect(3, ..., ...) = 0").events
    assert event.when == when


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", Call("socket", (), (), 3)),
        ("write (3, ..., 1000) = -1 EPIPE (Broken pipe)", Call("write", (), (), -1, "EPIPE", "Broken pipe")),
        ("close(4) = -1", Call("close", (), (), -1)),
        ("read(3,\n\t...,\n 10) = ...", Call("read", (), (), Ellipsis_())),
        ("fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)", Call("fcntl", (), (), 2, None, "flags O_RDWR")),
        ("fcntl(3, F_GETFL) = 0x6 (flags (a) (b))", Call("fcntl", (), (), 6, None, "flags (a) (b)")),
    ],
)
def test_calls_and_results(text: str, call: Call) -> None:
    found = what(f"0 {text}")
    assert isinstance(found, Call)
    assert found._replace(arguments=(), places=()) == call


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("...", Ellipsis_()),
        ("-1", -1),
        ("0x10", 16),
        ("[1]", Items((1,))),
        ("[ECONNRESET]", Items((Name("ECONNRESET"),))),
        ("[1, 2]", Items((1, 2))),
        ("O_RDWR|O_NONBLOCK", Either((Name("O_RDWR"), Name("O_NONBLOCK")))),
        ('"a string"', Text("a string")),
        ("{onoff=1, linger=0}", Struct((("onoff", 1), ("linger", 0)))),
        ("htons(8080)", Apply("htons", (8080,))),
        ("[{..., 10}]", Items((Struct((("", Ellipsis_()), ("", 10))),))),
        (
            "{sa_family = AF_INET, sin_port = htons(80)}",
            Struct((("sa_family", Name("AF_INET")), ("sin_port", Apply("htons", (80,))))),
        ),
        (
            "{msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}",
            Struct(
                (
                    ("msg_name", Ellipsis_()),
                    ("msg_iov", Items((Struct((("", Ellipsis_()), ("", 10))),))),
                    ("msg_flags", 0),
                )
            ),
        ),
        (
            "[{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}]",
            Items(
                (
                    Struct(
                        (
                            ("fd", 4),
                            ("events", Either((Name("POLLIN"), Name("POLLOUT")))),
                            ("revents", Name("POLLOUT")),
                        )
                    ),
                )
            ),
        ),
        ("{.u32=1}", Struct((("u32", 1),))),
    ],
)
def test_arguments(text: str, argument: object) -> None:
    found = what(f"0 call(3, {text}) = 0")
    assert isinstance(found, Call)
    assert found.arguments == (3, argument)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("< S 0:0(0) win 1000", TcpPacket(True, "S", Sequence(0, 0, 0), win=1000)),
        ("> S. 0:0(0) ack 1 <...>", TcpPacket(False, "S.", Sequence(0, 0, 0), ack=1, options=None)),
        ("> . ...(0) ack 1", TcpPacket(False, ".", Sequence(None, 0, 0), ack=1)),
        ("> S. ... (0) ack 1", TcpPacket(False, "S.", Sequence(None, 0, 0), ack=1)),
        ("< - 1:1(0) win 5", TcpPacket(True, "-", Sequence(1, 1, 0), win=5)),
        ("> P.\t1:1001 (1000) ack 1", TcpPacket(False, "P.", Sequence(1, 1001, 1000), ack=1)),
        ("< R 4294967295:4(5) win 0", TcpPacket(True, "R", Sequence(4294967295, 4, 5), win=0)),
        ("< SEW 0:0(0) win 5", TcpPacket(True, "SEW", Sequence(0, 0, 0), win=5)),
        ("< S 0:1000(1000) ack 5 win 5", TcpPacket(True, "S", Sequence(0, 1000, 1000), ack=5, win=5)),
        ("< [noecn] . 1:1(0) win 5", TcpPacket(True, ".", Sequence(1, 1, 0), win=5, ip=("noecn",))),
        (
            "< [ect0, ttl 3] . 1:1(0) win 5",
            TcpPacket(True, ".", Sequence(1, 1, 0), win=5, ip=("ect0", "ttl", "3")),
        ),
        ("< 99 > 8080 . 1:1(0) win 5", TcpPacket(True, ".", Sequence(1, 1, 0), win=5, ports=(99, 8080))),
        ("< FP.U 1:1(0) ack 1 win 5 urg 3", TcpPacket(True, "FP.U", Sequence(1, 1, 0), 1, 5, 3)),
    ],
)
def test_packets(text: str, expected: TcpPacket) -> None:
    assert packet(f"0 {text}") == expected


def test_options_of_a_packet() -> None:
    found = packet(
        "0 < S 0:0(0) win 9 <mss 1460, nop,wscale 8,sackOK ,TS val 4 ecr 0,sack 1:2 3:4,eol,eol,FO abc>"
    )
    assert found.options is not None
    assert [(option.kind, option.values) for option in found.options] == [
        ("mss", (1460,)),
        ("nop", ()),
        ("wscale", (8,)),
        ("sackOK", ()),
        ("TS", (4, 0)),
        ("sack", (1, 2, 3, 4)),
        ("eol", ()),
        ("eol", ()),
        ("FO", ()),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("icmp unreachable port_unreachable [0:0(0)]", IcmpPacket(True, "unreachable", "port_unreachable")),
        (
            "[0:0(0)] icmp unreachable frag_needed mtu 1200",
            IcmpPacket(True, "unreachable", "frag_needed", 1200),
        ),
        ("icmp time_exceeded [0:0(0)]", IcmpPacket(True, "time_exceeded")),
    ],
)
def test_icmp(text: str, expected: IcmpPacket) -> None:
    script = parse(f"0 < {text}\n0.1 < . 1:1(0) win 1")
    assert script.events[0].what == expected._replace(quoted=Sequence(0, 0, 0))
    assert len(script.events) == 2


def test_a_whole_script() -> None:
    script = parse(
        "// a comment\n--tolerance_usecs=100 --ip_version=ipv6\n--send_omit_free\n`set up\nmore`\n"
        "/* a\ncomment */ 0 close(3) = 0 // behind\n+0 `timed`\n+0 %{ assert tcpi_state == 1 }%\n`clean`\n"
    )
    assert [(option.name, option.value) for option in script.options] == [
        ("tolerance_usecs", "100"),
        ("ip_version", "ipv6"),
        ("send_omit_free", ""),
    ]
    assert script.setup == ((Place(4, 1), Command("set up\nmore")),)
    assert [event.place for event in script.events] == [Place(7, 12), Place(8, 1), Place(9, 1)]
    assert script.events[1].what == Command("timed")
    assert script.events[2].what == Code("assert tcpi_state == 1")
    assert script.cleanup == ((Place(10, 1), Command("clean")),)


def test_conditional_lines_keep_their_places() -> None:
    text = "#ifdef Linux\n0 close(3) = 0\n#endif\n#ifdef FreeBSD\n0 close(4) = 0\n#endif\n0 close(5) = 0"
    (first, second) = parse(text, {"FreeBSD"}).events
    assert (first.place.line, second.place.line) == (5, 7)


def test_words_that_are_defined() -> None:
    found = what("0 write(3, ..., 5) = 5")
    assert isinstance(found, Call)
    script = parse("#ifdef N\n0 write(3, ..., N) = N\n#endif", define={"N": "5"})
    assert script.events[0].what == found._replace(places=script.events[0].what.places)  # type: ignore[union-attr]


def test_a_script_that_has_to_fail() -> None:
    assert parse("// Failure: live .* field\n0 close(3) = 0").failure == "live .* field"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "no event"),
        ("0 close(3)", (1, 11), "expected '='"),
        ("0 close(3) = x", (1, 14), "result"),
        ("\n  0 close 3", (2, 11), "expected '('"),
        ("0 close(3) = 0\nbogus", (2, 1), "time of an event"),
        ("0 < S 0:0(0) win 65536", (1, 18), "out of range"),
        ("0 < S 0:1(0) win 1", (1, 7), "inconsistent"),
        ("0 < Q 0:0(0) win 1", (1, 5), "flags"),
        ("0 < SS 0:0(0) win 1", (1, 5), "twice"),
        ("0 < S 0:0(0) win 1 <mss>", (1, 24), "mss value"),
        ("0 < S 0:0(0) win 1 <bogus 3>", (1, 21), "unknown TCP option 'bogus'"),
        ("0 < S 0:0(0) win 1 <...>", (1, 20), "outbound"),
        ("0 < S ...(0) win 1", (1, 19), "outbound"),
        ("0 < S 0:0(0) win 1 <mss 1460", (1, 29), "end of the file"),
        ("* < S 0:0(0) win 1", (1, 1), "outbound"),
        ("0~1 close(3) = 0", (1, 1), "outbound"),
        ("1...0 close(3) = 0", (1, 1), "before"),
        ("+1~+0 > . 1:1(0)", (1, 1), "before"),
        ("0...1 > . 1:1(0)", (1, 1), "system calls"),
        ("0 `never ends", (1, 3), "no end"),
        ("0 %{ never ends", (1, 4), "no end"),
        ("/* never ends", (1, 1), "no end"),
        ("#ifdef X\n0 close(3) = 0", (1, 1), "#endif"),
        ("0 close(3) = 0\n#endif", (2, 1), "#ifdef"),
        ("#else\n0 close(3) = 0", (1, 1), "#ifdef NAME"),
        ('0 write(3, "abc, 3) = 3', (1, 12), "string"),
        ("0 f([[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]) = 0", (1, 22), "deep"),
        ("99999999999999999999999999 close(3) = 0", (1, 1), "out of range"),
        ("0 < S 99999999999:0(0) win 1", (1, 7), "out of range"),
    ],
)
def test_mistakes_have_a_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(ScriptError) as error:
        parse(text)
    assert words in error.value.message
    assert error.value.place == place


@pytest.mark.parametrize("text", ["0 < udp (1000)", "0 > sctp: INIT[flgs=0]"])
def test_other_protocols_are_unsupported(text: str) -> None:
    with pytest.raises(Unsupported) as missing:
        parse(text)
    assert missing.value.place == (1, 5)


def parsed(text: str) -> None:
    """Read it, or complain about a place in it."""
    place = Place(1, 1)
    try:
        parse(text)
    except (ScriptError, Unsupported) as error:
        place = error.place
    assert 1 <= place.line <= text.count("\n") + 1
    assert place.column >= 1


_MARKS = (
    "0 +.1 ... * ~ < > S. - 1:1(0) ` %{ }% [ ] { } ( ) = , | // /* --x=1 icmp E 0x . 9999999999999999999 é"
)
_LONGER = (
    "\0",
    "\n",
    " ",
    '"',
    "\n#ifdef X\n",
    "\n#endif\n",
    "close(3) = 0",
    "TS val 1 ecr",
    "sack 1:2",
    "win 5",
)
_PIECES = st.sampled_from([*_MARKS.split(), *_LONGER, "unreachable", "ack 1", "<mss"])


@given(st.lists(_PIECES, max_size=20).map("".join) | st.text(max_size=80))
def test_garbage_is_refused_with_a_place(text: str) -> None:
    parsed(text)


@given(st.sampled_from(FEATURES), st.floats(0, 1), st.floats(0, 1), _PIECES)
def test_a_truncated_or_spoilt_script_is_refused_with_a_place(
    path: Path, cut: float, there: float, piece: str
) -> None:
    text = path.read_text(encoding="utf-8")
    shorter = text[: int(cut * len(text))]
    at = int(there * len(shorter))
    parsed(shorter)
    parsed(shorter[:at] + piece + shorter[at:])
