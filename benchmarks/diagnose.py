"""A dump of 100,000 lines: reading and judging it beside splitting its lines, in one process (a ratio).

python -m benchmarks.diagnose [LINES]
"""

from __future__ import annotations

import sys
from time import process_time

from tcpsim.api.diagnose import diagnose

LINES = 100_000


def dump(lines: int) -> str:
    """What `ss -tanop` prints of a host with a leak, keepalive and orphans, every address another."""
    made = ['LISTEN 0 128 *:8080 *:* users:(("java",pid=4127,fd=61))']
    for n in range(lines):
        peer = f"198.51.{n >> 16}.{n >> 8 & 255}:{1024 + n % 60_000}"
        if n % 5 == 0:
            timer = f"timer:(keepalive,{n % 60}min{n % 60}sec,0)"
            made.append(f'ESTAB 0 0 [::ffff:192.0.2.10]:8080 {peer} users:(("java",pid=4127,fd={n})) {timer}')
        elif n % 5 == 1:
            made.append(f"FIN-WAIT-1 0 1 192.0.2.10:8080 {peer} timer:(on,{n % 50 + 10}sec,{n % 9})")
        else:
            made.append(f'CLOSE-WAIT 1 0 192.0.2.10:8080 {peer} users:(("java",pid=4127,fd={n}))')
    return "\n".join(made) + "\n"


def main(lines: int = LINES) -> None:
    text = dump(lines)
    begun = process_time()
    split = [line.split() for line in text.splitlines()]
    splitting = process_time() - begun
    begun = process_time()
    page = diagnose(text).text()
    judging = process_time() - begun
    print(
        f"diagnose, {len(split):,} lines: {judging:.2f} s of CPU, {judging / splitting:.1f} times str.split()"
    )
    print(page.splitlines()[1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
