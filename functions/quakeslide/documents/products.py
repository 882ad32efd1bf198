"""The products of an event's detail: which one of a kind counts, and what the ground-failure product says of landslides.

Format: https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson_detail.php.
"""

import math
from collections.abc import Callable
from typing import Any

WITHDRAWN = ("DELETE", "CANCELLED")


def preferred(
    detail: dict[str, Any], kind: str, is_usable: Callable[[dict[str, Any]], bool] = lambda product: True
) -> dict[str, Any] | None:
    """Return the usable product of a kind with the greatest weight that was not withdrawn; the newest of equals.

    None where there is none. A product that is not as documented does not count; the others still do.
    """
    try:
        products = list(detail["properties"]["products"].get(kind, []))
    except (KeyError, TypeError, AttributeError):
        return None
    ranked = [(rank, product) for product in products if (rank := _rank(product, is_usable)) is not None]
    return max(ranked, key=lambda pair: pair[0], default=(None, None))[1]


def _rank(product: Any, is_usable: Callable[[dict[str, Any]], bool]) -> tuple[float, float] | None:
    """Return what a product is preferred by, None where it does not count."""
    try:
        if product["status"].upper() in WITHDRAWN or not is_usable(product):
            return None
        rank = float(product.get("preferredWeight", 0)), float(product.get("updateTime", 0))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return rank if all(map(math.isfinite, rank)) else None


def landslide_alert(detail: dict[str, Any]) -> str:
    """Return the colour of the preferred ground-failure product's landslide alert; empty where there is none.

    The graver of modelled hazard and exposed population (USGS ground-failure, Allstadt et al. 2022, Earthquake Spectra 38(1), 5-36).
    """
    product = preferred(detail, "ground-failure", lambda p: isinstance(p["properties"]["landslide-alert"], str))
    return product["properties"]["landslide-alert"].lower() if product else ""
