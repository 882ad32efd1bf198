"""How fast, and how small: `make bench`.

Every way of scoring the same windows is a process of its own, asked in turn, so that what a shared machine does to one it does to
the others. Figures of one run belong together; those of two runs cannot be compared.
"""
