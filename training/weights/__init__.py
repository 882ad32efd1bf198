"""Weights that others trained: reading their files, telling which network they are of, making served models of them."""
