"""`python -m benchmarks`: workload W1 with its defaults, then exact exploration."""

from benchmarks import diagnose, exact
from benchmarks.w1 import main

main()
print()
exact.main()
print()
diagnose.main()
