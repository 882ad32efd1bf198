"""What is known of a model: the contract between training, the model server and the detector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Stage
from quakeslide.domain.terrain import Backscatter


def model_name(polarisation: Polarisation, orbit_pass: OrbitPass, stage: Stage) -> str:
    """Return `{vv|vv_vh}_{ascending|descending}_{pre}_{post}`."""
    return f"{polarisation}_{orbit_pass.lower()}_{stage.pre_days}_{stage.post_days}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One served version of a model.

    Attributes:
        name, version: as the model server knows it.
        bands: in the order of the last axis.
        fill_db: what a missing pixel is given, by band, dB.
        pixel_geometry: `utm_10m` or `epsg4326_10m`, the pixels it was trained on.
        backscatter: what the bands it was trained on hold, `sigma0` where the card does not say.
        threshold: a window scoring above it is a candidate.
        platt: (a, b) of the calibrated probability sigmoid(a * logit(score) + b), or None without calibration.
        variant: `published` or `paper`.
        sha256: of the weights.
        data_notice: one sentence that goes with every product, such as `demo model from simulated scenes, not fit for operations`.
    """

    name: str
    version: int
    bands: tuple[str, ...]
    fill_db: Mapping[str, float]
    pixel_geometry: str
    threshold: float
    platt: tuple[float, float] | None
    variant: str
    sha256: str
    data_notice: str
    backscatter: Backscatter = Backscatter.SIGMA0

    def probability(self, score: float) -> float | None:
        """Return the calibrated probability of a score in [0, 1], or None where the card has no calibration (Platt 1999)."""
        if self.platt is None:
            return None
        inside = min(max(score, 1e-7), 1 - 1e-7)
        logit = math.log(inside / (1 - inside))
        return 1 / (1 + math.exp(-(self.platt[0] * logit + self.platt[1])))
