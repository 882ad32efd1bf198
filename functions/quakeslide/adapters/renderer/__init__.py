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

    def support(self, judgement: Judgement, edges: Mapping[str, Judgement] | None = None) -> Mapping[str, File]:
        """Return the files of `support/` by name.

        Args:
            judgement: of the composite.
            edges: by name, judgements of the strips flush with a foreign raster's edge: areas and picture show them too, and each has
                a raster of its own, `score-NAME.tif`, for its windows lie off the lattice.
        """
        strips = dict(edges or {})
        areas = {"blind.geojson": blind_geojson, "affected.geojson": affected_geojson}
        return {
            "score.tif": File(data=score_raster(judgement), content_type=COG),
            **{f"score-{name}.tif": File(data=score_raster(strip), content_type=COG) for name, strip in strips.items()},
            **{
                name: File(data=dumps(make(judgement, list(strips.values()))), content_type=GEOJSON)
                for name, make in areas.items()
            },
            "quicklook.png": File(data=quicklook(judgement, list(strips.values())), content_type="image/png"),
            "item.json": File(data=dumps(item(judgement)), content_type=GEOJSON),
        }

    def page(self, title: str, layers: Sequence[Mapping[str, Any]], status: Mapping[str, Any], notice: str) -> bytes:
        """Return the event's map page."""
        return map_page(title, layers, status, notice)
