"""A rescan: score the cells that are missing, whatever shard came last, and merge; and where messages of `composite-shards` go."""

from quakeslide.errors import MalformedMessage
from quakeslide.messages import Envelope, Message, Rescan, ShardWritten, encode
from quakeslide.telemetry import bind, say
from quakeslide.usecases.detect_cells import detect_cells, listed_shards, store_cell
from quakeslide.usecases.merge_detections import merge
from quakeslide.usecases.run import Detector, start_run

TOPIC = "composite-shards"
CELLS_AT_ONCE = 16  # a cell of 2048 px takes some 5 s; the function has 540 s


def detect(message: Message, envelope: Envelope, detector: Detector) -> None:
    """Handle one message of the topic `composite-shards`.

    Raises:
        MalformedMessage: it belongs to another topic.
        QuakeslideError: see `detect_cells` and `rescan`.
    """
    match message:
        case ShardWritten():
            detect_cells(message, detector)
        case Rescan():
            rescan(message, detector)
        case _:
            raise MalformedMessage(f"message {envelope.message_id}: {type(message).__name__} is not for {TOPIC}")


def rescan(message: Rescan, detector: Detector) -> None:
    """Score missing cells, at most 16 here and the rest in further invocations, then merge.

    Where shards are still missing nothing is scored: their own notifications will do it, and the merge finds a marker written meanwhile.

    Raises:
        QuakeslideError: see `start_run`, `store_cell` and `merge`.
    """
    bind(track=str(message.track), stage=str(message.stage), composite_id=message.composite_id)
    run = start_run(message, detector)
    missing = run.missing_cells(detector.state)
    if missing:
        generations = listed_shards(run.composite, detector)
        absent = [shard.name for shard in run.composite.shards() if shard.name not in generations]
        if absent:
            say("rescan waits for shards", absent=len(absent), first=absent[0])
            return
        for cell in missing[:CELLS_AT_ONCE]:
            store_cell(run, cell, generations, detector)
        if len(missing) > CELLS_AT_ONCE:
            detector.bus.publish(TOPIC, *encode(message))
            return
    merge(run, detector)
