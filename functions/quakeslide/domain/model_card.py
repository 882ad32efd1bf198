"""What is known of a model: the contract between training, the model server and the detector; and which model judges what.

The ladder, first served wins, everything else about it recorded in each product:

1. the composite's own polarisation, pass and stage;
2. its polarisation and pass, trained on stage 60-12: the stage of the paper's rapid maps (`stack_mismatch`);
3. for a composite of VV and VH, a model of VV alone with its pass and stage (`polarisation_mismatch`);
4. VV alone and 60-12 (both).

Never a model of the other pass: it knows slopes facing the other way, and Nava et al. 2026 train and test each pass by itself. A stage
of the same bands comes before fewer bands because Table 3 of the paper spreads the stages over a few points of F1, and VH carries what
happens to plants. Never, either, a model with bands that the composite lacks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from quakeslide.domain.composite import Composite
from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Stage
from quakeslide.domain.terrain import Backscatter

FIRST_STAGE = Stage(pre_days=60, post_days=12)  # its model stands in where a stage has none of its own

FULL_PRECISION = "float32"


def model_name(polarisation: Polarisation, orbit_pass: OrbitPass, stage: Stage) -> str:
    """Return `{vv|vv_vh}_{ascending|descending}_{pre}_{post}`."""
    return f"{polarisation}_{orbit_pass.lower()}_{stage.pre_days}_{stage.post_days}"


def ladder(composite: Composite) -> list[str]:
    """Return the names of the models that may judge a composite, best first."""
    polarisations = dict.fromkeys((composite.polarisation, Polarisation.VV))
    stages = dict.fromkeys((composite.stage, FIRST_STAGE))
    return [
        model_name(polarisation, composite.track.orbit_pass, stage)
        for polarisation in polarisations
        for stage in stages
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which model judged a composite, and why that one.

    Attributes:
        wanted, used: names.
        is_other_stage, is_other_polarisation: how they differ.
        reason: in words.
    """

    wanted: str
    used: str
    is_other_stage: bool
    is_other_polarisation: bool
    reason: str


def choice_of(composite: Composite, used: str) -> Choice:
    """Say how the model that judged a composite compares to the one made for it."""
    wanted = ladder(composite)[0]
    polarisation, _, pre, post = used.rsplit("_", 3)
    other_stage = f"{pre}-{post}" != str(composite.stage)
    other_polarisation = polarisation != str(composite.polarisation)
    standing_in = [f"stage {pre}-{post}"] * other_stage + [f"{polarisation} alone"] * other_polarisation
    reason = (
        f"no model {wanted} served; {' and '.join(standing_in)} stands in" if standing_in else "made for this composite"
    )
    return Choice(
        wanted=wanted,
        used=used,
        is_other_stage=other_stage,
        is_other_polarisation=other_polarisation,
        reason=reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One served version of a model.

    Attributes:
        name, version: as the model server knows it.
        bands: in the order of the last axis.
        fill_db: what a missing pixel is given, by band, dB.
        pixel_geometry: `utm_10m` or `epsg4326_10m`, the pixels it was trained on.
        backscatter: what the bands it was trained on hold, `sigma0` where the card does not say.
        precision: its graph multiplies in, `float32` where the card does not say.
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
    precision: str = FULL_PRECISION

    @property
    def identity(self) -> str:
        """What decides its scores: the weights, and the precision they are multiplied in; no run mixes two of these."""
        return self.sha256 if self.precision == FULL_PRECISION else f"{self.sha256} {self.precision}"

    def probability(self, score: float) -> float | None:
        """Return the calibrated probability of a score in [0, 1], or None where the card has no calibration (Platt 1999)."""
        if self.platt is None:
            return None
        inside = min(max(score, 1e-7), 1 - 1e-7)
        logit = math.log(inside / (1 - inside))
        return 1 / (1 + math.exp(-(self.platt[0] * logit + self.platt[1])))
