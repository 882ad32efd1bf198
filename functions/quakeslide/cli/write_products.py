"""Writes the products of a judged file into a folder, all or none."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quakeslide.adapters.renderer import ProductRenderer
from quakeslide.cli.judge_file import Part
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.report import collection_members, detections_geojson, dumps
from quakeslide.errors import UnreadableInput

DETECTIONS, PAGE = "detections.geojson", "index.html"


def write_products(parts: Sequence[Part], judged: Sequence[Judgement], to: Path) -> dict[str, Any]:
    """Write detections, support files and the map page.

    Args:
        parts: of the raster.
        judged: one judgement a part, the main one first.
        to: folder; appears at once and whole, replacing an earlier one of ours.

    Returns:
        The detections document.

    Raises:
        UnreadableInput: the folder holds other things, or cannot be made.
    """
    if to.exists() and any(to.iterdir()) and not (to / DETECTIONS).exists():
        raise UnreadableInput(f"{to} holds other files; name another folder with --out")
    main = judged[0]
    document = all_detections(parts, judged)
    edges = {part.name: one for part, one in zip(parts[1:], judged[1:], strict=True)}
    files = {name: file.data for name, file in ProductRenderer().support(main, edges).items() if name != "item.json"}
    files[DETECTIONS] = dumps(document)
    files[PAGE] = _page(main, document, files)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as draft:
            folder = Path(draft) / "products"
            folder.mkdir()
            for name, data in files.items():
                (folder / name).write_bytes(data)
            if to.exists():
                shutil.rmtree(to)
            folder.rename(to)
    except OSError as error:
        raise UnreadableInput(f"{to}: {error}") from error
    return document


def all_detections(parts: Sequence[Part], judged: Sequence[Judgement]) -> dict[str, Any]:
    """Return the detections of all parts as one FeatureCollection, best first; flush windows name their pixel, not an index."""
    document = detections_geojson(judged[0])
    if len(judged) == 1:
        return document
    for part, judgement in zip(parts[1:], judged[1:], strict=True):
        for feature, (row, col) in zip(
            detections_geojson(judgement)["features"], judgement.detections.tolist(), strict=True
        ):
            flush = {"window_row": None, "window_col": None}
            feature["properties"] |= flush | {
                "pixel_row": part.strip.row + 32 * row,
                "pixel_col": part.strip.col + 32 * col,
            }
            document["features"].append(feature)
    document["features"].sort(key=lambda feature: -feature["properties"]["score"])
    for rank, feature in enumerate(document["features"], start=1):
        feature["properties"]["rank"] = rank
    counts = document["counts"]
    for one in judged[1:]:
        for name, count in collection_members(one)["counts"].items():
            counts[name] += count
    counts["detections"] = len(document["features"])
    if counts["windows_scored"]:
        document["outcome"] = "detections" if document["features"] else "processed, none found"
    return document


def _page(main: Judgement, document: dict[str, Any], files: dict[str, bytes]) -> bytes:
    composite = main.composite
    layer = {
        "name": f"{composite.track} {composite.stage}",
        "detections": document,
        "blind": json.loads(files["blind.geojson"]),
        "affected": json.loads(files["affected.geojson"]),
        "quicklook": files["quicklook.png"],
        "href": DETECTIONS,
    }
    status = {
        "version": 1,
        "event_id": composite.event_id,
        "title": composite.place,
        "state": "complete",
        "tracks": [],
        "problems": [],
        "notices": [],
    }
    notices = dict.fromkeys(filter(None, (composite.data_notice, main.card.data_notice)))
    return ProductRenderer().page(composite.place or composite.event_id, [layer], status, " ".join(notices))
