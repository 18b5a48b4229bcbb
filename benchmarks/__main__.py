"""`python -m benchmarks`: workload W1 with its defaults, then exact exploration."""

from benchmarks import exact
from benchmarks.w1 import main

main()
print()
exact.main()
