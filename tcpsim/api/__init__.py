"""What `import tcpsim` offers: one function for each command, and the results that they return.

Owns: how a scenario and its settings are named by a user, the results (their words, tables, JSON, pictures
and files), and nothing else. The command line (cli) turns words into arguments of these functions and
prints what they return. Refuses to know: options, terminals and exit statuses (cli); how an answer is found
(the rooms below).
"""
