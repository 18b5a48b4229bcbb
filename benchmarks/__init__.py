"""How fast tcpsim is: `python -m benchmarks` runs workload W1 beside a bare heapq loop."""
