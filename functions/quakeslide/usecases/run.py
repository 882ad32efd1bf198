"""A run: one composite judged by one version of a model, and the ports that judging needs."""

from dataclasses import dataclass

from quakeslide.documents.manifest import read_manifest
from quakeslide.domain import object_names
from quakeslide.domain.composite import Cell, Composite, digest
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX
from quakeslide.domain.model_card import ModelCard, ladder
from quakeslide.domain.suppression import OVERLAP_MAX
from quakeslide.domain.windows import LEAST_SLOPE_DEG, STEEP_SHARE_MIN, VALID_FRACTION_MIN
from quakeslide.errors import LostRace, LyingManifest, ModelMissing, UnusableModelCard
from quakeslide.messages import Rescan, ShardWritten
from quakeslide.ports import Bus, CompositePixels, LandslideModel, ModelCards, ObjectStore, Renderer
from quakeslide.telemetry import say

CELL_VERSION = 2  # rises whenever a stored cell holds something else


@dataclass(frozen=True, slots=True)
class Detector:
    """The outside world of `detect_landslides`.

    Attributes:
        composites, state, results: buckets.
        bus: for a rescan that goes on in another invocation.
        model, cards: the model server and what is known of its models.
        pixels: reads shards.
        renderer: makes pictures, rasters and pages.
    """

    composites: ObjectStore
    state: ObjectStore
    results: ObjectStore
    bus: Bus
    model: LandslideModel
    cards: ModelCards
    pixels: CompositePixels
    renderer: Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One composite, one model version, one set of settings, and with `force` one nonce; the id is made of all that."""

    composite: Composite
    card: ModelCard
    run_id: str

    def cell_name(self, cell: Cell) -> str:
        """Return where the cell is stored in the state bucket."""
        return object_names.cell(self.composite.composite_id, self.run_id, cell.i, cell.j)

    def missing_cells(self, state: ObjectStore) -> list[Cell]:
        """Return the cells that are not stored yet, in order; cells of other runs do not count."""
        prefix = self.cell_name(Cell(i=0, j=0, window_row=0, window_col=0, window_rows=1, window_cols=1))
        stored = {listed.name for listed in state.list(prefix.rsplit("/", 1)[0] + "/")}
        return [cell for cell in self.composite.cells() if self.cell_name(cell) not in stored]


def start_run(message: ShardWritten | Rescan, detector: Detector) -> Run:
    """Find out what a message is about and which model judges it.

    Raises:
        LostRace: there is no manifest; the exporter writes it before the export starts, so waiting ends at the dead letter.
        LyingManifest: it is another composite's, or contradicts itself.
        ModelMissing, UnusableModelCard, ModelUnavailable: no model can judge it.
    """
    composite = read_composite(message, detector.composites)
    card = choose_model(composite, detector.model, detector.cards)
    return Run(composite=composite, card=card, run_id=run_id(composite, card, getattr(message, "force_nonce", None)))


def read_composite(message: ShardWritten | Rescan, composites: ObjectStore) -> Composite:
    """Read the manifest that a message is about; see `start_run`."""
    name = object_names.manifest(message.event_id, message.track, message.stage, message.composite_id)
    stored = composites.read(name)
    if stored is None:
        raise LostRace(f"{name} is not there; a manifest is written before its export starts")
    composite = read_manifest(stored.data, name)
    said = (composite.event_id, composite.track, composite.stage, composite.composite_id)
    if said != (message.event_id, message.track, message.stage, message.composite_id):
        raise LyingManifest(f"{name} is about {composite.path}")
    return composite


def choose_model(composite: Composite, model: LandslideModel, cards: ModelCards) -> ModelCard:
    """Return the card of the first served model of the ladder (see `domain.model_card`); the products say which and why.

    Raises:
        ModelMissing: none of the ladder is served, or the served one has no card.
        UnusableModelCard: its bands are not the composite's.
        ModelUnavailable: the server does not say.
    """
    reasons = []
    for name in ladder(composite):
        try:
            version = model.served_version(name)
        except ModelMissing as error:
            reasons.append(str(error))
            continue
        card = cards.card(name, version)
        if strange := set(card.bands) - set(composite.bands):
            raise UnusableModelCard(
                f"model {name} version {version} wants {sorted(strange)}, not bands of {composite.path}"
            )
        if reasons:
            say("another model stands in", model=name, wanted=ladder(composite)[0], reasons="; ".join(reasons))
        return card
    raise ModelMissing(f"no model for {composite.path}: " + "; ".join(reasons))


def run_id(
    composite: Composite, card: ModelCard, force_nonce: str | None, least_slope_deg: float = LEAST_SLOPE_DEG
) -> str:
    """Name a run by everything that decides its result and its cells.

    The event and the shard size are in no composite id: two events may share scenes and lattice, and cells are cut along shards.
    """
    settings = {
        "window": WINDOW_PX,
        "stride": STRIDE_PX,
        "valid_fraction_min": VALID_FRACTION_MIN,
        "least_slope_deg": least_slope_deg,
        "steep_share_min": STEEP_SHARE_MIN,
        "threshold": card.threshold,
        "overlap_max": OVERLAP_MAX,
        "cell_version": CELL_VERSION,
        "event_id": composite.event_id,
        "shard_px": composite.shard_px,
    }
    return digest(composite.composite_id, card.name, card.version, card.identity, settings, force_nonce)
