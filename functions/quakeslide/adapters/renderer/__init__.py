"""What people and GIS programs open, made of a judgement: raster, areas, picture, catalogue item, map page."""

from collections.abc import Mapping, Sequence
from typing import Any

from quakeslide.adapters.renderer.areas import affected_geojson, blind_geojson
from quakeslide.adapters.renderer.map_page import map_page
from quakeslide.adapters.renderer.picture import quicklook
from quakeslide.adapters.renderer.score_raster import score_raster
from quakeslide.adapters.renderer.stac import COG, GEOJSON, item
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.rfc7946 import dumps
from quakeslide.ports import File


class ProductRenderer:
    """Implements `ports.Renderer`; the same arguments give the same bytes."""

    def support(self, judgement: Judgement) -> Mapping[str, File]:
        """Return the files of `support/` by name."""
        return {
            "score.tif": File(data=score_raster(judgement), content_type=COG),
            "blind.geojson": File(data=dumps(blind_geojson(judgement)), content_type=GEOJSON),
            "affected.geojson": File(data=dumps(affected_geojson(judgement)), content_type=GEOJSON),
            "quicklook.png": File(data=quicklook(judgement), content_type="image/png"),
            "item.json": File(data=dumps(item(judgement)), content_type=GEOJSON),
        }

    def page(self, title: str, layers: Sequence[Mapping[str, Any]], status: Mapping[str, Any], notice: str) -> bytes:
        """Return the event's map page."""
        return map_page(title, layers, status, notice)
