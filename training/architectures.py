"""Names of the networks, apart from the networks: whoever only lists experiments need not import Keras."""

from typing import Literal

Architecture = Literal["cnn", "cbam", "resnet"]
"""Table A1."""

Variant = Literal["published", "paper"]
"""Of the CNN: what the released tool joins, or what the paper's text joins; see `training.networks.cnn`."""
