"""The player: what passes, what fails and where, what is not supported, and that nothing is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpsim.conformance.packetdrill import Judged, Verdict, judge, judge_file, ladder, survey
from tcpsim.conformance.packetdrill.dialect import dialect_of, turned
from tcpsim.conformance.packetdrill.script import Place
from tcpsim.tcp.stack import stack

FEATURES = sorted((Path(__file__).parent / "features").glob("*.pkt"))
CASES = sorted(
    (Path(__file__).parent / "cases").glob("*.pkt")
)  # one habit of a stack, or rule of the tool, each

SERVER = """`./defaults.sh`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
"""


def after_handshake(*lines: str) -> Judged:
    """A connection accepted as descriptor 4 at 0.1 s, and then these lines."""
    return judge(SERVER + "\n".join(lines))


def stopped(judged: Judged, verdict: Verdict, line: int, words: str) -> None:
    """It ended so, in that line behind the handshake (1 is the first), for such a reason."""
    assert (judged.verdict, judged.line) == (verdict, SERVER.count("\n") + line), judged
    assert words in judged.reason


@pytest.mark.parametrize("path", FEATURES, ids=lambda path: path.stem)
def test_the_features_of_the_language(path: Path) -> None:
    judged = judge_file(path)
    assert judged.verdict is Verdict.PASS, f"{judged.place} {judged.reason}\n{ladder(judged)}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case(path: Path) -> None:
    judged = judge_file(path)
    assert judged.verdict is Verdict.PASS, f"{judged.place} {judged.reason}\n{ladder(judged)}"
    assert judged.stack == path.stem.partition("-")[0]


@pytest.mark.parametrize("path", FEATURES + CASES, ids=lambda path: path.stem)
def test_every_expectation_can_fail(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = survey(text)
    if "// Failure:" in text:
        assert found is None
    else:
        assert found is not None
        assert found.tried > 0
        assert found.alive == ()


def test_an_unexpected_segment_surfaces_at_the_next_expectation() -> None:
    judged = after_handshake(
        "+0 write(4, ..., 10) = 10",
        "+.1 < . 1:1(0) ack 11 win 32792",
        "+.1 close(4) = 0",
        "+0 > F. 11:11(0) ack 1",
    )
    stopped(judged, Verdict.FAIL, 4, "tcp_seq: expected: 11 (0xb) vs actual: 1 (0x1)")
    assert "P. 1:11(10)" in judged.actual
    assert "> P. 1:11(10) ack 1" in ladder(judged)


def test_nothing_is_looked_at_behind_the_last_expectation() -> None:
    assert after_handshake("+0 write(4, ..., 10) = 10").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("time", "verdict"),
    [
        ("+.040", Verdict.PASS),
        ("+.0435", Verdict.PASS),
        ("+.046", Verdict.FAIL),
        ("+.0365", Verdict.PASS),
        ("+.0355", Verdict.FAIL),
        ("+.02~+.037", Verdict.PASS),
        ("+.02~+.035", Verdict.FAIL),
        ("*", Verdict.PASS),
        ("0.340", Verdict.PASS),
        ("0.375", Verdict.FAIL),
    ],
)
def test_times_have_a_tolerance_of_4_ms(time: str, verdict: Verdict) -> None:
    judged = after_handshake(
        "+.1 < P. 1:2(1) ack 1 win 32792",
        "+0 > . 1:1(0) ack 2",
        "+.1 < F. 2:2(0) ack 1 win 32792",  # acknowledged after the delay of 40 ms
        f"{time} > . 1:1(0) ack 3",
    )
    assert judged.verdict is verdict, judged.reason


@pytest.mark.parametrize(("time", "verdict"), [("+.34", Verdict.PASS), ("+.35", Verdict.FAIL)])
def test_times_have_a_tolerance_of_an_eighth_of_the_gap(time: str, verdict: Verdict) -> None:
    text = SERVER.replace("`./defaults.sh`", "`./defaults.sh\nsysctl -w net.ipv4.tcp_early_retrans=0`")
    script = text + f"+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n{time} > P. 1:10(9) ack 1"  # RTO 300 ms
    assert judge(script).verdict is verdict


def test_the_tolerance_can_be_set() -> None:
    late = (
        "+.1 < P. 1:2(1) ack 1 win 9\n+0 > . 1:1(0) ack 2\n+.1 < F. 2:2(0) ack 1 win 9\n+.05 > . 1:1(0) ack 3"
    )
    assert judge(SERVER + late).verdict is Verdict.FAIL
    assert judge("--tolerance_usecs=20000\n" + SERVER + late).verdict is Verdict.PASS


def test_an_event_whose_time_is_over_is_late() -> None:
    judged = after_handshake("0.05 < . 1:1(0) ack 1 win 5")
    stopped(
        judged, Verdict.FAIL, 1, "timing error: expected event at 0.050000 sec but happened at 0.100000 sec"
    )


def test_a_burst_may_come_in_parts_of_one_size() -> None:
    lines = ["+0 write(4, ..., 2500) = 2500", "+0 > P. 1:2501(2500) ack 1"]
    assert after_handshake(*lines).verdict is Verdict.PASS
    apart = ["+0 write(4, ..., 1000) = 1000", "+0 write(4, ..., 500) = 500", "+0 > P. 1:1501(1500) ack 1"]
    assert after_handshake(*apart).verdict is Verdict.PASS  # contiguous, and the last is smaller
    uneven = ["+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0", "+0 write(4, ..., 500) = 500"]
    uneven += ["+0 write(4, ..., 1000) = 1000", "+0 > P. 1:1501(1500) ack 1"]
    stopped(after_handshake(*uneven), Verdict.FAIL, 4, "payload: expected 1000 bytes vs actual 1000 bytes")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+0 > P. 2:12(10) ack 1", "tcp_seq"),
        ("+0 > P. 1:11(10) ack 2", "tcp_ack_seq"),
        ("+0 > . 1:11(10) ack 1", "tcp_psh"),
        ("+0 > FP. 1:11(10) ack 1", "tcp_fin"),
        ("+0 > P. 1:11(10) ack 1 win 5", "tcp_window"),
        ("+0 > P. 1:11(10) ack 1 <nop,nop,nop,eol>", "bad outbound TCP options"),
        ("+0 > P. 1:10(9) ack 1", "payload: expected 9 bytes vs actual 10 bytes"),
        ("+0 > P. 1:12(11) ack 1", "payload"),
        ("+1 > P. 1:11(10) ack 1", "timing error: expected outbound packet"),
    ],
)
def test_every_field_is_compared(line: str, words: str) -> None:
    judged = after_handshake("+0 write(4, ..., 10) = 10", line)
    if words == "payload":  # the rest never comes
        assert judged.verdict is Verdict.FAIL
    else:
        stopped(judged, Verdict.FAIL, 2, words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+0 write(4, ..., 10) = 11", "Expected result 11 but got 10"),
        ("+0 read(4, ..., 10) = -1 EPIPE (Broken pipe)", "blocks"),
        ("+0 write(9, ..., 10) = 10", "Expected result 10 but got -1 with errno 9 (Bad file descriptor)"),
        ("+0 write(9, ..., 10) = -1 EPIPE (Broken pipe)", "Expected errno 32 (Broken pipe) but got 9"),
        ("+0 close(9) = 0", "Bad file descriptor"),
        ("+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0", "expected: ECONNRESET actual: 0"),
        ("+0 ioctl(4, SIOCINQ, [5]) = 0", "expected: 5 actual: 0"),
        ("+0 fcntl(4, F_GETFL) = 0x802", "Expected result 2050 but got 2"),
        ("+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1", "revents"),
        ("+0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=2}, ...) = 0", "expected: 2 actual: 1"),
        ("+0 %{ assert tcpi_state == 4 }%", "AssertionError: tcpi_state == 4"),
        ("+0 %{ print(1); assert 1 < tcpi_snd_cwnd < 5 or tcpi_state in (2, 3) }%", "AssertionError"),
        ("+0 accept(4, ...) = 5", "number of arguments: expected 3 to 4, got 2"),
        ("+0 shutdown(4, SHUT_BOTH) = 0", "unknown symbol: 'SHUT_BOTH'"),
        ("+0 write(4, ..., 10) = -1 EFOO (what)", "unknown symbol: 'EFOO'"),
        ("+0 setsockopt(4, SOL_TCP, TCP_BOGUS, [1], 4) = 0", "unknown symbol: 'TCP_BOGUS'"),
        ("+0 socket(..., SOCK_STREAM, IPPROTO_UDP) = 5", "but got -1 with errno 93"),
        ("+0 < icmp unreachable nobody_home [1:1(0)]", "bad ICMP code name for unreachable: 'nobody_home'"),
        ("+0 < icmp unreachable code_300 [1:1(0)]", "bad ICMP code name"),
        ("+0 < icmp packet_too_big mtu 1300", "bad ICMPv4 type name: 'packet_too_big'"),
        ("+0 `sysctl -w net.ipv4.tcp_bogus=1`", "unknown sysctl key 'net.ipv4.tcp_bogus'"),
        ("+0 `sysctl -w net.ipv4.tcp_timestamps=maybe`", "tcp_timestamps=maybe"),
        ("+0 `sysctl -w net.ipv4.tcp_fin_timeout=soon`", "tcp_fin_timeout"),
        ("+0 %{ assert (}%", "parse error in Python"),
        ("+0 %{ assert tcpi_state // 0 }%", "error in Python"),
        ("+0 %{ assert 'a' * 99999999999 }%", "error in Python"),
        ("+0 < . 1:1(0) ack 1 win 5 <nop,nop,TS val 1 ecr 77>", "unable to infer live TS ecr"),
    ],
)
def test_calls_and_commands_fail_where_they_stand(line: str, words: str) -> None:
    judged = after_handshake(line)
    assert judged.verdict in (Verdict.FAIL, Verdict.UNSUPPORTED)
    assert judged.line == SERVER.count("\n") + 1
    assert words in judged.reason


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+0 splice(4, ..., 5, ..., 10, 0) = 10", "splice()"),
        ("+0 send(4, ..., 10, MSG_OOB) = 10", "MSG_DONTWAIT"),
        ("+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, ..., 4) = 0", "setsockopt()"),
        ("+0 setsockopt(4, SOL_TCP, TCP_FASTOPEN, [1], 4) = 0", "no such option"),
        ("+0 recv(4, ..., 10, MSG_OOB) = 10", "MSG_PEEK"),
        ("+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 5", "SOCK_STREAM"),
        ("+0 `ifconfig tun0 down`", "ifconfig tun0 down"),
        ("+0 `sysctl -n net.ipv4.tcp_rmem`", "only key=value"),
        ("+0 `sysctl -w net.ipv4.tcp_ecn=3`", "can do 0, 1, 2"),
        ("+0 %{ assert tcpi_delivery_rate > 0 }%", "tcpi_delivery_rate"),
        ("+0 %{ import os }%", "beyond assertions"),
        ("+0 %{ assert open('/etc/passwd') }%", "beyond assertions"),
        ("+0 < [mystery] . 1:1(0) ack 1 win 5", "mystery"),
        ("+0 < S 0:0(0) win 5 <FO 00>", "FO 00"),
        ("+0 > [ect0] . 1:1(0) ack 1", "ECN"),
        ("+0 `tc qdisc add dev tun0 root netem loss 1%`", "netem"),
        ("+0 > icmp unreachable port_unreachable", "ICMP"),
        ("+0 < . 1:1(0) ack 1", "without a window"),
        ("+0 < udp (10)", "udp"),
    ],
)
def test_what_is_not_supported_says_so(line: str, words: str) -> None:
    judged = after_handshake(line)
    stopped(judged, Verdict.UNSUPPORTED, 1, words)


def test_options_are_checked_before_anything_runs() -> None:
    for text, words in (
        ("--bogus=1\n0 close(3) = 0", "unknown option --bogus"),
        ("--tolerance_usecs=x\n0 close(3) = 0", "whole number"),
        ("--ip_version=ipv5\n0 close(3) = 0", "expected ipv4"),
        ("--mtu=70000\n0 close(3) = 0", "not in"),
    ):
        judged = judge(text)
        assert (judged.verdict, judged.line) == (Verdict.FAIL, 1)
        assert words in judged.reason
    assert judge("--wire_client\n0 close(3) = 0").verdict is Verdict.UNSUPPORTED


def test_mtu_and_ip_version_give_the_mss() -> None:
    syn = "0 < S 0:0(0) win 9 <mss 9000>\n"
    listen = "0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n"
    for options, mss in (("", 1460), ("--mtu=1400", 1360), ("--ip_version=ipv6", 1440)):
        judged = judge(f"{options}\n{listen}{syn}0 > S. 0:0(0) ack 1 <mss {mss}>", stack_name="linux")
        assert judged.verdict is Verdict.PASS, judged.reason


def test_a_call_returns_when_it_should() -> None:
    early = SERVER + "+0...0.2 read(4, ..., 10) = 5\n+.1 < P. 1:6(5) ack 1 win 9\n+0 > . 1:1(0) ack 6"
    judged = judge(early)
    stopped(
        judged, Verdict.FAIL, 1, "expected system call return at 0.300000 sec but happened at 0.200000 sec"
    )
    never = after_handshake("+0...0.2 read(4, ..., 10) = 5")
    stopped(never, Verdict.FAIL, 1, "still blocked at 0.325000 sec")


def test_a_call_with_msg_dontwait_does_not_block_and_leaves_the_file_as_it_was() -> None:
    judged = after_handshake(
        "+0 recv(4, ..., 10, MSG_DONTWAIT) = -1 EWOULDBLOCK (Resource temporarily unavailable)",
        "+0 fcntl(4, F_GETFL) = 0x2",
    )
    assert judged.verdict is Verdict.PASS, judged.reason


def test_descriptors_are_names() -> None:
    text = SERVER.replace("= 3", "= 7").replace("(3,", "(7,").replace("= 4", "= 9")
    assert (
        judge(text + "+0 write(9, ..., 1) = 1\n+0 > P. 1:2(1) ack 1\n+0 close(9) = 0").verdict is Verdict.PASS
    )
    taken = after_handshake("+0 socket(..., SOCK_STREAM, 0) = 4")
    stopped(taken, Verdict.FAIL, 1, "open already")


def test_timestamps_are_compared_where_their_tick_is_known() -> None:
    text = (
        "0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n"
        "0 < S 0:0(0) win 9000 <mss 1000,sackOK,TS val 1 ecr 0>\n"
        "0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 500 ecr 1>\n"
        "1 < P. 1:2(1) ack 1 win 9000 <nop,nop,TS val 2 ecr 500>\n"
        "1 > . 1:1(0) ack 2 <nop,nop,TS val {} ecr 2>"
    )
    assert judge(text.format(7), stack_name="linux").verdict is Verdict.PASS
    tick = "--tcp_ts_tick_usecs=1000\n"
    assert judge(tick + text.format(1500), stack_name="linux").verdict is Verdict.PASS
    judged = judge(tick + text.format(1800), stack_name="linux")
    assert "bad outbound TCP timestamp value" in judged.reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("`../common/defaults.sh`\n0 close(3) = 0", "linux"),
        ("0 `sysctl -w net.ipv4.tcp_sack=0`", "linux"),
        ("0 `sysctl -w net.inet.tcp.rfc1323=0`", "freebsd"),
        ("0 `sysctl kern.ipc.maxsockbuf=2097152`", "freebsd"),
        ("0 `sockstat -4`", "freebsd"),
        ("0 > S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 1 ecr 0>", "freebsd"),
        ("0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>", "linux"),
        ("0 > S 0:0(0) ack 1 <...>", "linux"),
        ("// net.inet.tcp.rfc1323\n0 close(3) = 0", "linux"),
    ],
)
def test_the_script_tells_its_stack(text: str, name: str) -> None:
    assert judge(text).stack == name
    assert judge(text, stack_name="rfc9293").stack == "rfc9293"


def test_sockstat_counts_sockets() -> None:
    count = "+0 `sockstat -4 -P tcp -s -p 8080 | grep {} | grep {}`"
    for pipe, number, verdict in (
        ("-c ESTABLISHED", 1, Verdict.PASS),
        ("-c ESTABLISHED", 2, Verdict.FAIL),
        ("-c LISTEN", 1, Verdict.PASS),
        ("-cv LISTEN", 1, Verdict.PASS),
        ("-c TIME_WAIT", 0, Verdict.PASS),
        ("ESTABLISHED", "192.0.2.1", Verdict.PASS),
    ):
        judged = judge(SERVER + count.format(pipe, number), stack_name="linux")
        assert judged.verdict is verdict, judged.reason
    none = judge(SERVER + count.format("-c CLOSING", 1))
    assert "ESTABLISHED 192.168.0.1:8080" in none.actual
    assert judge(SERVER + "+0 `sockstat -x`").verdict is Verdict.UNSUPPORTED
    assert judge(SERVER + "+0 `sockstat | awk 1`").verdict is Verdict.UNSUPPORTED


def test_a_knob_that_is_turned_holds_from_then_on() -> None:
    text = (
        "0 `sysctl -w net.ipv4.tcp_sack=0 net.ipv4.tcp_timestamps=0`\n0 socket(..., SOCK_STREAM, 0) = 3\n"
        "0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n0 connect(3, ..., ...) = -1 EINPROGRESS (x)\n"
        "0 > S 0:0(0) <mss 1460,nop,wscale 7>"
    )
    rmem = text.replace("0 socket", '0 `sysctl -q net.ipv4.tcp_rmem="4096 131072 6291456"`\n0 socket')
    assert judge(rmem).verdict is Verdict.PASS, judge(rmem).reason


@pytest.mark.parametrize(
    ("key", "value", "fields"),
    [
        ("tcp_wmem", "4096 16384 65536", {"snd_space": 16_384, "snd_space_max": 65_536}),
        ("tcp_moderate_rcvbuf", "0", {"rcv_space_follows_reads": False}),
        ("tcp_frto", "0", {"frto": False}),
        ("tcp_frto", "2", {"frto": True}),
        ("tcp_comp_sack_nr", "0", {"comp_sack_nr": 0}),
        ("tcp_comp_sack_delay_ns", "500000", {"comp_sack_delay_us": 500}),
        ("tcp_comp_sack_slack_ns", "50000", {"comp_sack_slack_us": 50}),
        ("net.core.somaxconn", "3", {"somaxconn": 3}),
    ],
)
def test_a_sysctl_of_linux_turns_what_the_endpoint_has(
    key: str, value: str, fields: dict[str, object]
) -> None:
    name = key if key.startswith("net.") else f"net.ipv4.{key}"
    after = turned(stack("linux"), dialect_of("linux"), name, value, Place(1, 1))
    assert {field: getattr(after, field) for field in fields} == fields


@pytest.mark.parametrize(
    ("command", "window"),
    [("recvspace=65536", 1026), ("recvspace=32768", 524), ("always_keepalive=0", 1026)],
)
def test_a_buffer_of_freebsd_is_whole_segments(command: str, window: int) -> None:
    judged = judge(
        f"0 `sysctl -w net.inet.tcp.{command}`\n0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, ..., ...) = 0\n"
        "0 listen(3, 1) = 0\n0 < S 0:0(0) win 65535 <mss 1460,nop,wscale 6>\n"
        "0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 6>\n0 < . 1:1(0) ack 1 win 65535\n"
        f"0 accept(3, ..., ...) = 4\n0 write(4, ..., 1) = 1\n0 > P. 1:2(1) ack 1 win {window}"
    )
    assert judged.verdict is Verdict.PASS, judged.reason


def test_a_script_that_has_to_fail_has_to_fail_so() -> None:
    assert judge("// Failure: expected '='\n0 close(3)").verdict is Verdict.PASS
    assert judge("// Failure: something else\n0 close(3)").verdict is Verdict.FAIL
    assert judge("// Failure: .*\n0 socket(..., SOCK_STREAM, 0) = 3").verdict is Verdict.FAIL
    assert judge("// Failure: .*\n0 splice() = 3").verdict is Verdict.UNSUPPORTED
    assert "is no pattern" in judge("// Failure: (\n0 close(3)").reason


@given(st.sampled_from(FEATURES), st.integers(0, 10_000), st.integers(0, 60))
def test_a_spoilt_script_has_a_verdict_and_a_place(path: Path, at: int, length: int) -> None:
    text = path.read_text(encoding="utf-8")
    at %= len(text)
    judged = judge(text[:at] + text[at + length :])
    assert "bug in tcpsim" not in judged.reason, judged.reason
    assert judged.verdict is Verdict.PASS or judged.place is not None or "had to fail" in judged.reason


_LEGACY = Path(__file__).parent / "scripts" / "linux" / "legacy-window-scale.pkt"


@pytest.mark.parametrize(
    ("change", "stack", "verdict", "told"),
    [
        (("", ""), None, Verdict.PASS, "net.ipv4.; linux-legacy"),
        (("", ""), "linux", Verdict.FAIL, "--stack"),
        (("wscale 6>", "wscale 5>"), None, Verdict.FAIL, "net.ipv4."),
        (
            ("net.ipv4.tcp_sack=1", "net.ipv4.tcp_rmem='4096 131072 33554432'"),
            None,
            Verdict.FAIL,
            "net.ipv4.",
        ),
    ],
)
def test_a_script_of_an_older_machine(
    change: tuple[str, str], stack: str | None, verdict: Verdict, told: str
) -> None:
    """A window scale of 6; unless the stack is given, or the script sets its machine itself."""
    judged = judge(_LEGACY.read_text().replace(*change), stack_name=stack)
    assert (judged.verdict, judged.told_by) == (verdict, told)
