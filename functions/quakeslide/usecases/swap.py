"""Objects that are a pure function of what is stored: rendered whole, and swapped on the generation that was read.

Whoever renders last has seen everything, and what is written last is true.
"""

from collections.abc import Callable

from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore

ATTEMPTS = 8  # before the delivery is given back


def swap(store: ObjectStore, name: str, render: Callable[[bytes | None], bytes | None], content_type: str) -> None:
    """Render an object from what is stored and write it where it changed, until it stands as it is rendered.

    After a write it is rendered once more: another may have seen newer things, found that the object stood so already, and left it
    as it was, before it was written over.

    Args:
        store: the bucket.
        name: of the object.
        render: given the standing bytes or None, reads everything anew and returns the new ones, or None to leave it as it is.
        content_type: media type.

    Raises:
        LostRace: the object changed under every attempt.
    """
    for _ in range(ATTEMPTS):
        standing = store.read(name)  # before rendering: what is written afterwards makes the swap fail
        data = render(standing.data if standing else None)
        if data is None or (standing is not None and standing.data == data):
            return
        store.replace(name, data, content_type, standing.generation if standing else 0)
    raise LostRace(f"{name} changed {ATTEMPTS} times while it was rendered")
