"""The eleven earthquakes of Nava et al. 2026, Table 1, as data: `events.json` beside this module.

Times and epicentres are those of the USGS catalogue (ComCat); `inventory` is the paper's reference, from whose authors the polygons
come. The paper gives no study areas: `radius_km` about the epicentre is ours, wide enough to hold each inventory's bulk; with the
inventory at hand its own extent is used.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from training.patches.store import UnusableDataset
from training.sources.configuration import EVENT_NAME, read_configuration

FILE = Path(__file__).with_name("events.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOfPaper:
    """One row of Table 1.

    Attributes:
        name: as in a patch set; `sumatra` and `haiti` may only be scored.
        event_id: of ComCat.
        pre_end: end of the pre-event window, the origin time.
        post_start: start of the post-event window; later than `pre_end` where later shocks moved slopes too (Lombok), and
            where a storm did (Haiti: from 17 August, caption of Fig. 4).
        lon, lat: of the epicentre, degrees.
        magnitude: moment magnitude of the table.
        landslides: count of the table.
        polarisation: of the table: `vv` where VH is not available.
        radius_km: see the module's description.
        inventory: who mapped it.
    """

    name: str
    event_id: str
    pre_end: datetime
    post_start: datetime
    lon: float
    lat: float
    magnitude: float
    landslides: int
    polarisation: Literal["vv", "vv_vh"]
    radius_km: float
    inventory: str


_NUMBER: dict[str, Any] = {"type": "number"}
SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields(EventOfPaper)],
        "properties": {
            "name": {**EVENT_NAME, "pattern": "^[a-z][a-z0-9_]{2,39}$"},
            "event_id": {"type": "string"},
            "pre_end": {"type": "string"},
            "post_start": {"type": "string"},
            "lon": {**_NUMBER, "minimum": -180, "maximum": 180},
            "lat": {**_NUMBER, "minimum": -90, "maximum": 90},
            "magnitude": _NUMBER,
            "landslides": {"type": "integer", "minimum": 0},
            "polarisation": {"enum": ["vv", "vv_vh"]},
            "radius_km": {**_NUMBER, "exclusiveMinimum": 0},
            "inventory": {"type": "string"},
        },
    },
}


@cache
def paper_events() -> tuple[EventOfPaper, ...]:
    """Return the eleven events, oldest first."""
    return read_events(FILE)


def polarisation_of(event: str) -> Literal["vv", "vv_vh"] | None:
    """Return what Table 1 says of an event, by its name or ComCat id: `vv` counts without VH even where scenes have it (R10)."""
    return next((e.polarisation for e in paper_events() if event in (e.name, e.event_id)), None)


def read_events(path: Path) -> tuple[EventOfPaper, ...]:
    """Return the events of a file like `events.json`.

    Raises:
        UnusableDataset: it does not fit the schema.
    """
    events = []
    for values in read_configuration(path, SCHEMA):
        times = {name: datetime.fromisoformat(values[name]) for name in ("pre_end", "post_start")}
        if any(moment.tzinfo is None for moment in times.values()):
            raise UnusableDataset(
                f"{path}: {values['name']} has a time without an offset; write 2018-09-05T18:07:59+00:00"
            )
        events.append(EventOfPaper(**{**values, **times}))
    return tuple(events)
