"""The model card as JSON, written by training beside the weights and served models: `{name}/{version}/card.json`."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from quakeslide.domain.composite import MODEL_BANDS
from quakeslide.domain.lattice import WINDOW_PX
from quakeslide.domain.model_card import FULL_PRECISION, ModelCard
from quakeslide.domain.sentinel1 import Polarisation, Stage
from quakeslide.domain.terrain import Backscatter
from quakeslide.errors import UnusableModelCard

NAME = re.compile(r"(vv_vh|vv)_(ascending|descending)_(\d{1,3})_(\d{1,3})")
PRECISIONS = (FULL_PRECISION, "bfloat16")
SHA256 = re.compile(r"[0-9a-f]{64}")


def read_card(data: bytes, where: str) -> ModelCard:
    """Read a card and hold it against itself; unknown fields are ignored.

    Args:
        data: the JSON.
        where: it lies, for the error.

    Raises:
        UnusableModelCard: not JSON, a field is missing, or one is impossible or contradicts another; the text names it.
    """
    try:
        body = json.loads(data)
        if not isinstance(body, dict):
            raise ValueError("no JSON object")
        return _card(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise UnusableModelCard(f"{where}: {reason}") from error


def _card(body: Mapping[str, Any]) -> ModelCard:
    name = NAME.fullmatch(body["name"])
    _demand(name is not None, "name", body["name"], "a name such as vv_vh_ascending_60_12")
    assert name is not None
    Stage(pre_days=int(name[3]), post_days=int(name[4]))
    bands = tuple(body["bands"])
    _demand(sorted(bands) == sorted(MODEL_BANDS[Polarisation(name[1])]), "bands", bands, f"the bands of {name[1]}")
    units = body["units"]
    _demand(units in ("dB", "db"), "units", units, "dB")
    _demand(body["window_px"] == WINDOW_PX, "window_px", body["window_px"], f"{WINDOW_PX}")
    version = body["version"]
    _demand(isinstance(version, int) and version > 0, "version", version, "a whole number above 0")
    geometry = body["pixel_geometry"]
    _demand(geometry in ("utm_10m", "epsg4326_10m"), "pixel_geometry", geometry, "utm_10m or epsg4326_10m")
    fill = body["fill_db"]
    fill_db = dict(zip(bands, fill, strict=True)) if isinstance(fill, list) else dict(fill)
    _demand(set(fill_db) == set(bands), "fill_db", fill, "one value for each band")
    _demand(all(_is_finite(value) for value in fill_db.values()), "fill_db", fill, "finite numbers in dB")
    threshold = body["threshold"]
    _demand(_is_finite(threshold) and 0 < threshold < 1, "threshold", threshold, "a number between 0 and 1")
    _demand(SHA256.fullmatch(body["sha256"]) is not None, "sha256", body["sha256"], "64 hex digits")
    _demand(body["variant"] in ("published", "paper"), "variant", body["variant"], "published or paper")
    _demand(isinstance(body["data_notice"], str), "data_notice", body["data_notice"], "a sentence, perhaps empty")
    precision = body.get("precision", FULL_PRECISION)
    _demand(precision in PRECISIONS, "precision", precision, " or ".join(PRECISIONS))
    return ModelCard(
        name=body["name"],
        version=version,
        bands=bands,
        fill_db={band: float(value) for band, value in fill_db.items()},
        pixel_geometry=geometry,
        threshold=float(threshold),
        platt=_platt(body.get("calibration")),
        variant=body["variant"],
        sha256=body["sha256"],
        data_notice=body["data_notice"],
        backscatter=Backscatter(body.get("backscatter", "sigma0")),
        precision=precision,
    )


def _platt(calibration: Any) -> tuple[float, float] | None:
    if calibration is None:
        return None
    _demand(calibration["method"] == "platt", "calibration.method", calibration["method"], "platt")
    for key in ("a", "b"):
        _demand(_is_finite(calibration[key]), f"calibration.{key}", calibration[key], "a finite number")
    # with a slope of 0 or less a higher score would be a lower probability
    _demand(calibration["a"] > 0, "calibration.a", calibration["a"], "greater than 0")
    return float(calibration["a"]), float(calibration["b"])


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _demand(holds: bool, field: str, value: Any, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{field} is {value!r}, but must be {wanted}")
