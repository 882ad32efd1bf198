"""What the detector needs of the outside world, in memory: a model that scores by the mean change, pixels from an array, plain products."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names
from quakeslide.domain.composite import Composite, Shard
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.lattice import Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from quakeslide.errors import ModelMissing, ModelUnavailable
from quakeslide.messages import Rescan, ShardWritten
from quakeslide.ports import File, WindowScores
from quakeslide.usecases.run import Detector
from tests.fakes import MemoryBus, MemoryStore

T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
LATTICE = Lattice(crs="EPSG:32653", origin_x=320000.0, origin_y=4160000.0)


def composite_of(
    height: int = 544,
    width: int = 608,
    *,
    shard_px: int = 256,
    track: str = "A069",
    stage: str = "60-12",
    post: tuple[str, ...] = ("COPERNICUS/S1_GRD/POST1",),
) -> Composite:
    """A composite whose AOI leaves out its outermost windows."""
    return Composite(
        event_id="us6000m0xl",
        track=Track.parse(track),
        stage=Stage.parse(stage),
        polarisation=Polarisation.VV_VH,
        pre_scenes=("COPERNICUS/S1_GRD/PRE1", "COPERNICUS/S1_GRD/PRE2"),
        post_scenes=post,
        lattice=LATTICE,
        rectangle=Rectangle(row=0, col=0, height=height, width=width),
        shard_px=shard_px,
        t0=T0,
        post_start=T0,
        aoi=to_lonlat(box_on_ground(LATTICE, 40, 40, height - 80, width - 80), LATTICE.crs),
        aoi_source="manual",
        weak_pre=False,
        place="2024 Noto Peninsula, Japan Earthquake",
        data_notice="SIMULATED",
    )


def image_of(composite: Composite, seed: int = 1) -> NDArray[np.float32]:
    """All bands, float32 [H, W, bands]: speckle, a dozen bright changes, layover and a corner without a pass."""
    rng = np.random.default_rng(seed)
    height, width = composite.rectangle.height, composite.rectangle.width
    bands = {"postVV": rng.normal(-11, 2, (height, width)), "postVH": rng.normal(-18, 2, (height, width))}
    bands |= {name: rng.normal(0, 1, (height, width)) for name in ("diffVV", "diffVH")}
    for row, col in zip(rng.integers(0, height - 30, 12), rng.integers(0, width - 30, 12), strict=True):
        bands["diffVV"][row : row + 30, col : col + 30] += 8
    bands["geometry"] = (rng.random((height, width)) < 0.1).astype(float)
    bands |= {"slope": rng.uniform(0, 50, (height, width)), "localIncidence": rng.uniform(20, 50, (height, width))}
    bands |= {"nPre": np.full((height, width), 5.0), "nPost": np.ones((height, width))}
    corner = np.s_[: height // 4, : width // 4]
    for name in ("postVV", "postVH", "diffVV", "diffVH"):
        bands[name][corner] = np.nan
    bands["nPost"][corner] = 0
    return np.stack([bands[name] for name in composite.bands], axis=2).astype(np.float32)


def card_of(name: str, version: int = 1) -> ModelCard:
    return ModelCard(
        name=name,
        version=version,
        bands=("postVV", "postVH", "diffVV", "diffVH"),
        fill_db={"postVV": -11.0, "postVH": -18.0, "diffVV": 0.0, "diffVH": 0.0},
        pixel_geometry="utm_10m",
        threshold=0.6,
        platt=None,
        variant="paper",
        sha256=f"{version:02d}" * 32,
        data_notice="demo model",
    )


@dataclass
class MeanChangeModel:
    """Scores sigmoid of the mean of the third band (diffVV), missing taken as 0, window by window.

    Attributes:
        versions: served version by name.
        fails: names what to raise at the next calls.
        calls: shape of every tile scored.
    """

    versions: dict[str, int]
    fails: list[Exception] = field(default_factory=list)
    calls: list[tuple[int, ...]] = field(default_factory=list)

    def served_version(self, name: str) -> int:
        if name not in self.versions:
            raise ModelMissing(f"model {name} is not served")
        return self.versions[name]

    def score(self, tile: NDArray[np.float32], wanted: NDArray[np.bool_], *, name: str, version: int) -> WindowScores:
        if self.fails:
            raise self.fails.pop()
        if self.versions[name] != version:
            raise ModelUnavailable(f"{name} {version} is not served any more")
        self.calls.append(tile.shape)
        missing = np.isnan(tile).any(axis=2)
        change = np.where(missing, 0.0, tile[..., 2]).astype(np.float64)
        rows, cols = (tile.shape[0] - 64) // 32 + 1, (tile.shape[1] - 64) // 32 + 1
        scores, valid = np.empty((rows, cols), np.float32), np.empty((rows, cols), np.float32)
        for row in range(rows):
            for col in range(cols):
                window = np.s_[32 * row : 32 * row + 64, 32 * col : 32 * col + 64]
                scores[row, col] = 1 / (1 + np.exp(-2 * np.ascontiguousarray(change[window]).ravel().sum() / 4096))
                valid[row, col] = 1 - missing[window].sum() / 4096
        return WindowScores(scores=scores, valid_fraction=valid)


class Cards:
    """Every model has a card."""

    def card(self, name: str, version: int) -> ModelCard:
        return card_of(name, version)


@dataclass
class ArrayPixels:
    """Pixels of whole composites by track and stage.

    Attributes:
        images: float32 [H, W, all bands] by (track, stage).
        reads: every box read.
    """

    images: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    reads: list[tuple[int, int, int, int]] = field(default_factory=list)

    def read(
        self, composite: Composite, generations: Mapping[str, int], box: tuple[int, int, int, int], bands: Iterable[str]
    ) -> NDArray[np.float32]:
        row, col, height, width = box
        touched = {
            shard.name
            for shard in composite.shards()
            if shard.row < row + height and row < shard.row + shard.height
            if shard.col < col + width and col < shard.col + shard.width
        }
        assert touched <= set(generations), "a cell was read before its shards were there"
        self.reads.append(box)
        indexes = [composite.bands.index(band) for band in bands]
        image = self.images[str(composite.track), str(composite.stage)]
        return image[row : row + height, col : col + width, indexes].copy()


class PlainRenderer:
    """Products as plain JSON: every number of the judgement is in them."""

    def support(self, judgement: Judgement) -> Mapping[str, File]:
        empty = {"type": "FeatureCollection", "features": []}
        return {
            "score.tif": File(data=judgement.cells.scores.tobytes(), content_type="image/tiff"),
            "blind.geojson": File(data=json.dumps(empty).encode(), content_type="application/geo+json"),
            "affected.geojson": File(data=json.dumps(empty).encode(), content_type="application/geo+json"),
            "quicklook.png": File(data=judgement.cells.blocks.tobytes(), content_type="image/png"),
        }

    def page(self, title: str, layers: Sequence[Mapping[str, Any]], status: Mapping[str, Any], notice: str) -> bytes:
        return json.dumps([title, layers, status, notice], sort_keys=True, default=bytes.hex).encode()


@dataclass
class World:
    """A detector with everything around it in memory."""

    model: MeanChangeModel = field(
        default_factory=lambda: MeanChangeModel(
            versions={"vv_vh_ascending_60_12": 1, "vv_vh_descending_60_12": 1, "vv_vh_ascending_60_24": 1}
        )
    )
    composites: MemoryStore = field(default_factory=MemoryStore)
    state: MemoryStore = field(default_factory=MemoryStore)
    results: MemoryStore = field(default_factory=MemoryStore)
    bus: MemoryBus = field(default_factory=MemoryBus)
    pixels: ArrayPixels = field(default_factory=ArrayPixels)

    @property
    def detector(self) -> Detector:
        return Detector(
            composites=self.composites,
            state=self.state,
            results=self.results,
            bus=self.bus,
            model=self.model,
            cards=Cards(),
            pixels=self.pixels,
            renderer=PlainRenderer(),
        )

    def plan(self, composite: Composite, *, seed: int = 1) -> None:
        """Write the manifest, as the exporter does before it exports."""
        name = object_names.manifest(composite.event_id, composite.track, composite.stage, composite.composite_id)
        self.composites.create(name, write_manifest(composite), "application/json")
        self.pixels.images[str(composite.track), str(composite.stage)] = image_of(composite, seed)

    def finish(self, composite: Composite) -> None:
        """Write the marker of the final composite."""
        name = object_names.final_marker(composite.event_id, composite.track, composite.stage, composite.composite_id)
        self.composites.create(name, b"{}", "application/json")

    def write(self, shard: Shard, composite: Composite) -> ShardWritten:
        """Write a shard, as Earth Engine does, and return its notification."""
        standing = self.composites.read(shard.name)
        self.composites.replace(shard.name, b"tif", "image/tiff", standing.generation if standing else 0)
        written = self.composites.read(shard.name)
        assert written is not None
        return ShardWritten(
            name=shard.name,
            generation=written.generation,
            event_id=composite.event_id,
            track=composite.track,
            stage=composite.stage,
            composite_id=composite.composite_id,
        )

    def products(self) -> dict[str, bytes]:
        return {name: stored.data for name, stored in self.results.objects.items()}


def rescan_of(composite: Composite, nonce: str | None = None) -> Rescan:
    return Rescan(
        event_id=composite.event_id,
        track=composite.track,
        stage=composite.stage,
        composite_id=composite.composite_id,
        force_nonce=nonce,
    )
