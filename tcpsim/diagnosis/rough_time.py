"""A rough length of time for people.

Owns: rounding for people. Refuses to know: exact times (units).
"""

from __future__ import annotations


def about(span_us: int | None) -> str:
    """A time in one or two units, rounded."""
    if span_us is None:
        return "never"
    seconds = span_us / 1_000_000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds < 900 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
