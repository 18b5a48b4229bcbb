"""How long a test waits for something that may never come.

It is no measure of speed: on a busy machine a process may need a minute until it has begun.
"""

PATIENCE_S = 1_200
