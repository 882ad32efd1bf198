"""Stored JSON documents: how each is read and written."""
