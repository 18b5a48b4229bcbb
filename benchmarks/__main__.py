"""`python -m benchmarks`: workload W1 with its defaults."""

from benchmarks.w1 import main

main()
