"""Reading, swapping and filing away a watch.

A watch that is kept lies in `watches/open/`, one that has ended or is linked to another in `watches/closed/`. Every change is swapped
on the generation of the document that was read, wherever it lies: that swap decides. Only then the document is moved to where its
standing wants it, by a copy and a delete of the generation copied. Whoever meets it half-way finds it in both places, where the higher
revision counts, and finishes the move.
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
    """A watch as read.

    Attributes:
        watch: what the document says.
        name, generation: of the document.
    """

    watch: Watch
    name: str
    generation: int


def find_watch(state: ObjectStore, event_id: str) -> Kept | None:
    """Return the watch of an event, open or not, or None."""
    found = [kept for is_open in (True, False) if (kept := _read(state, object_names.watch(event_id, is_open=is_open)))]
    return max(found, key=lambda kept: kept.watch.revision, default=None)  # the open one of equals


def save_watch(state: ObjectStore, watch: Watch, kept: Kept | None) -> Kept:
    """Swap the document and put it where it belongs.

    Args:
        state: the state bucket.
        watch: as it is to be.
        kept: as it was read, None for a new one.

    Raises:
        LostRace: somebody else changed it meanwhile.
    """
    watch = replace(watch, revision=watch.revision + 1)
    name = kept.name if kept else object_names.watch(watch.event_id)
    if not state.replace(name, write_watch(watch), JSON, kept.generation if kept else 0):
        raise LostRace(f"{name} was changed by another delivery")
    written = _read(state, name)
    if written is None or written.watch.revision != watch.revision:
        raise LostRace(f"{name} was changed by another delivery")
    return file_away(state, written)


def file_away(state: ObjectStore, kept: Kept) -> Kept:
    """Move the document to where its standing wants it; safe to repeat.

    Raises:
        LostRace: somebody else is moving it too.
    """
    watch = kept.watch
    is_open = watch.standing is Standing.OPEN
    home, other = (object_names.watch(watch.event_id, is_open=place) for place in (is_open, not is_open))
    if kept.name == home:
        left = _read(state, other)
        if left is not None and left.watch.revision < watch.revision:
            state.delete(other, left.generation)
        return kept
    standing = _read(state, home)
    if standing is None or standing.watch.revision < watch.revision:
        state.replace(home, write_watch(watch), JSON, standing.generation if standing else 0)
        standing = _read(state, home)
    if standing is None or standing.watch.revision < watch.revision:
        raise LostRace(f"{home} was changed by another delivery")
    state.delete(kept.name, kept.generation)
    return standing


def _read(state: ObjectStore, name: str) -> Kept | None:
    stored = state.read(name)
    return Kept(watch=read_watch(stored.data, name), name=name, generation=stored.generation) if stored else None
