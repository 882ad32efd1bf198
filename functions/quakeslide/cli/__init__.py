"""The command line, installed by pip and never bundled into a function."""
