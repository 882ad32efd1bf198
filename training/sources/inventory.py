"""A landslide inventory: polygons in any format that geopandas reads, drawn onto the pixels of a composite."""

from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pyogrio.errors
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from training.patches.store import UnusableDataset


class Inventory:
    """Landslides of one event in the CRS of its composites.

    Args:
        path: shapefile, GeoPackage, GeoJSON, ...
        crs: of the composites.
        layer: of a file that has several; the first where None.

    Raises:
        UnusableDataset: unreadable, empty, without a CRS or with one that cannot be true, or not of polygons.
    """

    def __init__(self, path: Path, crs: str, *, layer: str | None = None) -> None:
        try:
            read = geopandas.read_file(path, **({} if layer is None else {"layer": layer}))
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise UnusableDataset(f"{path}: no inventory that can be read ({error})") from error
        if not isinstance(read, geopandas.GeoDataFrame):
            raise UnusableDataset(f"{path} holds a table without shapes")
        shapes = read.geometry[~(read.geometry.is_empty | read.geometry.isna())] if len(read) else read.geometry
        if not len(shapes):
            raise UnusableDataset(f"{path}: the inventory holds no landslide")
        if shapes.crs is None:
            raise UnusableDataset(
                f"{path} has no CRS; a shapefile needs its .prj file, other formats can be given one with ogr2ogr -a_srs"
            )
        if kinds := sorted(set(shapes.geom_type) - {"Polygon", "MultiPolygon"}):
            raise UnusableDataset(
                f"{path} holds {', '.join(kinds)}; areas are needed: points and lines do not say which pixels failed"
            )
        # what has no area, such as the spikes of a digitised line, would be drawn as a line of landslide
        valid = shapes.make_valid(method="structure", keep_collapsed=False).to_crs(crs)
        valid = valid[~valid.is_empty]
        if not len(valid):
            raise UnusableDataset(f"{path}: not one of its polygons has an area")
        if not np.isfinite(valid.total_bounds).all():
            raise UnusableDataset(
                f"{path}: its places do not exist in {pyproj.CRS(crs).name}; its own CRS, {shapes.crs.name}, is probably not the true one"
            )
        self._path, self._shapes = path, valid.to_numpy()
        self._tree = shapely.STRtree(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all landslides."""
        west, south, east, north = shapely.total_bounds(self._shapes)
        return float(west), float(south), float(east), float(north)

    @property
    def union(self) -> shapely.Geometry:
        """All areas as one."""
        return shapely.union_all(self._shapes)

    def within(self, box: tuple[float, float, float, float]) -> list[BaseGeometry]:
        """Return what lies in a box (west, south, east, north), cut at its edges."""
        frame = shapely.box(*box)
        return list(shapely.intersection(self._shapes[self._tree.query(frame, "intersects")], frame))

    def refuse_elsewhere(self, boxes: Sequence[tuple[float, float, float, float]]) -> None:
        """Refuse an inventory of which nothing lies where its event's composites do: every patch would be background.

        Args:
            boxes: west, south, east, north of the composites, in their CRS.

        Raises:
            UnusableDataset: nothing does.
        """
        if not any(len(self._tree.query(shapely.box(*box), "intersects")) for box in boxes):
            here, there = (
                [round(float(v), 4) for v in b]
                for b in (self.bounds, shapely.total_bounds(shapely.box(*np.transpose(boxes))))
            )
            raise UnusableDataset(
                f"{self._path}: nothing of it lies on the composites (it spans {here}, they span {there}); is its CRS the true one?"
            )

    def drawn(self, transform: Affine, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which pixels have their centre in a landslide, bool [H, W]."""
        height, width = shape
        west, north = transform @ (0, 0)
        east, south = transform @ (width, height)
        near = self._shapes[self._tree.query(shapely.box(west, south, east, north))]
        if not len(near):
            return np.zeros(shape, bool)
        return rasterize(near, out_shape=shape, transform=transform, default_value=1, dtype="uint8").astype(bool)
