"""Quakeslide: after a large earthquake, where did slopes fail, how sure are we, and where could radar not see?"""

__version__ = "0.1.0"
