"""An address and a port as the commands write them.

Owns: brackets, `%device`, IPv4 mapped into IPv6, `*`, service names, the dots of BSD, and columns that cut an
address off. Refuses to know: where in a line an address stands.
"""

from __future__ import annotations

import re

from tcpsim.dumps.dump import Address

# What `ss` and netstat print without -n. The operator's /etc/services may differ from the reader's.
_SERVICES = {
    "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "kerberos": 88, "pop3": 110,
    "sunrpc": 111, "ntp": 123, "imap": 143, "imap2": 143, "ldap": 389, "https": 443, "submission": 587,
    "ipp": 631,
    "ldaps": 636, "imaps": 993, "pop3s": 995, "ms-sql-s": 1433, "oracle": 1521, "nfs": 2049, "mysql": 3306,
    "ms-wbt-server": 3389, "postgresql": 5432, "amqp": 5672, "redis": 6379, "http-alt": 8080,
    "webcache": 8080,
    "microsoft-ds": 445, "epmap": 135,
}  # fmt: skip
_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}\Z", re.ASCII)
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z", re.ASCII)
_SERVICE = re.compile(r"[a-z][a-z0-9-]{1,20}\Z", re.ASCII)
_COLON: dict[str, Address | None] = {}
_HOSTS: dict[str, str | None] = {}
_DOT: dict[str, Address | None] = {}
_ROOM = 500_000  # addresses that are remembered; a garbled text must not fill the memory


def with_colon(text: str) -> Address | None:
    """`HOST:PORT`, as Linux and Windows write it.

    >>> with_colon("[::ffff:192.0.2.10]:8080"), with_colon("127.0.0.53%lo:53"), with_colon("*:*")
    (Address(host='192.0.2.10', port=8080), Address(host='127.0.0.53', port=53), Address(host='*', port=None))
    >>> with_colon(":::22"), with_colon("[fe80::1]%eth0:5432"), with_colon("203.0.113.7")
    (Address(host='::', port=22), Address(host='fe80::1', port=5432), None)
    """
    try:
        return _COLON[text]
    except KeyError:
        host, colon, port = text.rpartition(":")
        found = _address(host, port) if colon else None
        if len(_COLON) < _ROOM:
            _COLON[text] = found
        return found


def with_dot(text: str) -> Address | None:
    """`HOST.PORT`, as the BSDs and macOS write it.

    >>> with_dot("192.0.2.10.443"), with_dot("*.22"), with_dot("fe80::1%lo0.49152")
    (Address(host='192.0.2.10', port=443), Address(host='*', port=22), Address(host='fe80::1', port=49152))
    """
    try:
        return _DOT[text]
    except KeyError:
        host, dot, port = text.rpartition(".")
        found = _address(host, port) if dot else None
        if len(_DOT) < _ROOM:
            _DOT[text] = found
        return found


def of_hex(text: str) -> Address | None:
    """`0100007F:1F90`, as /proc/net/tcp writes it on a little-endian machine.

    >>> of_hex("0100007F:1F90")
    Address(host='127.0.0.1', port=8080)
    """
    host, _, port = text.partition(":")
    try:
        raw, number = bytes.fromhex(host), int(port, 16)
    except ValueError:
        return None
    if len(raw) not in (4, 16) or not 0 <= number <= 65_535:
        return None
    return Address(packed(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))), number)


def packed(raw: bytes) -> str:
    """Four or sixteen octets in network order as people write them."""
    if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":
        raw = raw[12:]
    if len(raw) == 4:
        return ".".join(map(str, raw))
    import ipaddress

    return str(ipaddress.IPv6Address(raw))


def _address(host: str, port: str) -> Address | None:
    if port.isascii() and port.isdigit():
        number: int | None = int(port)
        if int(port) > 65_535:
            return None
    elif port == "*":
        number = None
    elif _SERVICE.match(port):
        number = _SERVICES.get(port)
    else:
        return None
    try:
        named = _HOSTS[host]
    except KeyError:
        named = _host(host)
        if len(_HOSTS) < _ROOM:
            _HOSTS[host] = named
    if named is None:
        return None
    if ":" in named and "[" not in host and not _whole(named):
        return Address(
            f"{named}...", None
        )  # cut to the column's width: what follows the last colon may be anything
    return Address(named, number)


def _whole(host: str) -> bool:
    """Whether an IPv6 address has all its groups."""
    return "::" in host or host.count(":") == 7


def _host(text: str) -> str | None:
    """The host without brackets and device; None if it cannot be one."""
    host = text.partition("%")[0].strip("[]") if text[:1] != "*" else text.partition("%")[0]
    if host in ("*", ""):
        return "*"
    if host[:7].lower() == "::ffff:" and "." in host:
        host = host[7:]
    if _V4.match(host):
        return host if all(int(part) < 256 for part in host.split(".")) else None
    if ":" in host:
        return host.lower() if _V6.match(host) else None
    return host if _NAME.match(host) and not host.isdigit() else None
