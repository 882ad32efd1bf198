"""The export request: every field it may have, and what it means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from affine import Affine

from infra.local.earth_engine.errors import EarthEngineError, unsupported
from infra.local.earth_engine.graph import Expression, refuse_nan
from infra.local.earth_engine.grid import Grid, Projection, canonical

NUMBER = {"value": None}
SIZE = {"width": None, "height": None}
TRANSFORM = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
# ExportImageRequest of the REST API as far as it is supported; None marks a leaf
FIELDS: Mapping[str, Any] = {
    "expression": None,
    "description": None,
    "fileExportOptions": {
        "fileFormat": None,
        "cloudStorageDestination": {"bucket": None, "filenamePrefix": None},
        "geoTiffOptions": {
            "cloudOptimized": None,
            "skipEmptyFiles": None,
            "tileDimensions": SIZE,
            "tileSize": NUMBER,
            "noData": {"floatValue": None, "integerValue": None},
        },
    },
    "grid": {"dimensions": SIZE, "affineTransform": dict.fromkeys(TRANSFORM), "crsCode": None},
    "maxPixels": NUMBER,
    "maxWorkers": NUMBER,
    "priority": NUMBER,
    "requestId": None,
    "workloadTag": None,
}
UNSUPPORTED = {"assetExportOptions", "driveDestination", "permissions", "bucketCorsUris", "metadataKeys"}
DEFAULT_MAX_PIXELS = 10**8


def check_fields(body: Any, fields: Mapping[str, Any], where: str) -> None:
    """Refuse a field that is not in the table.

    Raises:
        EarthEngineError: naming it.
    """
    if not isinstance(body, dict):
        raise EarthEngineError(f"Invalid JSON payload received. An object is needed at '{where}'.")
    for name, value in body.items():
        if name in UNSUPPORTED:
            raise unsupported(f"the field '{name}' at '{where}'")
        if name not in fields:
            raise EarthEngineError(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
            )
        if fields[name] is not None:
            check_fields(value, fields[name], f"{where}.{name}")


def _integer(value: Any, where: str, least: int = 1) -> int:
    # Int64Value travels as a string
    text = str(value)
    if not re.fullmatch(r"-?\d+", text) or int(text) < least:
        raise EarthEngineError(
            f"Invalid value at '{where}': a whole number of at least {least} is needed; got {value!r}."
        )
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """A checked request for one image in Cloud Storage.

    Attributes:
        expression: the image.
        description: the task's name.
        bucket: where the files go.
        prefix: their common name.
        file_size: pixels of one file (width, height); None writes a single one.
        tile_size: pixels of a GeoTIFF tile's side.
        no_data: the GeoTIFF's nodata tag; it changes no pixel.
        skip_empty: leave out files without a valid pixel.
        cloud_optimized: write overviews.
        grid: exact output pixels, None to take the image's own.
        max_pixels: the export fails beyond.
        request_id: key against starting twice, or None.
    """

    expression: Expression
    description: str
    bucket: str
    prefix: str
    file_size: tuple[int, int] | None
    tile_size: int
    no_data: float | None
    skip_empty: bool
    cloud_optimized: bool
    grid: Grid | None
    max_pixels: int
    request_id: str | None


def parse_export(body: Any) -> ExportRequest:
    """Read the body of `image:export`.

    Raises:
        EarthEngineError: a field is unknown, missing or wrong, or the expression is refused.
    """
    check_fields(body, FIELDS, "export_image_request")
    refuse_nan(body, "export_image_request")
    options = body.get("fileExportOptions", {})
    destination = options.get("cloudStorageDestination", {})
    if options.get("fileFormat") != "GEO_TIFF":
        raise unsupported(f"fileFormat {options.get('fileFormat')!r}; only GEO_TIFF")
    for name in ("bucket", "filenamePrefix"):
        if not isinstance(destination.get(name), str) or not destination[name]:
            raise EarthEngineError(f"Invalid value at 'cloud_storage_destination.{name}': it must not be empty.")
    request_id = body.get("requestId")
    if request_id is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,60}", request_id):
        raise EarthEngineError(f"Invalid requestId '{request_id}': at most 60 characters of a-z, A-Z, 0-9 and -.")
    tiff = options.get("geoTiffOptions", {})
    tile_size = _integer(tiff.get("tileSize", {}).get("value", 256), "tileSize")
    if tile_size % 16:
        raise EarthEngineError(f"Invalid value at 'tileSize': a multiple of 16 is needed; got {tile_size}.")
    return ExportRequest(
        expression=Expression(body.get("expression")),
        description=body.get("description", "myExportImageTask"),
        bucket=destination["bucket"],
        prefix=destination["filenamePrefix"],
        file_size=_file_size(tiff.get("tileDimensions"), tile_size),
        tile_size=tile_size,
        no_data=_no_data(tiff.get("noData")),
        skip_empty=bool(tiff.get("skipEmptyFiles", False)),
        cloud_optimized=bool(tiff.get("cloudOptimized", False)),
        grid=_grid(body.get("grid")),
        max_pixels=_integer(body.get("maxPixels", {}).get("value", DEFAULT_MAX_PIXELS), "maxPixels"),
        request_id=request_id,
    )


def _file_size(dimensions: Any, tile_size: int) -> tuple[int, int] | None:
    if dimensions is None:
        return None
    width, height = (_integer(dimensions.get(name), f"tileDimensions.{name}") for name in SIZE)
    if width % tile_size or height % tile_size:
        raise EarthEngineError(f"fileDimensions must be a multiple of shardSize ({tile_size}); got {width} x {height}.")
    return width, height


def _no_data(number: Any) -> float | None:
    if number is None:
        return None
    if len(number) != 1:
        raise EarthEngineError("Invalid value at 'noData': one of floatValue and integerValue is needed.")
    return float(next(iter(number.values())))


def _grid(grid: Any) -> Grid | None:
    if grid is None:
        return None
    if set(grid) != {"dimensions", "affineTransform", "crsCode"}:
        raise unsupported("a grid without all of dimensions, affineTransform and crsCode")
    width, height = (_integer(grid["dimensions"].get(name), f"grid.dimensions.{name}") for name in SIZE)
    transform = Affine(*(float(grid["affineTransform"].get(name, 0)) for name in TRANSFORM))
    if transform.is_degenerate:
        raise EarthEngineError("Invalid value at 'grid.affineTransform': it has no inverse.")
    return Grid(Projection(canonical(grid["crsCode"]), transform), width, height)
