"""The manifest: a composite as JSON in `composites/manifests/`, written before its export starts, never changed."""

import json

from shapely.geometry import mapping

from quakeslide.documents.version import Body, Kind
from quakeslide.domain.composite import MISSING, Composite
from quakeslide.domain.lattice import Lattice, Rectangle
from quakeslide.domain.object_names import checked_event_id
from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Stage, Track
from quakeslide.domain.terrain import PLAIN, Backscatter, Terrain
from quakeslide.errors import DamagedDocument, LyingManifest
from quakeslide.json_values import area, instant

PLAIN_TERRAIN = {"backscatter": PLAIN.backscatter.value, "mask_buffer_m": PLAIN.mask_buffer_m}


def with_terrain(body: Body) -> Body:
    """The first release knew no treatment of terrain."""
    return body | {"terrain": PLAIN_TERRAIN}


MANIFEST = Kind(name="a manifest", version=2, migrations={1: with_terrain})


def write_manifest(composite: Composite) -> bytes:
    """Return the manifest's bytes, the same for the same composite; no wall-clock time is in it."""
    document = {
        "event_id": composite.event_id,
        "place": composite.place,
        "t0": composite.t0.isoformat(),
        "post_start": composite.post_start.isoformat(),
        "composite_id": composite.composite_id,
        "track": str(composite.track),
        "orbit_pass": composite.track.orbit_pass.value,
        "stage": str(composite.stage),
        "polarisation": composite.polarisation.value,
        "bands": list(composite.bands),
        "missing": MISSING,
        "pre_scenes": list(composite.pre_scenes),
        "post_scenes": list(composite.post_scenes),
        "weak_pre": composite.weak_pre,
        "lattice": {
            "crs": composite.lattice.crs,
            "origin_x": composite.lattice.origin_x,
            "origin_y": composite.lattice.origin_y,
            "pixel": composite.lattice.pixel,
        },
        "rectangle": {
            "row": composite.rectangle.row,
            "col": composite.rectangle.col,
            "height": composite.rectangle.height,
            "width": composite.rectangle.width,
        },
        "shard_px": composite.shard_px,
        "shards": [shard.name for shard in composite.shards()],
        "aoi": mapping(composite.aoi),
        "aoi_source": composite.aoi_source,
        "data_notice": composite.data_notice,
        "series": composite.series,
        "terrain": {
            "backscatter": composite.terrain.backscatter.value,
            "mask_buffer_m": composite.terrain.mask_buffer_m,
        },
    }
    return json.dumps(MANIFEST.stamped(document), sort_keys=True, indent=1, allow_nan=False).encode()


def read_manifest(data: bytes, name: str) -> Composite:
    """Read a manifest and hold it against itself.

    Args:
        data: the object's bytes.
        name: of the object, for the error.

    Raises:
        NewerDocument: a later release wrote it.
        LyingManifest: not JSON, a field is missing or impossible, or its id, bands or shard names do not follow from the rest.
    """
    try:
        body = MANIFEST.read(data, name)
        composite = Composite(
            event_id=checked_event_id(body["event_id"]),
            track=Track.parse(body["track"]),
            stage=Stage.parse(body["stage"]),
            polarisation=Polarisation(body["polarisation"]),
            pre_scenes=tuple(body["pre_scenes"]),
            post_scenes=tuple(body["post_scenes"]),
            lattice=Lattice(**body["lattice"]),
            rectangle=Rectangle(**body["rectangle"]),
            shard_px=int(body["shard_px"]),
            t0=instant(body["t0"]),
            post_start=instant(body["post_start"]),
            aoi=area(body["aoi"]),
            aoi_source=body["aoi_source"],
            weak_pre=body["weak_pre"],
            place=body["place"],
            data_notice=body["data_notice"],
            series=body["series"],
            terrain=_terrain(body["terrain"]),
        )
        claims = {
            "composite_id": (body["composite_id"], composite.composite_id),
            "orbit_pass": (OrbitPass(body["orbit_pass"]), composite.track.orbit_pass),
            "bands": (body["bands"], list(composite.bands)),
            "missing": (body["missing"], MISSING),
        }
        shards = body["shards"]
    except DamagedDocument as error:
        raise LyingManifest(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise LyingManifest(f"{name}: {reason}") from error
    for field, (said, follows) in claims.items():
        if said != follows:
            raise LyingManifest(f"{name}: {field} is {said!r}, but the rest of the manifest gives {follows!r}")
    expected = [shard.name for shard in composite.shards()]  # only now: a rectangle that lies may have billions
    if shards != expected:
        raise LyingManifest(f"{name}: shards is {shards!r}, but the rest of the manifest gives {expected!r}")
    return composite


def _terrain(body: Body) -> Terrain:
    buffer = body["mask_buffer_m"]
    if not isinstance(buffer, int) or isinstance(buffer, bool):
        raise TypeError(f"mask_buffer_m is {buffer!r}, but must be a whole number")
    return Terrain(backscatter=Backscatter(body["backscatter"]), mask_buffer_m=buffer)
