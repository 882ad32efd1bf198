"""The experiments of Nava et al. 2026 as data: what is varied, and names that follow from the values."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Literal

from training.architectures import Variant
from training.simulator.geometry import OrbitPass

Polarisation = Literal["vv", "vv_vh"]

BANDS: dict[Polarisation, tuple[str, ...]] = {
    "vv": ("postVV", "diffVV"),
    "vv_vh": ("postVV", "postVH", "diffVV", "diffVH"),
}
"""Input bands in their order (Table 2)."""

WINDOWS = (
    (365, 12), (240, 12), (120, 12), (60, 12), (60, 24), (60, 48), (12, 12), (24, 24), (48, 48), (60, 60),
)  # fmt: skip
"""Days before and after the earthquake (Table 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One training.

    Attributes:
        polarisation: which bands, see BANDS.
        orbit_pass: ascending and descending images are never mixed.
        pre_days, post_days: windows of the two medians.
        filters: of the first block.
        imbalance: background patches per landslide patch, training and validation.
        dropout, learning_rate, batch_size, batch_norm_momentum: as usual.
        variant: of the network, see `training.networks`.
        epochs: at most; `patience` epochs without a better validation loss end it sooner.
        seed: of weights, dropout and the order of patches.
    """

    polarisation: Polarisation
    orbit_pass: OrbitPass
    pre_days: int = 60
    post_days: int = 12
    filters: int = 32
    imbalance: int = 5
    dropout: float = 0.5
    learning_rate: float = 1e-3
    batch_size: int = 64
    batch_norm_momentum: float = 0.9
    variant: Variant = "published"
    epochs: int = 500
    patience: int = 30
    seed: int = 0

    @property
    def bands(self) -> tuple[str, ...]:
        """The input bands in their order."""
        return BANDS[self.polarisation]

    @property
    def model_name(self) -> str:
        """The name that the served model goes by."""
        return f"{self.polarisation}_{self.orbit_pass.lower()}_{self.pre_days}_{self.post_days}"

    @property
    def id(self) -> str:
        """A name that differs whenever any value differs."""
        values = json.dumps(asdict(self), sort_keys=True)
        return f"{self.model_name}-{hashlib.sha256(values.encode()).hexdigest()[:8]}"


def paper_models() -> tuple[Experiment, ...]:
    """Return the paper's 40 models (3.4): 2 polarisations x 2 passes x 10 windows."""
    passes: tuple[OrbitPass, ...] = ("ASCENDING", "DESCENDING")
    return tuple(
        Experiment(polarisation=p, orbit_pass=o, pre_days=pre, post_days=post, batch_size=512, batch_norm_momentum=0.99)
        for p, o, (pre, post) in product(BANDS, passes, WINDOWS)
    )


def paper_grid(model: Experiment) -> tuple[Experiment, ...]:
    """Return the 24 trainings that the paper compares for one model (3.5, 4.1).

    PARITY: the paper's Table 4 and the names of the released files say a learning rate of 1e-3, which is not in this grid.
    """
    return tuple(
        replace(model, filters=f, imbalance=i, dropout=d, learning_rate=rate)
        for f, i, d, rate in product((32, 64), (4, 5, 6), (0.5, 0.7), (1e-4, 1e-5))
    )
