"""Results of `value:compute` as the client receives them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.local.earth_engine.algorithms.geometry import geojson
from infra.local.earth_engine.errors import EarthEngineError, unsupported
from infra.local.earth_engine.grid import Projection
from infra.local.earth_engine.pixel_types import PixelType
from infra.local.earth_engine.promotion import geometry_of
from infra.local.earth_engine.values import Band, Collection, Date, DateRange, Feature, Geometry, Image

LARGEST_COLLECTION = 5000  # elements, as the real service


def encode(value: Any) -> Any:
    """A value as JSON.

    Raises:
        EarthEngineError: it cannot be sent: a function, a filter, NaN, a collection too large.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise EarthEngineError(f"The result holds {value}, which is not legal JSON.")
        return value
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, Image):
        return _image(value)
    if isinstance(value, Feature):
        geometry = geojson(value.geometry) if value.geometry else None
        return {"type": "Feature", "geometry": geometry, "properties": encode(dict(value.properties))}
    if isinstance(value, Collection):
        return _collection(value)
    if isinstance(value, Geometry):
        return geojson(value)
    if isinstance(value, Date):
        return {"type": "Date", "value": int(value.millis)}
    if isinstance(value, DateRange):
        return {"type": "DateRange", "dates": [int(value.start), int(value.end)]}
    if isinstance(value, Projection):
        return {"type": "Projection", "crs": value.crs, "transform": _transform(value)}
    raise unsupported(f"sending a {type(value).__name__} to the client")


def _transform(projection: Projection) -> list[float]:
    t = projection.transform
    return [t.a, t.b, t.c, t.d, t.e, t.f]


def _collection(collection: Collection) -> dict[str, Any]:
    if len(collection.items) > LARGEST_COLLECTION:
        raise EarthEngineError(f"Collection query aborted after accumulating over {LARGEST_COLLECTION} elements.")
    images = any(isinstance(item, Image) for item in collection.items)
    kind = "ImageCollection" if images else "FeatureCollection"
    return {
        "type": kind,
        "features": [encode(item) for item in collection.items],
        "properties": encode(dict(collection.properties)),
    }


def _type(kind: PixelType) -> dict[str, Any]:
    bounds = {} if kind.low is None else {"min": kind.low, "max": kind.high}
    return {"type": "PixelType", "precision": kind.precision, **bounds}


def _band(name: str, band: Band) -> dict[str, Any]:
    dimensions = {"dimensions": list(band.size)} if band.size else {}
    return {
        "id": name,
        "data_type": _type(band.type),
        **dimensions,
        "crs": band.projection.crs,
        "crs_transform": _transform(band.projection),
    }


def _image(image: Image) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "Image", "bands": [_band(n, b) for n, b in image.bands.items()]}
    if image.asset:
        described |= {"id": image.asset[0], "version": image.asset[1]}
    if image.properties:
        described["properties"] = encode(dict(image.properties))
    return described


def asset(image: Image) -> dict[str, Any]:
    """An archive image as `assets.get` describes it."""
    if image.asset is None:
        raise unsupported("describing a computed image as an asset")

    def stamp(millis: Any) -> str:
        instant = datetime.fromtimestamp(float(millis) / 1000, UTC)
        return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    geometry = geometry_of(image)
    properties = dict(image.properties)
    times = {
        field: stamp(properties[name])
        for field, name in (("startTime", "system:time_start"), ("endTime", "system:time_end"))
        if name in properties
    }
    return {
        "type": "IMAGE",
        "name": f"projects/earthengine-public/assets/{image.asset[0]}",
        "id": image.asset[0],
        "updateTime": stamp(image.asset[1] / 1000),
        **times,
        "geometry": geojson(geometry) if geometry else None,
        "bands": [_asset_band(name, band) for name, band in image.bands.items()],
        "properties": encode({k: v for k, v in properties.items() if not k.startswith("system:")}),
    }


def _asset_band(name: str, band: Band) -> dict[str, Any]:
    t = band.projection.transform
    return {
        "id": name,
        "dataType": {"precision": band.type.precision.upper()},
        "grid": {
            "crsCode": band.projection.crs,
            "affineTransform": {
                "scaleX": t.a,
                "shearX": t.b,
                "translateX": t.c,
                "shearY": t.d,
                "scaleY": t.e,
                "translateY": t.f,
            },
            **({"dimensions": {"width": band.size[0], "height": band.size[1]}} if band.size else {}),
        },
    }
