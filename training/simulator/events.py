"""The simulated earthquakes: which ones a model may learn from, which ones it must never see, and the demo's.

The parameters follow the places of Nava et al. 2026, Table 1, loosely; nothing here is data of those places.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from training.simulator.geometry import OrbitPass

Role = Literal["train", "unseen", "demo", "practice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What kind of place an earthquake hits, and how.

    Attributes:
        name: lower case, unique.
        number: unique; with a scene's own seed it is the root of every random number, so no two events share a terrain.
        role: train, unseen (may only be scored), demo (in no data set at all) or practice (so easy that a test can learn it).
        latitude_deg: sets the look direction.
        relief_m, exponent: terrain, see `terrain.mountains`.
        forest, grass: shares of the cover of slopes, relative to each other.
        farm: share of flat land that is fields, a third of it.
        incidence_deg: from the ellipsoid at the centre, per pass.
        slides_per_km2: mean over the scene.
        area_mode_m2, area_exponent, area_max_m2: inverse-gamma areas, Malamud et al. 2004.
        stripped: range of the share of vegetation that a slide removes.
        focus_km: slides thin out with this distance from the centre; None = everywhere alike.
        moisture, season, logging, river: how much of each kind of other change, 1 = usual.
        season_phase: time of the year of the earthquake, 0-1.
    """

    name: str
    number: int
    role: Role
    latitude_deg: float = 0.0
    relief_m: float = 150.0
    exponent: float = 3.6
    forest: float = 0.7
    grass: float = 0.2
    farm: float = 0.1
    incidence_deg: dict[OrbitPass, float] = field(default_factory=lambda: {"ASCENDING": 38.0, "DESCENDING": 38.0})
    slides_per_km2: float = 2.0
    area_mode_m2: float = 1500.0
    area_exponent: float = 2.3
    area_max_m2: float = 2e5
    stripped: tuple[float, float] = (0.7, 1.0)
    focus_km: float | None = None
    moisture: float = 1.0
    season: float = 1.0
    season_phase: float = 0.0
    logging: float = 0.15
    river: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One viewing geometry of an archive: its first pass after the earthquake; the others follow every 12 days."""

    orbit_pass: OrbitPass
    relative_orbit: int
    first_post: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedEvent:
    """An event with a place in time, of which an archive can be written."""

    event: Event
    origin: datetime
    tracks: tuple[Track, ...]


def _incidence(ascending: float, descending: float) -> dict[OrbitPass, float]:
    return {"ASCENDING": ascending, "DESCENDING": descending}


def _registry(*events: Event) -> dict[str, Event]:
    """Refuse two events that share a name or a number: they would share terrain and slides."""
    if len({e.number for e in events}) != len(events) or len({e.name for e in events}) != len(events):
        raise ValueError("two simulated events share a name or a number")
    return {event.name: event for event in events}


EVENTS = _registry(
    Event(name="hokkaido", number=1, role="train", latitude_deg=42.7, relief_m=75, forest=0.85, grass=0.1,
          incidence_deg=_incidence(34, 39), slides_per_km2=4.5, area_mode_m2=1300, area_exponent=2.5, season=1.3,
          season_phase=0.68),
    Event(name="papua", number=2, role="train", latitude_deg=-6, relief_m=150, forest=0.95, grass=0.05,
          incidence_deg=_incidence(41, 33), slides_per_km2=1.3, area_mode_m2=2000, season=0.4, moisture=0.8),
    Event(name="lombok", number=3, role="train", latitude_deg=-8, relief_m=130, forest=0.6, grass=0.3,
          incidence_deg=_incidence(36, 43), slides_per_km2=1.8, season_phase=0.6),
    Event(name="mesetas", number=4, role="train", latitude_deg=3, relief_m=110, forest=0.6, grass=0.3, farm=0.2,
          incidence_deg=_incidence(39, 36), slides_per_km2=1.2, area_mode_m2=1600, season_phase=0.98),
    Event(name="milin", number=5, role="train", latitude_deg=29.6, relief_m=160, forest=0.55, grass=0.45,
          incidence_deg=_incidence(44, 38), slides_per_km2=0.7, area_mode_m2=3000, season=1.3, season_phase=0.88),
    Event(name="luding", number=6, role="train", latitude_deg=29.6, relief_m=150, forest=0.7, grass=0.25,
          incidence_deg=_incidence(33, 41), slides_per_km2=1.6, area_mode_m2=2000, season=1.1, season_phase=0.68),
    Event(name="sumatra", number=11, role="unseen", latitude_deg=0, relief_m=110, forest=0.9, grass=0.1,
          incidence_deg=_incidence(37, 40), slides_per_km2=1.0, area_mode_m2=2500, season=0.4, moisture=0.8, season_phase=0.15),
    Event(name="haiti", number=12, role="unseen", latitude_deg=18.4, relief_m=115, forest=0.3, grass=0.6, farm=0.3,
          incidence_deg=_incidence(42, 35), slides_per_km2=2.0, area_mode_m2=1400, moisture=1.2, season=1.2,
          stripped=(0.6, 1.0), season_phase=0.62),
    Event(name="practice", number=90, role="practice", relief_m=75, forest=0.98, grass=0.02, farm=0, slides_per_km2=1.6,
          area_mode_m2=20000, stripped=(0.9, 1.0), moisture=0, season=0.2, logging=0, river=0),
    Event(name="noto-2024", number=2024, role="demo", latitude_deg=37.4, relief_m=120, forest=0.85, grass=0.12,
          incidence_deg=_incidence(37, 40), slides_per_km2=2.2, area_mode_m2=1500, focus_km=5.0),
    Event(name="e2e", number=2025, role="demo", latitude_deg=37.4, relief_m=110, forest=0.9, grass=0.1,
          incidence_deg=_incidence(37, 40), slides_per_km2=3.0, area_mode_m2=2000, focus_km=2.0),
)  # fmt: skip

_NOTO_ORIGIN = datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)
_NOTO_TRACKS = (
    Track(orbit_pass="ASCENDING", relative_orbit=112, first_post=datetime(2024, 1, 4, 8, 42, 17, 310000, tzinfo=UTC)),
    Track(orbit_pass="DESCENDING", relative_orbit=46, first_post=datetime(2024, 1, 9, 20, 51, 3, 740000, tzinfo=UTC)),
)
ARCHIVED = {
    name: ArchivedEvent(event=EVENTS[name], origin=_NOTO_ORIGIN, tracks=_NOTO_TRACKS) for name in ("noto-2024", "e2e")
}


def events_for(role: Role) -> tuple[Event, ...]:
    """Return the events of one role, in the order of their numbers."""
    return tuple(sorted((e for e in EVENTS.values() if e.role == role), key=lambda e: e.number))
