"""Earth Engine's batch export as a CompositeExporter."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import ee

from quakeslide.adapters.earth_engine.archive import described, scene_of
from quakeslide.adapters.earth_engine.expression import Stacks, composite_image, grid, incidence_angle
from quakeslide.adapters.earth_engine.session import status_of, translated
from quakeslide.adapters.earth_engine.terrain import height_tiles, look_direction
from quakeslide.domain.composite import MISSING, Composite
from quakeslide.domain.sentinel1 import data_takes, joined_tracks
from quakeslide.errors import EarthEngineUnavailable
from quakeslide.ports import Export, ExportState

BLOCK_PX = 256  # side of the tiles in which Earth Engine computes; shard sides are multiples of it
LOOK_SCALES_M = (1000, 100)  # Vollrath et al. use 1000 m; an area too small for it is looked at more finely
STATES = {
    "PENDING": ExportState.PENDING,
    "RUNNING": ExportState.RUNNING,
    "CANCELLING": ExportState.RUNNING,
    "SUCCEEDED": ExportState.SUCCEEDED,
    "FAILED": ExportState.FAILED,
    "CANCELLED": ExportState.CANCELLED,
}


def seconds_between(start: str | None, end: str | None) -> float:
    """Return the seconds between two RFC 3339 instants, 0 where one is not known yet."""
    if start is None or end is None:
        return 0.0
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


class EarthEngineExporter:
    """Starts and follows exports; `connect` must have been called.

    Args:
        bucket: the composites bucket.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def start(self, composite: Composite, request_id: str) -> str:
        """Start the export, or find the one this request id started; return the operation's name.

        Raises:
            ExportQueueFull: later.
            EarthEngineUnavailable: no answer; safe to repeat with the same request id.
            ExportFailed: Earth Engine refuses the request, or a scene is gone.
        """
        with translated(f"exporting {composite.path}"):
            stacks, has_angle = self._stacks(composite)
            azimuth = self._look_azimuth(composite, stacks) if has_angle and self._has_heights(composite) else None
            request = self._request(composite, composite_image(composite, stacks, azimuth))
            try:
                return str(ee.data.exportImage(request_id, request)["name"])
            except ee.EEException as error:
                if "request_id" not in str(error):
                    raise
                started = self._started(request["description"])  # the id was used already: find what it started
                if started is None:
                    raise
                return started

    def follow(self, operation: str) -> Export:
        """Return how the operation stands; one that the server does not know is UNKNOWN.

        Raises:
            EarthEngineUnavailable: no answer.
        """
        with translated(f"following {operation}", refusal=EarthEngineUnavailable):
            try:
                body = ee.data.getOperation(operation)
            except ee.EEException as error:
                if status_of(error) != 404:
                    raise
                return Export(operation=operation, state=ExportState.UNKNOWN, message=str(error))
        facts = body.get("metadata", {})
        return Export(
            operation=operation,
            state=STATES.get(facts.get("state"), ExportState.UNKNOWN),
            message=body.get("error", {}).get("message", ""),
            eecu_s=float(facts.get("batchEecuUsageSeconds", 0.0)),
            ran_s=seconds_between(facts.get("startTime"), facts.get("endTime")),
        )

    def _stacks(self, composite: Composite) -> tuple[Stacks, bool]:
        """Group the composite's scenes into data-takes by their own metadata; say whether all have the band `angle`."""
        wanted = [*composite.pre_scenes, *composite.post_scenes]
        images = [ee.Image(scene) for scene in wanted]
        facts = [described(image).set("bands", image.bandNames()) for image in images]
        features = ee.FeatureCollection(facts).getInfo()["features"]
        found = joined_tracks([scene_of(feature) for feature in features])
        scenes = dict(zip(wanted, found, strict=True))

        def takes(ids: Sequence[str]) -> list[list[str]]:
            return [[scene.scene_id for scene in take] for take in data_takes(scenes[scene_id] for scene_id in ids)]

        has_angle = all("angle" in feature["properties"]["bands"] for feature in features)
        return Stacks(pre=takes(composite.pre_scenes), post=takes(composite.post_scenes)), has_angle

    def _has_heights(self, composite: Composite) -> bool:
        try:
            return int(height_tiles(composite).size().getInfo()) > 0
        except ee.EEException as error:
            if status_of(error) != 404:
                raise
            return False

    def _look_azimuth(self, composite: Composite, stacks: Stacks) -> float | None:
        """Return the direction towards the sensor in degrees clockwise from grid north, or None where the angle does not tell."""
        for scale in LOOK_SCALES_M:
            mean = look_direction(composite, incidence_angle(stacks), scale).getInfo()
            if mean.get("north") is not None and mean.get("east") is not None:
                return math.degrees(math.atan2(mean["east"], mean["north"])) % 360
        return None

    def _request(self, composite: Composite, image: Any) -> dict[str, Any]:
        """Return the ExportImageRequest, but for the request id and with the expression as an object of the client."""
        size = composite.rectangle
        tiff: dict[str, Any] = {"tileSize": {"value": BLOCK_PX}, "noData": {"floatValue": MISSING}}
        if size.height > composite.shard_px or size.width > composite.shard_px:
            tiff["tileDimensions"] = {"width": composite.shard_px, "height": composite.shard_px}
        return {
            "expression": image,
            "description": f"quakeslide-{composite.path.replace('/', '-')}",
            "grid": grid(composite),
            "maxPixels": {"value": str(size.height * size.width)},
            "fileExportOptions": {
                "fileFormat": "GEO_TIFF",
                "cloudStorageDestination": {"bucket": self._bucket, "filenamePrefix": composite.prefix},
                "geoTiffOptions": tiff,
            },
        }

    def _started(self, description: str) -> str | None:
        """Return the newest operation of that description that may still succeed or did."""
        alive = ("PENDING", "RUNNING", "SUCCEEDED")
        for operation in ee.data.listOperations():
            metadata = operation.get("metadata", {})
            if metadata.get("description") == description and metadata.get("state") in alive:
                return str(operation["name"])
        return None
