"""Cuts the land mask of the library from Natural Earth's 1:10 m land polygons (public domain), once; the same bytes every time.

The polygons come as `land-10m.json` (TopoJSON) of the npm package world-atlas 2.0.2:

    npm pack world-atlas@2.0.2 && tar xf world-atlas-2.0.2.tgz
    build/envs/tests/bin/python -m infra.cut_land_mask package/land-10m.json functions/quakeslide/domain/land.wkb.gz

Simplified to 0.01 degrees (about 1 km), rounded to 0.0001 degrees and cut along a 10 degree grid, so that a look-up touches a tile and
not Eurasia. Islets under 0.0001 square degrees (about 1 km2) are dropped.
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely

TOLERANCE_DEG = 0.01
PRECISION_DEG = 1e-4
TILE_DEG = 10
LEAST_PART_DEG2 = 1e-4


def read_topology(topology: dict[str, Any]) -> list[shapely.Polygon]:
    """Return the polygons of a TopoJSON land object: https://github.com/topojson/topojson-specification, 2.1.3 and 2.1.4."""
    scale, translate = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in topology["arcs"]]

    def ring(numbers: list[int]) -> Any:
        points = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in numbers]
        return np.concatenate([points[0], *(p[1:] for p in points[1:])])

    whole = [
        shapely.Polygon(ring(outer), [ring(hole) for hole in holes])
        for geometry in topology["objects"]["land"]["geometries"]
        for outer, *holes in geometry["arcs"]
    ]
    return [part for polygon in whole for part in split(polygon)]


def split(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """Cut a polygon along the antimeridian; the package has it stitched there (Chukotka, Fiji, Antarctica about its pole)."""
    points = shapely.get_coordinates(polygon.exterior)
    if np.abs(np.diff(points[:, 0])).max() <= 180:
        return [polygon]
    points[:, 0] = np.unwrap(points[:, 0], period=360)
    first, last = points[0, 0], points[-1, 0]
    if abs(last - first) > 180:  # once around the earth: close it over the south pole
        points = np.vstack([points, [[last, -90.0], [first, -90.0]]])
    flat = shapely.make_valid(shapely.Polygon(points, list(polygon.interiors)))
    parts: list[shapely.Polygon] = []
    for turn in (-360, 0, 360):
        inside = shapely.intersection(flat, shapely.box(turn - 180, -90, turn + 180, 90))
        here = shapely.transform(inside, lambda xy, turn=turn: xy - (turn, 0))
        parts += [p for p in getattr(here, "geoms", [here]) if p.geom_type == "Polygon" and not p.is_empty]
    return parts


def cut(polygons: list[shapely.Polygon]) -> list[shapely.Polygon]:
    """Return the simplified polygons cut into tiles, tile by tile from the south-west."""
    simple = [shapely.make_valid(shapely.simplify(p, TOLERANCE_DEG)) for p in polygons]
    tree = shapely.STRtree(simple)
    parts: list[shapely.Polygon] = []
    for south in range(-90, 90, TILE_DEG):
        for west in range(-180, 180, TILE_DEG):
            tile = shapely.box(west, south, west + TILE_DEG, south + TILE_DEG)
            for index in sorted(tree.query(tile, predicate="intersects")):
                inside = shapely.set_precision(shapely.intersection(simple[index], tile), PRECISION_DEG)
                parts += [p for p in getattr(inside, "geoms", [inside]) if p.geom_type == "Polygon"]
    return [p for p in parts if p.area > LEAST_PART_DEG2]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Cut the land mask from Natural Earth's land polygons.")
    parser.add_argument("topology", type=Path)
    parser.add_argument("mask", type=Path)
    given = parser.parse_args()
    parts = cut(read_topology(json.loads(given.topology.read_text(encoding="utf-8"))))
    body = shapely.to_wkb(shapely.multipolygons(parts), byte_order=1)
    given.mask.write_bytes(gzip.compress(body, 9, mtime=0))
    print(f"{len(parts)} polygons, {given.mask.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
