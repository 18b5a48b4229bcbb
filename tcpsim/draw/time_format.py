"""Times for people: short enough for a column, and exact enough to distinguish two events.

Owns: two formats, for a time of the run and for a length of time. Refuses to know: parsing (units).
"""

from __future__ import annotations

from typing import Final

_MS: Final = 1_000
_S: Final = 1_000_000
_MIN: Final = 60 * _S
_H: Final = 60 * _MIN
_D: Final = 24 * _H


def clock(t_us: int) -> str:
    """A time of the run in at most nine characters.

    >>> [clock(us) for us in (0, 250, 12_500, 1_234_567, 60_200_000, 900_000_000, 7_203_000_000)]
    ['0 ms', '0.25 ms', '12.5 ms', '1.235 s', '1m00.200s', '15m00.0s', '2h00m03s']
    """
    if t_us < _S:
        return f"{_trim(t_us, _MS, 3 if t_us < 10 * _MS else 1)} ms"
    if t_us < _MIN:
        return f"{_trim(t_us, _S, 3)} s"
    if t_us < 10 * _MIN:
        return f"{t_us // _MIN}m{t_us % _MIN // _MS / 1_000:06.3f}s"
    if t_us < _H:
        tenths = t_us // (_S // 10)
        return f"{tenths // 600}m{tenths % 600 // 10:02}.{tenths % 10}s"
    seconds = t_us // _S
    if t_us < _D:
        return f"{seconds // 3600}h{seconds // 60 % 60:02}m{seconds % 60:02}s"
    return f"{seconds // 86400}d{seconds // 3600 % 24:02}h{seconds // 60 % 60:02}m"


def length(span_us: int) -> str:
    """A length of time in its two largest units (in seconds below two minutes).

    >>> [length(us) for us in (200, 20_000, 58_200_000, 130_000_000, 7_200_000_000, 604_800_000_000)]
    ['200 us', '20 ms', '58.2 s', '2 min 10 s', '2 h', '7 days']
    """
    if span_us < _MS:
        return f"{span_us} us"
    if span_us < _S:
        return f"{_trim(span_us, _MS, 1)} ms"
    if span_us < 2 * _MIN:
        return f"{_trim(span_us, _S, 1)} s"
    if span_us < _H:
        return _two(span_us, _MIN, "min", _S, "s")
    if span_us < _D:
        return _two(span_us, _H, "h", _MIN, "min")
    return _two(span_us, _D, "day" if span_us < 2 * _D else "days", _H, "h")


def _two(span_us: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(span_us, large)
    return f"{whole} {large_name}" + (f" {rest // small} {small_name}" if rest >= small else "")


def _trim(value: int, unit: int, digits: int) -> str:
    return f"{value / unit:.{digits}f}".rstrip("0").rstrip(".")
