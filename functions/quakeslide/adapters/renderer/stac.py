"""`item.json`: a STAC 1.1 Item (stacspec.org) beside the other support files, so that catalogues can list the product.

Links are relative, so the folder may be copied as it is.
"""

from datetime import timedelta
from typing import Any

import pystac

from quakeslide import __version__
from quakeslide.domain import object_names
from quakeslide.domain.composite import MODEL_BANDS
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.report import collection_members, lonlat_aoi
from quakeslide.domain.rfc7946 import bbox_of

EXTENSIONS = [
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/sar/v1.0.0/schema.json",
    "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
]
UP_TO_BUCKET = "../" * 5  # from support/{event}/{track}/{stage}/{run}-{finality}/
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOJSON = "application/geo+json"


def item(judgement: Judgement) -> dict[str, Any]:
    """Return the Item; its time is that of the post-event stack, its geometry the AOI."""
    composite = judgement.composite
    members = collection_members(judgement)
    footprint = lonlat_aoi(judgement)
    end = composite.post_start + timedelta(days=composite.stage.post_days)
    made = pystac.Item(
        id=f"{composite.event_id}-{composite.track}-{composite.stage}-{judgement.run_id}-{judgement.finality}",
        geometry=pystac_geometry(footprint),
        bbox=bbox_of(footprint),
        datetime=composite.post_start,
        start_datetime=composite.post_start,
        end_datetime=end,
        stac_extensions=EXTENSIONS,
        properties={
            "title": members["title"],
            "description": " ".join(
                filter(None, [members["automatic_unverified"], members["data_notice"], members["model_notice"]])
            ),
            "platform": "sentinel-1",
            "constellation": "sentinel-1",
            "instruments": ["c-sar"],
            "sat:orbit_state": composite.track.orbit_pass.value.lower(),
            "sat:relative_orbit": composite.track.relative_orbit,
            "sar:instrument_mode": "IW",
            "sar:frequency_band": "C",
            "sar:polarizations": ["VV", "VH"] if len(MODEL_BANDS[composite.polarisation]) > 2 else ["VV"],
            "sar:product_type": "GRD",
            "proj:code": composite.lattice.crs,
            "processing:software": {"quakeslide": __version__},
            **{f"quakeslide:{name}": members[name] for name in QUAKESLIDE_PROPERTIES},
        },
    )
    for key, asset in _assets(judgement).items():
        made.add_asset(key, asset)
    document: dict[str, Any] = made.to_dict(include_self_link=False, transform_hrefs=False)
    return document


QUAKESLIDE_PROPERTIES = (
    "event_id", "outcome", "counts", "seen_fraction_of_aoi", "automatic_unverified", "data_notice", "model_notice", "stage",
    "finality", "weak_pre", "stack_mismatch", "model", "threshold", "composite_id", "run_id",
)  # fmt: skip


def pystac_geometry(geometry: Any) -> dict[str, Any]:
    """Return a shapely geometry as a GeoJSON object."""
    mapped: dict[str, Any] = dict(geometry.__geo_interface__)
    return mapped


def _assets(judgement: Judgement) -> dict[str, pystac.Asset]:
    composite = judgement.composite
    detections = object_names.detections(
        composite.event_id, composite.track, composite.stage, judgement.run_id, judgement.finality
    )
    files = {
        "detections": (UP_TO_BUCKET + detections, GEOJSON, "data", "Detections after non-maximum suppression"),
        "score": ("score.tif", COG, "data", "Score of every judged window"),
        "affected": ("affected.geojson", GEOJSON, "data", "Union of candidate windows"),
        "blind": ("blind.geojson", GEOJSON, "metadata", "Parts of the area that could not be judged"),
        "quicklook": ("quicklook.png", pystac.MediaType.PNG, "overview", "Picture"),
    }
    return {
        key: pystac.Asset(href=href, media_type=media_type, roles=[role], title=title)
        for key, (href, media_type, role, title) in files.items()
    }
