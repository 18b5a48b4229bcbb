"""Experiments: one file, one question, one CSV and one picture of the same name in figures/.

`python -m experiments` runs them all. A module here has a `STEM` (the name of its files), `points(full)`
(what to simulate; named tuples), `answer(point)` (rows of the table, a function of the point alone) and
`figure(table)`. Points are divided among processes; no result depends on how many there are.
"""
