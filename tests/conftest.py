"""No property has a deadline: how long an example takes says more of what else the machine does than of the code."""

from hypothesis import settings

# on top of the profile in force: where the environment says CI, Hypothesis draws the same examples every time
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")
