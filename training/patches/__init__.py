"""Patches on disk: what one is, which part of a data set it belongs to, and the files it lies in."""
