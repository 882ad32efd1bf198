"""What speaks against a detection, as far as the composite and the coastline can tell.

Nava et al. 2026, 5.2, name what confuses the models or was scarce in their training: arid land, changing water levels, snow, small
slides, and slopes that distort the radar image. There is no land cover here, so each caution is a rule on radar, slopes and Natural
Earth's coast, raised rather too often than too seldom; `CAUTIONS` says of each what it rests on and where it fails. Nothing is
dropped because of a caution.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.composite import Composite
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.land import wholly_on_land
from quakeslide.domain.sentinel1 import Polarisation

PARTLY_BLIND = 0.2  # share of a window in layover or shadow from which it is worth a caution
FEW_PIXELS = 0.9
FLAT_DEG = 5.0  # gentler ground rarely slides; floods, harvests and building work change it too
WATER_SHARE = 0.1
SNOW_SHARE = 0.5  # snow changes whole hillsides; a slide rarely fills half of 640 m x 640 m
# Plants scatter VH from their whole depth: forest about -13 dB, grass and fields -17 (as the training simulator has them), sparse
# crops -22. What gave less before the earthquake was bare: desert, rock, ice, a salt pan; or water. This project's own figure.
BARE_VH_DB = -23.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """One caution.

    Attributes:
        rule: what raises it.
        limits: where it fails.
    """

    rule: str
    limits: str


CAUTIONS = {
    "foreshortened_or_partly_blind": Caution(
        rule=f"over {PARTLY_BLIND:.0%} of the window in layover or shadow",
        limits="needs the terrain bands; only active layover and shadow are known",
    ),
    "missing_pixels": Caution(rule=f"under {FEW_PIXELS:.0%} of the window has data", limits="none"),
    "flat": Caution(rule=f"median slope under {FLAT_DEG:g} degrees", limits="needs the slope"),
    "near_water": Caution(
        rule=f"over {WATER_SHARE:.0%} of the window is dark and level as calm water is, or the coast runs through it",
        limits="wind-roughened water is missed, smooth sand taken for water; the coast is good to 1 km",
    ),
    "snow_possible": Caution(
        rule=f"over {SNOW_SHARE:.0%} of the window changed by 3 dB one way, as under wet snow or when it is gone",
        limits="dry snow is not seen; floods and very large slides look the same",
    ),
    "arid_possible": Caution(
        rule=f"mean VH before the earthquake under {BARE_VH_DB:g} dB: next to no plants",
        limits="ice and rock are bare too; dry steppe may be brighter; needs VH",
    ),
}
NOT_JUDGED = {"landslides much smaller than a window": "the radar's pixels are too coarse (Nava et al. 2026, 5.2)"}


def unjudged_cautions(composite: Composite) -> dict[str, str]:
    """Return what nothing here can tell of a composite, each with why."""
    lacking = {"arid_possible": "the composite has no VH"} if composite.polarisation is Polarisation.VV else {}
    return lacking | NOT_JUDGED


def cautions(judgement: Judgement, boxes: list[BaseGeometry]) -> list[list[str]]:
    """Return for each detection the words of `CAUTIONS` that hold, in their order.

    Args:
        judgement: whose detections.
        boxes: of the detections, lon/lat.
    """
    cells = judgement.cells
    row, col = judgement.detections.T
    dry: NDArray[np.bool_] = wholly_on_land(boxes)
    with np.errstate(invalid="ignore"):  # what is unknown raises no caution
        holds = {
            "foreshortened_or_partly_blind": cells.blind_fraction[row, col] > PARTLY_BLIND,
            "missing_pixels": cells.valid_fraction[row, col] < FEW_PIXELS,
            "flat": cells.slope_deg[row, col] < FLAT_DEG,
            "near_water": (cells.water_fraction[row, col] > WATER_SHARE) | ~dry,
            "snow_possible": cells.snow_fraction[row, col] > SNOW_SHARE,
            "arid_possible": cells.pre_vh_db[row, col] < BARE_VH_DB,
        }
    return [[word for word in CAUTIONS if holds[word][place]] for place in range(len(boxes))]
