"""From a score to a probability, and how far apart the two are.

Platt's two parameters (Platt 1999) or one temperature (Guo et al. 2017, arXiv:1706.04599), both fitted on the validation part by
greatest likelihood. A calibration is true for the share of landslides it was fitted at: the paper's ratios of 4-6 background patches per
landslide are nothing like a real area. `for_prevalence` shifts it to another share (Saerens et al. 2002), which must then be known.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

PRIOR_SHIFT = "elsewhere add logit(local prevalence) - logit(prevalence) to the calibrated logit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`sigmoid(a * logit(score) + b)`, true where `prevalence` of the patches are landslides; b = 0 for a temperature of 1 / a."""

    a: float
    b: float
    prevalence: float

    def probability(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each score."""
        return special.expit(self.a * logit(score) + self.b)

    def for_prevalence(self, prevalence: float) -> "Calibration":
        """Return the calibration for a place where another share of the patches are landslides.

        Raises:
            ValueError: the share is not between 0 and 1.
        """
        if not 0 < prevalence < 1:
            raise ValueError(f"a prevalence lies between 0 and 1, got {prevalence}")
        shift = logit(np.array(prevalence)) - logit(np.array(self.prevalence))
        return replace(self, b=self.b + float(shift), prevalence=prevalence)


def logit(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)); scores are kept 1e-6 away from 0 and 1."""
    p = np.clip(np.asarray(score, np.float64), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def fit_platt(score: NDArray[np.floating], label: NDArray[np.floating]) -> Calibration:
    """Return the calibration with the greatest likelihood of Platt's targets, which keep it finite where the scores separate the labels.

    Raises:
        ValueError: the labels are all alike.
    """
    x, sign = _checked(score, label)
    landslides, background = int(np.sum(sign > 0)), int(np.sum(sign < 0))
    # Platt 1999, 2.2: (N+ + 1) / (N+ + 2) for landslides, 1 / (N- + 2) for background, instead of 1 and 0
    target = np.where(sign > 0, (landslides + 1) / (landslides + 2), 1 / (background + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        z = parameters[0] * x + parameters[1]
        return float(np.mean(target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z)))

    a, b = (round(float(v), 6) for v in optimize.minimize(loss, x0=[1.0, 0.0]).x)
    return Calibration(a=a, b=b, prevalence=round(float(np.mean(label)), 6))


def fit_temperature(score: NDArray[np.floating], label: NDArray[np.floating]) -> Calibration:
    """Return the calibration with the greatest likelihood that leaves 0.5 where it is.

    Raises:
        ValueError: the labels are all alike.
    """
    x, sign = _checked(score, label)
    found = optimize.minimize_scalar(
        lambda log_a: np.mean(np.logaddexp(0, -sign * np.exp(log_a) * x)), bounds=(-5, 5), method="bounded"
    )
    return Calibration(a=round(float(np.exp(found.x)), 6), b=0.0, prevalence=round(float(np.mean(label)), 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrations:
    """Both ways, fitted on the same patches."""

    platt: Calibration
    temperature: Calibration


def fit_calibrations(score: NDArray[np.floating], label: NDArray[np.floating]) -> Calibrations | None:
    """Return both calibrations; None where Platt's slope is not positive: a higher score would mean a lower probability.

    Raises:
        ValueError: the labels are all alike.
    """
    platt = fit_platt(score, label)
    return Calibrations(platt=platt, temperature=fit_temperature(score, label)) if platt.a > 0 else None


def _checked(
    score: NDArray[np.floating], label: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(np.unique(label)) < 2:
        raise ValueError("a calibration needs landslides and background")
    return logit(score), np.where(label == 1, 1.0, -1.0)


def for_card(fitted: Calibrations | None) -> dict[str, Any] | None:
    """Return what a model card says: Platt's parameters, which the detector applies, and the temperature beside them."""
    if fitted is None:
        return None
    return {
        "method": "platt",
        **asdict(fitted.platt),
        "temperature": round(1 / fitted.temperature.a, 4),
        "fitted_on": "validation",
        "prior_shift": PRIOR_SHIFT,
    }


def calibration_error(probability: NDArray[np.floating], label: NDArray[np.floating], bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    difference = np.bincount(place, probability - label, bins)
    return float(np.sum(np.abs(difference)) / counts.sum())
