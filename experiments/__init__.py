"""Experiments: one file, one question, one CSV and one picture of the same name in figures/.

`python -m experiments` runs them all. A module here has a `STEM` (the name of its files), `points(full)`
(what to simulate; named tuples), `answer(point)` (rows of the table, a function of the point alone) and
`figure(table)`. Points are divided among processes; no result depends on how many there are.
"""


def memory_words(octets: int) -> str:
    """An amount of memory as a label says it.

    >>> [memory_words(octets) for octets in (256, 15_800, 4_924_000, 4_230_000_000)]
    ['256 B', '15.4 KiB', '4.7 MiB', '3.94 GiB']
    """
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if octets >= size:
            return f"{octets / size:.3g} {unit}"
    return f"{octets} B"
