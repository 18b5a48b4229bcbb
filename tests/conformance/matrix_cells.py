"""What each stack has to answer to each kind of segment in each state. Data, written by hand.

Nothing here was recorded from tcpsim: the expectations are RFC 9293's paragraphs and the source of Linux 6.18
(net/ipv4) and FreeBSD 15 (sys/netinet), read and written down; matrix_sources.toml says which.

A cell is the answer, then ``>`` and the next state where it changes; ``rfc|linux|freebsd`` where the stacks
differ; ``x`` where there is no such segment. The answers:

``-`` nothing, ``A`` <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> at once, ``a`` the same within the delay of an ACK,
``FA`` an ACK that carries the outstanding FIN again, ``R`` <SEQ=SEG.ACK><CTL=RST>,
``RA`` <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, ``RN`` <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>,
``SA`` <CTL=SYN,ACK>, ``.`` as in the column of freebsd.
"""

from __future__ import annotations

from typing import NamedTuple

STACKS = ("rfc9293", "linux", "freebsd", "freebsd-insecure", "freebsd-synfin")

COLUMNS = {
    "CLO": "closed",
    "LIS": "listen",
    "SS": "syn-sent",
    "SR": "syn-received",
    "SR2": "syn-received-simultaneous",
    "EST": "established",
    "FW1": "fin-wait-1",
    "FW1o": "fin-wait-1-orphan",
    "FW2": "fin-wait-2",
    "FW2o": "fin-wait-2-orphan",
    "CW": "close-wait",
    "CLG": "closing",
    "LA": "last-ack",
    "TW": "time-wait",
}


class Kind(NamedTuple):
    """A segment: `at` octets from RCV.NXT, `ack` octets from SND.NXT, or from SND.UNA with `una`."""

    flags: str
    at: int = 0
    ack: int = 0
    una: bool = False
    length: int = 0
    what: str = ""


FAR = 1 << 20  # beyond any window here

KINDS = {
    "syn": Kind("S", at=1_000, what="a SYN in the window"),
    "syn-old": Kind("S", at=-1, what="the SYN of the handshake again"),
    "syn-ack": Kind("S.", what="a SYN,ACK at RCV.NXT"),
    "syn-fin": Kind("SF", at=1_000, what="a SYN with FIN in the window"),
    "syn-text": Kind("S", at=1_000, length=10, what="a SYN with text in the window"),
    "ack": Kind(".", what="an ACK of everything"),
    "ack-old": Kind(".", ack=-1, una=True, what="an ACK below SND.UNA"),
    "ack-future": Kind(".", ack=1, what="an ACK of what was never sent"),
    "data-in-window": Kind("P.", length=10, what="text at RCV.NXT"),
    "data-left-of-window": Kind("P.", at=-20, length=10, what="text left of the window"),
    "data-right-of-window": Kind("P.", at=FAR, length=10, what="text right of the window"),
    "fin": Kind("F", what="a FIN without ACK at RCV.NXT"),
    "fin-ack": Kind("F.", what="the peer's FIN, acknowledging everything"),
    "fin-ack-old": Kind("F.", una=True, what="the peer's FIN, not acknowledging what is outstanding"),
    "rst-exact": Kind("R", what="a RST at RCV.NXT"),
    "rst-in-window": Kind("R", at=1, what="a RST in the window, one beyond RCV.NXT"),
    "rst-outside": Kind("R", at=FAR, what="a RST outside the window"),
    "rst-ack": Kind("R.", what="a RST with ACK at RCV.NXT"),
    "no-flags": Kind("-", what="a segment without flags at RCV.NXT"),
}

OPENING = """
                      CLO  LIS           SS     SR                  SR2                 EST
syn                   RA   SA>SR         SA>SR2 ->LIS|RA>LIS|SA     A|A|-               A
syn-old               x    x             x      A|SA|SA             A|A|SA              A
syn-ack               R    R|R|-         A>EST  ->LIS|R>LIS|R>LIS   A|A|->EST           A
syn-fin               RA   SA>SR|-|SA>SR SA>SR2 ->LIS|RA>LIS|SA     A|A|SA              A
syn-text              RA   SA>SR         SA>SR2 ->LIS|RA>LIS|SA     A|A|SA              A
ack                   R    R             -      ->EST               ->EST               -
ack-old               x    x             R      R                   R                   -|A|A
ack-future            x    x             R      R                   R                   A
data-in-window        R    R             -      a>EST|A>EST|a>EST   a>EST|A>EST|a>EST   a|A|a
data-left-of-window   x    x             x      A|A|R               A|A|R               A
data-right-of-window  x    x             x      A|A|R               A|A|SA              A
fin                   RA   -             -      -                   -|-|SA              -
fin-ack               R    R             -      A>CW|a>CW|A>CW      A>CW|a>CW|A>CW      A>CW|a>CW|A>CW
fin-ack-old           x    x             R      R                   R                   x
rst-exact             -    -             -      ->LIS               ->CLO               ->CLO
rst-in-window         x    x             x      A                   A                   A
rst-outside           x    x             x      -                   -                   -
rst-ack               -    -             ->CLO  ->LIS               ->CLO               ->CLO
no-flags              RA   -             -      -                   -                   -
"""

