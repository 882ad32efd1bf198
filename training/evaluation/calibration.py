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
    """Return the calibration with the greatest likelihood.

    Raises:
        ValueError: the labels are all alike.
    """
    x, sign = _checked(score, label)
    found = optimize.minimize(lambda p: np.mean(np.logaddexp(0, -sign * (p[0] * x + p[1]))), x0=[1.0, 0.0])
    a, b = (round(float(v), 6) for v in found.x)
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


def _checked(
    score: NDArray[np.floating], label: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(np.unique(label)) < 2:
        raise ValueError("a calibration needs landslides and background")
    return logit(score), np.where(label == 1, 1.0, -1.0)


def for_card(platt: Calibration, temperature: Calibration) -> dict[str, Any]:
    """Return what a model card says: Platt's parameters, which the detector applies, and the temperature beside them."""
    return {
        "method": "platt",
        **asdict(platt),
        "temperature": round(1 / temperature.a, 4),
        "fitted_on": "validation",
        "prior_shift": PRIOR_SHIFT,
    }


def calibration_error(probability: NDArray[np.floating], label: NDArray[np.floating], bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    difference = np.bincount(place, probability - label, bins)
    return float(np.sum(np.abs(difference)) / counts.sum())
