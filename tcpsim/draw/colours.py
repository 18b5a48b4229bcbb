"""The one palette: what each colour means, and how well it can be seen on paper.

Owns: every colour of the project's pictures, and the contrast of two colours (WCAG 2.2, 1.4.3 and 1.4.11:
at least 3:1 for a line, 4.5:1 for a word). Refuses to know: what is drawn. A state has the same colour in
every figure; no series has a state's colour.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb

from tcpsim.tcp.state import State, parse_state

Colour = str | tuple[float, float, float]

INK: Final = "#22272e"  # words, and what has no colour of its own
QUIET: Final = "#5b6470"  # words of less weight, limits
FAINT: Final = "#87919c"  # a line of less weight
RULE: Final = "#d5dae0"  # a grid: may be overlooked
PAPER: Final = "#ffffff"
ALARM: Final = "#b0103a"  # a loss, a limit that is met first

LINE_CONTRAST: Final = 3.0
WORD_CONTRAST: Final = 4.5

# Hues after Okabe and Ito (2008), readable with colour blindness, and darker: each can carry a word.
SERIES: Final = ("#005f9e", "#b34700", "#00795c", "#8f3f8f", "#7d6300", "#4a5560", "#22272e")

# As far apart as eleven colours of at least 3:1 get, also for a reader who does not see red or green;
# the two states in which leaks live are the loud ones.
STATE_COLOURS: Final = {
    State.CLOSED: "#868f9a",
    State.LISTEN: "#4d5660",
    State.SYN_SENT: "#4f9f5a",
    State.SYN_RECEIVED: "#005439",
    State.ESTABLISHED: "#3173c9",
    State.FIN_WAIT_1: "#595006",
    State.FIN_WAIT_2: "#ca7e04",
    State.CLOSE_WAIT: "#cf4130",
    State.CLOSING: "#7a4ac4",
    State.LAST_ACK: "#8a1886",
    State.TIME_WAIT: "#02727b",
}


def state_colour(state: State | str) -> str:
    """The colour a state has in every figure.

    >>> state_colour("CLOSE-WAIT") == state_colour(State.CLOSE_WAIT)
    True
    """
    return STATE_COLOURS[state if isinstance(state, State) else parse_state(state)]


def series_colour(index: int) -> str:
    """The colour of the nth series; they repeat after seven, where a figure should have been two."""
    return SERIES[index % len(SERIES)]


def contrast(one: Colour, other: Colour = PAPER) -> float:
    """How many times lighter the lighter of two colours is, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"), 1), contrast("#777777", "#777777")
    (21.0, 1.0)
    """
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, from 0 (black) to 1 (white)."""
    red, green, blue = _light(colour)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def difference(one: Colour, other: Colour) -> float:
    """How different two colours look: the distance in OKLab (Ottosson 2020), 1 from black to white.

    >>> round(difference("#000000", "#ffffff"), 2), difference("#123456", "#123456")
    (1.0, 0.0)
    """
    return float(np.linalg.norm(_oklab(one) - _oklab(other)))


def _oklab(colour: Colour) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = _TO_LAB @ np.cbrt(_TO_CONES @ _light(colour))
    return found


def _light(colour: Colour) -> npt.NDArray[np.float64]:
    """The three parts of a colour, linear in the light that they are."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


_TO_CONES: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def readable(colour: Colour) -> Colour:
    """The colour of a line, made dark enough for a word on paper.

    >>> readable("#22272e") == to_rgb("#22272e"), contrast(readable("#ca7e04")) >= WORD_CONTRAST
    (True, True)
    """
    red, green, blue = to_rgb(colour)
    dark = 1.0
    while contrast((red * dark, green * dark, blue * dark)) < WORD_CONTRAST + 0.1:
        dark -= 0.01
    return red * dark, green * dark, blue * dark


def ink_on(fill: Colour) -> str:
    """The better of dark and white letters on a filled area.

    >>> ink_on("#ca7e04") == INK, ink_on("#005439") == PAPER
    (True, True)
    """
    return max((INK, PAPER), key=lambda ink: contrast(ink, fill))
