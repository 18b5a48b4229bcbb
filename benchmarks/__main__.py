"""`python -m benchmarks`: workload W1, exact exploration, a large dump, and start-up."""

from benchmarks import diagnose, exact, startup
from benchmarks.w1 import main

main()
print()
exact.main()
print()
diagnose.main()
print()
startup.main()
