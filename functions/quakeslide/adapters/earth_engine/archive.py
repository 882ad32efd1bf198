"""COPERNICUS/S1_GRD as a SceneArchive: sigma0 in dB, terrain-corrected, not terrain-flattened."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ee
import shapely
from shapely.affinity import translate
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from quakeslide.adapters.earth_engine.session import translated
from quakeslide.domain.lattice import unwrapped
from quakeslide.domain.sentinel1 import OrbitPass, Scene, Track
from quakeslide.errors import EarthEngineUnavailable

S1_GRD = "COPERNICUS/S1_GRD"
PROPERTIES = (
    "system:index",
    "system:time_start",
    "orbitProperties_pass",
    "relativeOrbitNumber_start",
    "platform_number",
    "transmitterReceiverPolarisation",
)
RECENT = timedelta(days=30)  # in which the whole mission certainly took a scene


class EarthEngineScenes:
    """Lists scenes; `connect` must have been called."""

    def scenes(self, area: BaseGeometry, start: datetime, end: datetime) -> Sequence[Scene]:
        """Return every ingested IW scene of 10 m with start <= acquisition < end that touches the area.

        Raises:
            EarthEngineUnavailable: no answer, or none that can be understood.
        """
        with translated("listing scenes", refusal=EarthEngineUnavailable):
            found = (
                interferometric_wide(start, end)
                .filter(ee.Filter.eq("resolution_meters", 10))
                .filterBounds(planar(bounding_boxes(area)))
                .map(described)
                .getInfo()
            )
        scenes = [scene_of(feature) for feature in found["features"]]
        near = [scene for scene in scenes if scene.footprint.intersects(area)]
        return sorted(near, key=lambda scene: (scene.start, scene.scene_id))

    def watermark(self, now: datetime) -> datetime:
        """Return the acquisition time of the newest IW scene anywhere, or a month ago where there is none since.

        Raises:
            EarthEngineUnavailable: no answer.
        """
        with translated("asking for the newest scene", refusal=EarthEngineUnavailable):
            newest = interferometric_wide(now - RECENT, now).aggregate_max("system:time_start").getInfo()
        return now - RECENT if newest is None else instant(newest)


def interferometric_wide(start: datetime, end: datetime) -> Any:
    """Return the collection's IW scenes with start <= acquisition < end."""
    return (
        ee.ImageCollection(S1_GRD)
        .filter(ee.Filter.eq("instrumentMode", "IW"))
        .filterDate(milliseconds(start), milliseconds(end))
    )


def described(image: Any) -> Any:
    """Return a feature with the properties we need and the footprint as geometry; runs in Earth Engine."""
    image = ee.Image(image)
    return ee.Feature(image.geometry(), {name: image.get(name) for name in PROPERTIES})


def scene_of(feature: Mapping[str, Any]) -> Scene:
    """Read what `described` made.

    Raises:
        EarthEngineUnavailable: a property is missing or not as Earth Engine documents it.
    """
    properties = feature["properties"]
    try:
        return Scene(
            scene_id=f"{S1_GRD}/{properties['system:index']}",
            track=Track(
                orbit_pass=OrbitPass(properties["orbitProperties_pass"]),
                relative_orbit=int(properties["relativeOrbitNumber_start"]),
            ),
            start=instant(properties["system:time_start"]),
            platform=properties["platform_number"],
            polarisations=tuple(properties["transmitterReceiverPolarisation"]),
            footprint=ground(feature["geometry"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        index = properties.get("system:index")
        raise EarthEngineUnavailable(f"scene {index!r}: property {error} is missing or impossible") from error


def ground(geojson: Mapping[str, Any]) -> BaseGeometry:
    """Return a footprint as a polygon; Earth Engine gives a ring or a polygon."""
    outline = shape(dict(geojson))
    polygon = Polygon(outline.coords) if outline.geom_type in ("LinearRing", "LineString") else outline
    one_piece = (
        unwrapped(polygon) if polygon.geom_type == "Polygon" else polygon
    )  # a ring from 179 to -179 goes the short way
    return within_the_globe(shapely.make_valid(one_piece))


def bounding_boxes(area: BaseGeometry) -> BaseGeometry:
    """Return the box about an area, as two where it reaches over the antimeridian: one box would go around the globe."""
    return within_the_globe(shapely.box(*unwrapped(area).bounds))


def within_the_globe(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry whose longitudes may exceed 180 degrees as one within them, cut at the antimeridian."""
    _, _, east, _ = geometry.bounds
    if east <= 180.0:
        return geometry
    beyond = shapely.intersection(geometry, shapely.box(180, -90, 540, 90))
    parts = [shapely.intersection(geometry, shapely.box(-180, -90, 180, 90)), translate(beyond, xoff=-360)]
    return shapely.union_all([part for part in parts if not part.is_empty])


def planar(geometry: BaseGeometry) -> Any:
    """Return a lon/lat polygon for Earth Engine, its edges straight in lon/lat."""
    return ee.Geometry(mapping(geometry), opt_geodesic=False)


def milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970, Earth Engine's time."""
    return round(moment.timestamp() * 1000)


def instant(millis: float) -> datetime:
    """Return Earth Engine's time as an aware instant."""
    return datetime.fromtimestamp(millis / 1000, UTC)
