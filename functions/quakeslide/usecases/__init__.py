"""One module per thing the system does; everything outside comes in through ports."""
