"""The watch as JSON in `state/watches/{open|closed}/{event}.json`."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shapely.geometry import mapping, shape

from quakeslide.documents.version import Body, Kind
from quakeslide.domain.lattice import Lattice
from quakeslide.domain.orders import Order, Step, TrackStage
from quakeslide.domain.readiness import Readiness
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.domain.watch import Fate, Force, LaterTime, Shock, Standing, Watch


def _from_before_shocks_were_linked(body: Body) -> Body:
    """Number the later times, which were counted; what a person drew was asked for."""
    times = [
        {**time, "number": number, "shock": ""} for number, time in enumerate(body.get("later_times", ()), start=1)
    ]
    asked_at = body["told_at"] if body["aoi_source"] == "manual" else None
    return body | {"later_times": times, "linked_to": "", "asked_at": asked_at, "shocks": []}


WATCH = Kind(name="a watch", version=2, migrations={1: _from_before_shocks_were_linked})


def write_watch(watch: Watch) -> bytes:
    """Return the document's bytes, the same for the same watch."""
    lattice = watch.lattice
    document = {
        "revision": watch.revision,
        "event_id": watch.event_id,
        "t0": watch.t0.isoformat(),
        "place": watch.place,
        "magnitude": watch.magnitude,
        "aoi": mapping(watch.aoi),
        "aoi_source": watch.aoi_source,
        "post_start": _text(watch.post_start),
        "pre_end": _text(watch.pre_end),
        "tracks": None if watch.tracks is None else [str(track) for track in watch.tracks],
        "stages": None if watch.stages is None else [str(stage) for stage in watch.stages],
        "growths": [mapping(growth) for growth in watch.growths],
        "later_times": [
            {
                "number": t.number,
                "pre_end": t.pre_end.isoformat(),
                "post_start": t.post_start.isoformat(),
                "shock": t.shock,
            }
            for t in watch.later_times
        ],
        "lattice": lattice
        and {"crs": lattice.crs, "origin_x": lattice.origin_x, "origin_y": lattice.origin_y, "pixel": lattice.pixel},
        "standing": watch.standing.value,
        "reason": watch.reason,
        "linked_to": watch.linked_to,
        "asked_at": _text(watch.asked_at),
        "shocks": [
            {**asdict(s), "time": s.time.isoformat(), "told_at": s.told_at.isoformat(), "fate": s.fate.value}
            for s in watch.shocks
        ],
        "told_at": watch.told_at.isoformat(),
        "looked_at": _text(watch.looked_at),
        "messages": list(watch.messages),
        "notices": list(watch.notices),
        "forces": [{"nonce": f.nonce, "composite_ids": list(f.composite_ids)} for f in watch.forces],
        "track_stages": [_of_track_stage(item) for item in watch.track_stages],
    }
    return json.dumps(WATCH.stamped(document), sort_keys=True, indent=1, allow_nan=False).encode()


def read_watch(data: bytes, name: str = "the document") -> Watch:
    """Read what `write_watch` of this or an earlier release wrote.

    Args:
        data: the object's bytes.
        name: of the object, for the error.

    Raises:
        NewerDocument, DamagedDocument: see `Kind.read`.
    """
    body = WATCH.read(data, name)
    with WATCH.intact(name):
        return _watch(body)


def _watch(body: Body) -> Watch:
    return Watch(
        event_id=body["event_id"],
        t0=datetime.fromisoformat(body["t0"]),
        place=body["place"],
        magnitude=body["magnitude"],
        aoi=shape(body["aoi"]),
        aoi_source=body["aoi_source"],
        post_start=_instant(body["post_start"]),
        pre_end=_instant(body["pre_end"]),
        tracks=None if body["tracks"] is None else tuple(Track.parse(text) for text in body["tracks"]),
        stages=None if body["stages"] is None else tuple(Stage.parse(text) for text in body["stages"]),
        growths=tuple(shape(growth) for growth in body.get("growths", ())),
        later_times=tuple(
            LaterTime(
                number=t["number"],
                pre_end=datetime.fromisoformat(t["pre_end"]),
                post_start=datetime.fromisoformat(t["post_start"]),
                shock=t["shock"],
            )
            for t in body["later_times"]
        ),
        lattice=Lattice(**body["lattice"]) if body["lattice"] else None,
        standing=Standing(body["standing"]),
        reason=body["reason"],
        linked_to=body["linked_to"],
        asked_at=_instant(body["asked_at"]),
        shocks=tuple(_shock(shock) for shock in body["shocks"]),
        told_at=datetime.fromisoformat(body["told_at"]),
        looked_at=_instant(body["looked_at"]),
        revision=body["revision"],
        messages=tuple(body["messages"]),
        notices=tuple(body["notices"]),
        forces=tuple(Force(nonce=f["nonce"], composite_ids=tuple(f["composite_ids"])) for f in body["forces"]),
        track_stages=tuple(_track_stage(item) for item in body["track_stages"]),
    )


def _of_track_stage(item: TrackStage) -> dict[str, Any]:
    return {
        "track": str(item.track),
        "stage": str(item.stage),
        "series": item.series,
        "readiness": item.readiness.value,
        "coverage": item.coverage,
        "share": item.share,
        "n_pre": item.n_pre,
        "n_post": item.n_post,
        "post_until": item.post_until.isoformat(),
        "is_frozen": item.is_frozen,
        "orders": [
            {
                "composite_id": order.composite_id,
                "scenes": order.scenes,
                "is_final": order.is_final,
                "is_marked": order.is_marked,
                "step": order.step.value,
                "attempt": order.attempt,
                "attempts_allowed": order.attempts_allowed,
                "operation": order.operation,
                "driven_at": _text(order.driven_at),
                "redrives": order.redrives,
                "eecu_s": order.eecu_s,
                "export_s": order.export_s,
                "text": order.text,
            }
            for order in item.orders
        ],
    }


def _track_stage(body: dict[str, Any]) -> TrackStage:
    orders = (
        {**order, "step": Step(order["step"]), "driven_at": _instant(order["driven_at"])} for order in body["orders"]
    )
    return TrackStage(
        track=Track.parse(body["track"]),
        stage=Stage.parse(body["stage"]),
        series=body.get("series", ""),
        readiness=Readiness(body["readiness"]),
        coverage=body["coverage"],
        share=body["share"],
        n_pre=body["n_pre"],
        n_post=body["n_post"],
        post_until=datetime.fromisoformat(body["post_until"]),
        orders=tuple(Order(**order) for order in orders),
        is_frozen=body["is_frozen"],
    )


def _shock(body: dict[str, Any]) -> Shock:
    times = {name: datetime.fromisoformat(body[name]) for name in ("time", "told_at")}
    return Shock(**{**body, **times, "fate": Fate(body["fate"])})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