CLOSING = """
                      FW1                  FW1o         FW2    FW2o           CW     CLG             LA
syn                   A                    A            A      A|RA>CLO|A     A      A               A
syn-old               A                    A            A      A              A      A               A
syn-ack               A                    A            A      A|R>CLO|A      A      A               A
syn-fin               A                    A            A      A|RA>CLO|A     A      A               A
syn-text              A                    A            A      A|RA>CLO|A     A      A               A
ack                   ->FW2                ->FW2        -      -              -      ->TW            ->CLO
ack-old               -|A|A                -|A|A        -      -              -|A|A  -|A|A           -|A|A
ack-future            A|A|FA               A|A|FA       A      A|-|A          A      A|A|FA          A|A|FA
data-in-window        a>FW2|A>FW2|a>FW2    R>CLO        a|A|a  R>CLO          -      ->TW            ->CLO
data-left-of-window   A|A|A>FW2            A|A|A>FW2    A      A              A      A|A|A>TW        A|A|->CLO
data-right-of-window  A|A|FA               A|A|R>CLO    A      A|A|R>CLO      A      A|A|FA          A|A|FA
fin                   -                    -            -      -              -      -               -
fin-ack               A>TW                 A>TW         A>TW   A>TW           A      A>TW|->TW|A>TW  ->CLO
fin-ack-old           A>CLG|A>CLG|FA>CLG   A>CLG|A>CLG|FA>CLG  x  x           x      A|A|FA          A|A|FA
rst-exact             ->CLO                ->CLO        ->CLO  ->CLO          ->CLO  ->CLO           ->CLO
rst-in-window         A                    A            A      A|->CLO|A      A      A               A
rst-outside           -                    -            -      -|A|-          -      -               -
rst-ack               ->CLO                ->CLO        ->CLO  ->CLO          ->CLO  ->CLO           ->CLO
no-flags              -                    -            -      -              -      -               -
"""

WAITING = """
                      TW
syn                   SA>SR
syn-old               A|A|-
syn-ack               A
syn-fin               SA>SR|->LIS|SA>SR
syn-text              SA>SR
ack                   -
ack-old               -|-|A
ack-future            A|-|A
data-in-window        -|A|A
data-left-of-window   A
data-right-of-window  A
fin                   -|A|-
fin-ack               A
fin-ack-old           x
rst-exact             ->LIS|->LIS|-
rst-in-window         A|-|-
rst-outside           -
rst-ack               ->LIS|->LIS|-
no-flags              -
"""

# What insecure_rst, insecure_syn and insecure_ack change; the rest is as in the freebsd column.
INSECURE = """
                      SR     SR2    EST     FW1     FW1o    FW2     FW2o    CW      CLG     LA
syn                   .      .      RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO
syn-ack               .      .      RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO
syn-fin               .      .      RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO  RN>CLO
syn-old               .      .      A       A       A       A       A       A       A       A
ack-old               .      .      -       -       -       .       .       -       -       -
rst-in-window         ->LIS  ->CLO  ->CLO   ->CLO   ->CLO   ->CLO   ->CLO   ->CLO   ->CLO   ->CLO
rst-outside           -      -      -       -       -       -       -       -       -       -
"""

# What drop_synfin changes: no connection and no listener answers a SYN with FIN.
SYNFIN = """
                      LIS  SS   SR   SR2  EST  FW1  FW1o FW2  FW2o CW   CLG  LA   TW
syn-fin               -    -    -    -    -    -    -    -    -    -    -    -    -
"""

NO_SUCH_SEGMENT = {
    "CLO": "no connection, so nothing is old, outstanding or in a window",
    "LIS": "no connection, so nothing is old, outstanding or in a window",
    "SS": "RCV.NXT is not known yet, so there is no window",
    "EST": "nothing of ours is outstanding",
    "FW2": "nothing of ours is outstanding",
    "FW2o": "nothing of ours is outstanding",
    "CW": "nothing of ours is outstanding",
    "TW": "nothing of ours is outstanding",
}


class Cell(NamedTuple):
    stack: str
    kind: str
    way: str
    answer: str  # "x": no such segment
    next_way: str


def cells() -> list[Cell]:
    """The texts above, one cell per stack, kind and way."""
    found = []
    for table in (OPENING, CLOSING, WAITING, INSECURE, SYNFIN):
        head, *rows = table.strip("\n").splitlines()
        for row in rows:
            kind, *texts = row.split()
            for way, text in zip(head.split(), texts, strict=True):
                parts = text.split("|")
                stacks = {INSECURE: STACKS[3:4], SYNFIN: STACKS[4:]}.get(table, STACKS[:3])
                for stack, said in zip(stacks, parts if len(parts) > 1 else parts * 3, strict=False):
                    answer, _, after = said.partition(">") if said[0] != "-" else ("-", "", said[2:])
                    if answer != ".":
                        found.append(Cell(stack, kind, way, answer, after or way))
    return found
