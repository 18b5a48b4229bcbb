"""tcpsim: a TCP state-machine simulator for the end of connections."""
