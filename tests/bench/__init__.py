"""The figures that North should reach, measured on a whole installation.

    make bench
    python -m tests.bench [figure ...] [--json FILE]

Each figure has a file of its name, whose `measure` gives rows for the table. `inside/` holds what must run in processes of their own, in
the environment of an installation. Nothing here is taken from a cache: every number is measured when it is asked for.
"""
