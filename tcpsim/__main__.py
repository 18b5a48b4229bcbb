"""`python -m tcpsim` runs the command line."""

from tcpsim.cli import main

if __name__ == "__main__":
    main()
