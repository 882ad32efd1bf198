"""Names of everything stored: outputs are named by what they are about, so a repeated message meets its own result.

`state`, `composites` and `results` below are buckets. Ids are validated here before they touch a path.
"""

import re

from quakeslide.domain.sentinel1 import Stage, Track

EVENT_ID = re.compile(r"[a-z][a-z0-9_]{2,40}")
HEX_ID = re.compile(r"[0-9a-f]{12}")
SERIES = re.compile(r"(w[1-9]\d{0,2})?(g[1-9]\d{0,2})?")  # see `watch.Series`


def series_numbers(series: str) -> tuple[int, int]:
    """Return the numbers of the later time and of the growth, 0 for the first.

    Raises:
        ValueError: the text is no series.
    """
    match = SERIES.fullmatch(series)
    if match is None:
        raise ValueError(f"{series!r} is no series; they are spelled like g1, w1 or w1g1")
    later, growth = match.groups()
    return int((later or "w0")[1:]), int((growth or "g0")[1:])


def checked_event_id(text: str) -> str:
    """Return the id unchanged.

    Raises:
        ValueError: it is no event id (`[a-z][a-z0-9_]{2,40}`).
    """
    if not isinstance(text, str) or not EVENT_ID.fullmatch(text):
        raise ValueError(f"{text!r} is no event id; ids look like us6000m0xl (a-z, 0-9 and _, 3 to 41 characters)")
    return text


# state bucket
def earthquake(event_id: str) -> str:
    """Ledger entry of an earthquake."""
    return f"earthquakes/{checked_event_id(event_id)}.json"


def alias(other_id: str) -> str:
    """Which canonical event an id belongs to."""
    return f"aliases/{checked_event_id(other_id)}.json"


def watch(event_id: str, *, is_open: bool = True) -> str:
    """The watch of an event."""
    return f"watches/{'open' if is_open else 'closed'}/{checked_event_id(event_id)}.json"


WATCH_DAYS = "watch-days/"


def watch_day(event_id: str, day: str) -> str:
    """Empty object by which a watch is found by the day of its t0, spelled 2024-01-01; another day is another object."""
    return f"{WATCH_DAYS}{day}/{checked_event_id(event_id)}"


def outbox(intent_id: str) -> str:
    """An intent written before it is acted on."""
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,200}", intent_id):
        raise ValueError(f"{intent_id!r} is no outbox id")
    return f"outbox/{intent_id}.json"


def event_budget(event_id: str) -> str:
    """What the exports of an event cost."""
    return f"budget/events/{checked_event_id(event_id)}.json"


def day_budget(day: str) -> str:
    """What the exports of a day cost; the day is spelled 2024-01-01."""
    return f"budget/days/{day}.json"


def measured_budget() -> str:
    """What finished exports used, to estimate the next ones by."""
    return "budget/measured.json"


def problem(event_id: str, track: str, stage: str, code: str, problem_id: str) -> str:
    """A permanent error, written once; track and stage are `-` where the error is about the whole event."""
    return f"problems/{checked_event_id(event_id)}/{track}/{stage}/{code}-{problem_id}.json"


def cell(composite_id: str, run_id: str, i: int, j: int) -> str:
    """Scores of one cell."""
    return f"cells/{composite_id}/{run_id}/{i}-{j}.npz"


# composites bucket
def manifest(event_id: str, track: Track, stage: Stage, composite_id: str) -> str:
    """The manifest of a composite."""
    return f"manifests/{checked_event_id(event_id)}/{track}/{stage}/{composite_id}.json"


def final_marker(event_id: str, track: Track, stage: Stage, composite_id: str) -> str:
    """Write-once marker: this composite is the stage's final one."""
    return f"manifests/{checked_event_id(event_id)}/{track}/{stage}/{composite_id}.final.json"


SHARD = re.compile(
    r"shards/(?P<event_id>[a-z][a-z0-9_]{2,40})/(?P<track>[AD]\d{3})/(?P<stage>\d{1,3}-\d{1,3})/(?P<composite_id>[0-9a-f]{12})"
    r"/composite(?:-\d{10}-\d{10})?\.tif"
)


# results bucket
def detections(event_id: str, track: Track, stage: Stage, run_id: str, finality: str) -> str:
    """The notified GeoJSON; finality is `provisional` or `final`."""
    return f"detections/{checked_event_id(event_id)}/{track}/{stage}/{run_id}-{finality}.geojson"


def support(event_id: str, track: Track, stage: Stage, run_id: str, finality: str, file: str) -> str:
    """A file beside the detections."""
    return f"support/{checked_event_id(event_id)}/{track}/{stage}/{run_id}-{finality}/{file}"


def latest(event_id: str, track: Track, stage: Stage, series: str = "") -> str:
    """Pointer to the newest products of a track's stage; a series other than the first has one of its own."""
    return f"latest/{checked_event_id(event_id)}/{track}/{stage}{'-' if series else ''}{series}.json"


def status(event_id: str) -> str:
    """Every track and stage in plain words."""
    return f"status/{checked_event_id(event_id)}.json"


def summary(event_id: str) -> str:
    """Tracks fused."""
    return f"summary/{checked_event_id(event_id)}.geojson"


def page(event_id: str) -> str:
    """The map page."""
    return f"pages/{checked_event_id(event_id)}/index.html"
