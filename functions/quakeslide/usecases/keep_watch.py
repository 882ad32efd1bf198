"""Reading, swapping and filing away a watch.

Every change goes through `watches/open/`, swapped on the generation read. To end a watch, its document is first swapped for the
ended one there, then copied to `watches/closed/`, then deleted: whoever meets it half-way finishes the move. The higher revision
counts where both exist.
"""

from dataclasses import dataclass, replace

from quakeslide.documents.watch import read_watch, write_watch
from quakeslide.domain import object_names
from quakeslide.domain.watch import Standing, Watch
from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A watch as read; `generation` of the open document, 0 where there is none."""

    watch: Watch
    generation: int


def find_watch(state: ObjectStore, event_id: str) -> Kept | None:
    """Return the watch of an event, open or ended, or None."""
    opened = state.read(object_names.watch(event_id))
    closed = state.read(object_names.watch(event_id, is_open=False))
    ended = read_watch(closed.data) if closed else None
    if opened is None:
        return Kept(watch=ended, generation=0) if ended else None
    watch = read_watch(opened.data)
    # where both exist, a reopened watch has a higher revision than the copy of its former end
    newer = ended if ended is not None and ended.revision > watch.revision else watch
    return Kept(watch=newer, generation=opened.generation)


def save_watch(state: ObjectStore, watch: Watch, generation: int) -> Kept:
    """Swap the document; an ended watch is filed away.

    Args:
        state: the state bucket.
        watch: as it is to be.
        generation: of the open document as read, 0 for a new or reopened watch.

    Raises:
        LostRace: somebody else changed it meanwhile.
    """
    watch = replace(watch, revision=watch.revision + 1)
    data = write_watch(watch)
    name = object_names.watch(watch.event_id)
    if not state.replace(name, data, JSON, generation):
        raise LostRace(f"{name} was changed by another delivery")
    if watch.standing is not Standing.OPEN:
        file_away(state, watch)
        return Kept(watch=watch, generation=0)
    stored = state.read(name)
    if stored is None or stored.data != data:
        raise LostRace(f"{name} was changed by another delivery")
    former = object_names.watch(watch.event_id, is_open=False)
    if state.read(former) is not None:
        state.delete(former)
    return Kept(watch=watch, generation=stored.generation)


def file_away(state: ObjectStore, watch: Watch) -> None:
    """Move the document of an ended watch to `closed/`; safe to repeat."""
    former = object_names.watch(watch.event_id, is_open=False)
    standing = state.read(former)
    if standing is None or read_watch(standing.data).revision < watch.revision:
        state.replace(former, write_watch(watch), JSON, standing.generation if standing else 0)
    state.delete(object_names.watch(watch.event_id))
