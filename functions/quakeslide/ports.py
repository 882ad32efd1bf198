"""What the use cases ask of the outside world. `tests/fakes.py` implements each; adapters do it for real."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.composite import Composite
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.sentinel1 import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as read: its bytes and the generation a swap must name."""

    data: bytes
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object as listed; `generation` rises with every write."""

    name: str
    generation: int
    size: int


class ObjectStore(Protocol):
    """One bucket. All methods raise StoreUnavailable when a retry may help or the bucket is not there."""

    def read(self, name: str) -> Stored | None:
        """Return the object, or None where there is none."""
        ...

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        """Write the object if there is none (`if_generation_match=0`); return False where one exists."""
        ...

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        """Write the object if it still has this generation (0: none exists); return False where it has not."""
        ...

    def delete(self, name: str, generation: int | None = None) -> None:
        """Delete the object, or only this generation of it; one that is not there, or has another one, is no error."""
        ...

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects under a prefix in name order."""
        ...

    def open(self, name: str, generation: int) -> BinaryIO:
        """Open one generation of an object for random reading, without copying it whole.

        Nothing is asked before the first read, so a missing object or a silent store shows there, as the store's own exception; the
        reader of composites turns each into StoreUnavailable.
        """
        ...


class Bus(Protocol):
    """Pub/Sub. Raises BusUnavailable."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Publish to the topic of that short name (a key of `topology.json`) and return once the service has it."""
        ...

    def publish_all(self, topic: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        """Publish small messages, data and attributes of each, in this order; after an error some of them may be out."""
        ...


class SceneArchive(Protocol):
    """Sentinel-1 GRD, IW mode, as Earth Engine lists it. Raises EarthEngineUnavailable."""

    def scenes(self, area: BaseGeometry, start: datetime, end: datetime) -> Sequence[Scene]:
        """Return every ingested scene with start <= acquisition < end that touches the area (lon/lat)."""
        ...

    def watermark(self, now: datetime) -> datetime:
        """Return the acquisition time of the newest IW scene in the whole collection."""
        ...


class ExportState(StrEnum):
    """Where an export stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An Earth Engine operation as followed.

    Attributes:
        operation, state: its name and where it stands.
        message: Earth Engine's own text on failure.
        eecu_s: EECU seconds used so far.
        ran_s: how long it has run, in seconds.
    """

    operation: str
    state: ExportState
    message: str = ""
    eecu_s: float = 0.0
    ran_s: float = 0.0


class CompositeExporter(Protocol):
    """Earth Engine's batch export. Raises ExportQueueFull, EarthEngineUnavailable or ExportFailed (refused at once)."""

    def start(self, composite: Composite, request_id: str) -> str:
        """Start the export, or find the one this request id started; return the operation's name."""
        ...

    def follow(self, operation: str) -> Export:
        """Return how the operation stands; an operation the server does not know is UNKNOWN."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScores:
    """Scores of a tile's windows.

    Attributes:
        scores: float32 [rows, cols], the model's output in [0, 1]; anything where the window was not wanted.
        valid_fraction: float32 [rows, cols], share of the window's pixels that are not missing.
    """

    scores: NDArray[np.float32]
    valid_fraction: NDArray[np.float32]


class LandslideModel(Protocol):
    """The model server. Raises ModelUnavailable (a retry may help) or ModelMissing."""

    def served_version(self, name: str) -> int:
        """Return the version that answers now."""
        ...

    def score(self, tile: NDArray[np.float32], wanted: NDArray[np.bool_], *, name: str, version: int) -> WindowScores:
        """Score the wanted lattice windows (bool [rows, cols]) of a tile: float32 [H, W, C], dB, NaN is missing."""
        ...


class ModelCards(Protocol):
    """Where model cards lie. Raises ModelMissing or UnusableModelCard."""

    def card(self, name: str, version: int) -> ModelCard:
        """Return the card of one served version."""
        ...


class CompositePixels(Protocol):
    """Reads a composite's shards. Raises UnusableComposite, LyingManifest or StoreUnavailable."""

    def read(
        self, composite: Composite, generations: Mapping[str, int], box: tuple[int, int, int, int], bands: Iterable[str]
    ) -> NDArray[np.float32]:
        """Return float32 [height, width, bands] of the box (row, col, height, width), missing as NaN.

        Args:
            composite: as its manifest says.
            generations: generation of every shard that the box touches, by object name.
            box: half-open pixel box from the composite's corner.
            bands: names, in the order wanted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a product: bytes and media type."""

    data: bytes
    content_type: str


class Renderer(Protocol):
    """Makes what people and GIS programs open. Pure: the same arguments give the same bytes."""

    def support(self, judgement: Judgement) -> Mapping[str, File]:
        """Return the files of `support/` by file name: score.tif, blind.geojson, affected.geojson, quicklook.png, item.json."""
        ...

    def page(self, title: str, layers: Sequence[Mapping[str, Any]], status: Mapping[str, Any], notice: str) -> bytes:
        """Return the event's map page, one self-contained HTML file.

        Args:
            title: the earthquake in words.
            layers: one per track's representative stage and one for the fused summary: `{"name", "detections", "blind", "affected",
                "quicklook"}` with GeoJSON objects and PNG bytes, and `"href"` where the file of detections lies elsewhere than in the
                results bucket; the summary has only `name` and `detections`.
            status: the event's `status/` document.
            notice: data notices, empty where there are none.
        """
        ...
