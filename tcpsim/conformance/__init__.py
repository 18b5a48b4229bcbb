"""Comparison with others: scripts, traces and populations that this project did not write.

Each judge takes the same four steps, in modules of the same names:

    package       input                replay                       compare    verdict
    packetdrill   parser, script       replay                       compare    judge, verdict
    traces        schema, setup        replay                       compare    verdict
    populations   schema, setup        replay, sampled_replay       expected   verdict

`lab` records new traces on two real hosts; `traces` judges them. A judge replays into the one TCP of this
project (a host for packetdrill, a pair for the others) and adds nothing to it.
"""
