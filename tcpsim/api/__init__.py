"""The functions of `import tcpsim`, one for each command, and the results that they return.

Owns: how a user names a scenario and its settings, and the results (their text, tables, JSON, pictures and
files). The command line (cli) converts its arguments into arguments of these functions, and prints their
results. Refuses to know: options, terminals and exit statuses (cli), and how an answer is computed (the other
packages).
"""
