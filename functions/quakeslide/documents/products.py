"""The products of an event's detail: which one of a kind counts, and what the ground-failure product says of landslides.

Format: https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson_detail.php.
"""

from collections.abc import Callable
from typing import Any

WITHDRAWN = ("DELETE", "CANCELLED")


def preferred(
    detail: dict[str, Any], kind: str, is_usable: Callable[[dict[str, Any]], bool] = lambda product: True
) -> dict[str, Any] | None:
    """Return the usable product of a kind with the greatest weight that was not withdrawn; the newest of equals.

    None where there is none, and where the products are not as documented.
    """
    try:
        products = detail["properties"]["products"].get(kind, [])
        usable = [p for p in products if p["status"].upper() not in WITHDRAWN and is_usable(p)]
        return max(
            usable, key=lambda p: (float(p.get("preferredWeight", 0)), float(p.get("updateTime", 0))), default=None
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def landslide_alert(detail: dict[str, Any]) -> str:
    """Return the colour of the preferred ground-failure product's landslide alert; empty where there is none.

    The graver of modelled hazard and exposed population (USGS ground-failure, Allstadt et al. 2022, Earthquake Spectra 38(1), 5-36).
    """
    product = preferred(detail, "ground-failure", lambda p: isinstance(p["properties"]["landslide-alert"], str))
    return product["properties"]["landslide-alert"].lower() if product else ""
