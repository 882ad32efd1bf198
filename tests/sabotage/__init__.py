"""Breaks a copy of the code on purpose, one mutation at a time; the named tests must notice. `make sabotage` runs it."""
