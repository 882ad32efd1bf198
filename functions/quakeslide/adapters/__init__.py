"""The outside world behind the ports; an adapter imports neither another adapter nor a use case."""
