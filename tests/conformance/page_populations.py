"""The parts of docs/conformance.md about populations of a real kernel.

    python -m tests.conformance.page_populations            prints them
    python -m tests.conformance.page_populations --write    writes them into the page (it takes minutes)

Every population in tests/data/population is judged. If its kernel cached round-trip times, it is judged once
more by a model without the cache: so the transitions were expected before the cache was modelled.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tcpsim.conformance.populations import Run, read
from tcpsim.conformance.populations.transitions import Pooled, pooled
from tcpsim.conformance.populations.verdict import Judgement, judge
from tests.conformance.kernel import POPULATIONS
from tests.conformance.page import PAGE

BEGIN = "<!-- populations: python -m tests.conformance.page_populations --write -->"
END = "<!-- end of populations -->"


def without_cache(run: Run) -> Run:
    """The same run, judged as if its kernel had cached nothing."""
    return run.altered(sysctls_written={**run.config.sysctls_written, "tcp_no_metrics_save": 1})


def judgements() -> tuple[dict[str, Judgement], dict[str, Judgement]]:
    """Each run beside the model, and beside the model without a cache where that is another."""
    now, before = {}, {}
    with ProcessPoolExecutor(os.cpu_count()) as executor:
        for path in sorted(POPULATIONS.glob("*.json")):
            run = read(path.read_bytes(), path.name)
            now[path.stem] = judge(run, executor=executor)
            depends = now[path.stem].caches_metrics and run.config.p > 0
            before[path.stem] = judge(without_cache(run), executor=executor) if depends else now[path.stem]
            print(path.stem, now[path.stem].verdict, file=sys.stderr)
    return now, before


def section(now: dict[str, Judgement], before: dict[str, Judgement]) -> str:
    """The text between the marks."""
    head = "| run | loss | connections | cached metrics | counts | series | verdict |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    lines += [_run(name, judged) for name, judged in now.items()]
    after = pooled(judged.transitions for judged in now.values())
    earlier = {row.name: row for row in pooled(judged.transitions for judged in before.values())}
    told = f"All {len(now)} runs together, each transition with its z-score, and p after Holm's correction:"
    head = "| transition | observed | expected before | z before | expected | z | p |"
    lines += ["", told, "", head, "|---|---|---|---|---|---|---|"]
    lines += [_transition(row, earlier[row.name]) for row in after]
    return "\n".join(lines)


def _run(name: str, judged: Judgement) -> str:
    rows = [row.verdict for row in (*judged.end, *judged.outcomes) if row.verdict != "rare"]
    series = [each for each in judged.series if each.verdict != "rare"]
    least = min(series, key=lambda each: each.inside)
    cache = "on, modelled" if judged.knows else "on, not modelled" if judged.caches_metrics else "off"
    config = judged.run.config
    fits = f"{rows.count('fits')} of {len(rows)} fit"
    bands = f"{sum(each.verdict == 'fits' for each in series)} of {len(series)} fit"
    worst = f"least: {least.host} {least.state}, {100 * least.inside:.1f} %"
    return (
        f"| `{name}` | {config.p:g} | {config.n} | {cache} | {fits} | {bands} ({worst}) | {judged.verdict} |"
    )


def _transition(row: Pooled, earlier: Pooled) -> str:
    before = f"{earlier.expected:.1f} | {earlier.z:+.2f}"
    return f"| {row.name} | {row.counted} | {before} | {row.expected:.1f} | {row.z:+.2f} | {row.p:.2f} |"


def page_with(text: str) -> str:
    """The page with this text between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    found = section(*judgements())
    if "--write" in sys.argv:
        PAGE.write_text(page_with(found), encoding="utf-8")
    else:
        print(found)
