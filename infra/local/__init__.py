"""The local stack: one module per service, for the real client libraries. Imports nothing of quakeslide."""
