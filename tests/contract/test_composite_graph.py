"""The composite's expression graph: pinned as recorded, and no node of it without effect on the local Earth Engine's pixels."""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
from affine import Affine

from infra.local.clock import Clock
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.graph import Expression
from infra.local.earth_engine.grid import Grid, Projection
from infra.local.earth_engine.values import Block
from quakeslide.adapters.earth_engine.expression import composite_image, incidence_angle
from quakeslide.adapters.earth_engine.terrain import look_direction
from quakeslide.domain.terrain import PLAIN, Backscatter, Terrain
from tests.contract.earth_engine_service import EarthEngineService, write_image
from tests.contract.graph_ground import CRS, EDGE, NORTH, RIM, SIZE, STACKS, T0, WEST, composite

RECORDED = Path(__file__).parents[1] / "data/earth_engine"
LOOK_AZIMUTH = 280.0
REACH = {"post1": 15, "post2": 22, "pre3": 29, "pre2": 36}  # columns
ROWS = {"pre1_n": slice(0, 130), "pre1_s": slice(100, None)}
PART = 96  # px a side that are looked at: the cut, the slices' overlap and the seam of the heights run through them
Node = Mapping[str, Any]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Speckle with gaps, an incidence angle on a coarse grid, steep hills on two tiles, all as files."""
    folder = tmp_path_factory.mktemp("archive")
    random = np.random.default_rng(7)
    full = SIZE + 2 * RIM
    for name in ("pre1_n", "pre1_s", "pre2", "pre3", "post1", "post2"):
        rows = ROWS.get(name, slice(0, full))
        first, last, _ = rows.indices(full)
        bands = {p: random.normal(-12, 3, (last - first, full)) for p in ("VV", "VH")}
        bands["VV"][random.random(bands["VV"].shape) < 0.3] = np.nan
        bands["angle"] = np.repeat(np.repeat(random.normal(38, 3, ((last - first) // 3 + 1, full // 3)), 3, 0), 3, 1)[
            : last - first
        ]
        bands["angle"][:, REACH.get(name, full) :] = np.nan  # of those on top something shows, and something below
        write_image(
            folder,
            f"COPERNICUS/S1_GRD/{name}",
            bands,
            origin=(WEST + EDGE * 10 - 3, NORTH + RIM * 10 - first * 10 + 4),  # not on the lattice: interpolation shows
            crs=CRS,
            version=T0,
            properties={"system:time_start": int(T0.timestamp() * 1000)},
        )
    for number, west in enumerate((WEST - 1000, WEST + 450)):
        write_image(
            folder,
            f"COPERNICUS/DEM/GLO30/tile{number}",
            {"DEM": random.normal(500, 45, (130, 50 if not number else 90))},
            origin=(west, NORTH + 1000),
            pixel=30,
            crs=CRS,
            version=T0 - timedelta(days=900),
            properties={"system:time_start": 0},
        )
    clock = folder / "clock"
    clock.write_text((T0 + timedelta(days=30)).isoformat(), encoding="ascii")
    return Archive(folder, Clock(clock))


@pytest.fixture(scope="module", autouse=True)
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with EarthEngineService(tmp_path_factory.mktemp("empty"), "http://127.0.0.1:9") as service:
        service.connect()
        yield


VARIANTS = {
    "volume": Terrain(backscatter=Backscatter.GAMMA0_VOLUME, mask_buffer_m=10),
    "surface": Terrain(backscatter=Backscatter.GAMMA0_SURFACE),
}


def graph_of(terrain: Terrain = PLAIN) -> dict[str, Any]:
    """The expression as the client sends it."""
    image = composite_image(replace(composite(), terrain=terrain), STACKS, LOOK_AZIMUTH)
    encoded: dict[str, Any] = ee.serializer.encode(image, for_cloud_api=True)
    return encoded


def look_graph() -> dict[str, Any]:
    """The question for the direction of the look, asked before the export."""
    mean = look_direction(composite(), incidence_angle(STACKS), 1000)
    encoded: dict[str, Any] = ee.serializer.encode(mean, for_cloud_api=True)
    return encoded


GRAPHS: dict[str, Callable[[], dict[str, Any]]] = {
    "composite_expression": graph_of,
    "composite_expression_volume": lambda: graph_of(VARIANTS["volume"]),
    "composite_expression_surface": lambda: graph_of(VARIANTS["surface"]),
    "look_direction": look_graph,
}


def pixels(graph: Node, archive: Archive) -> tuple[list[str], np.ndarray]:
    """Return the names of the bands and their pixels, invalid as NaN."""
    image = Expression(graph).evaluate(archive)
    block = Block(Grid(Projection(CRS, Affine(10, 0, WEST, 0, -10, NORTH)), PART, PART))
    rasters = [block.read(band) for band in image.bands.values()]
    return list(image.bands), np.stack([np.where(r.valid, r.values, np.nan).astype("float64") for r in rasters])


def rounded(node: Any) -> Any:
    """Return a graph with its numbers rounded to 7 digits after the point: projecting differs in the last ones between machines."""
    if isinstance(node, dict):
        return {key: rounded(value) for key, value in node.items()}
    if isinstance(node, list):
        return [rounded(value) for value in node]
    return round(node, 7) if isinstance(node, float) else node


@pytest.mark.parametrize("name", GRAPHS)
def test_expression_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    """A change of meaning must show in review; it also raises EXPRESSION_VERSION."""
    graph, file = rounded(GRAPHS[name]()), RECORDED / f"{name}.json"
    found = tmp_path / file.name
    found.write_text(json.dumps(graph, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    assert graph == json.loads(file.read_text(encoding="utf-8")), (
        f"the expression changed; if that is meant, copy {found} over {file}"
    )


def altered(value: Any) -> Any:
    """Return another constant of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 1.5 + 1
    if isinstance(value, str):
        swaps = {"VV": "VH", "VH": "VV", "bilinear": "bicubic"}
        return swaps.get(value, value + "x")
    if isinstance(value, list):
        return [altered(item) for item in value[:-1]] + value[-1:] if len(value) > 1 else [altered(value[0])]
    raise TypeError(f"{value!r}")


# What rightly has no effect here, with the reason; everything else must have one.
IDLE = {
    r"fromImages left out$": "a list of images stands for a collection",
    r"toFloat left out$": "float32 holds these numbers; the type itself is held by the export's own tests",
    r"geometry/coordinates/": "a corner outside the part that is looked at",
    r"geodesic False$": "the local service knows straight edges only",
    r"^\d+/filter/|Collection.filter left out$": "far tiles of the height model have no pixels here; leaving them out saves reading",
    r"Image.projection left out$": "an image stands for its projection",
    r"^\d+ Image.select left out$": "the height model has one band",
    r"image1 Image.multiply left out$": "layover is 1: times 1",
    r"^0/input/((dstImg/)?|(dstImg/){3,4})srcImg/sameFootprint False$": "counts, geometry and slope have values everywhere already",
    r"Image.rename left out$": "the slope is called slope already",
}

IDLE_IN_TREATMENT = {
    r"toFloat left out$": IDLE[r"toFloat left out$"],
    r"image1 Image.multiply left out$": IDLE[r"image1 Image.multiply left out$"],
    r"input/image1/image Image.unmask left out$": "masked pixels count as zero in the local service; of the real one it is not known",
    r"sameFootprint False$": "distances and counts have values everywhere, and what is not there counts as zero",
}


def places(
    node: Any, path: tuple[str | int, ...], is_left_out: Callable[[Node], bool] = lambda node: False
) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Yield every node below, also those written inside others, with its place; what is left out is not looked into."""
    if is_left_out(node):
        return
    yield path, node
    call = node.get("functionInvocationValue")
    for argument, inner in call["arguments"].items() if call else ():
        yield from places(inner, (*path, "functionInvocationValue", "arguments", argument), is_left_out)
    for number, inner in enumerate(node.get("arrayValue", {}).get("values", ())):
        yield from places(inner, (*path, "arrayValue", "values", number), is_left_out)


def identities(graph: dict[str, Any]) -> Callable[[Node], str]:
    """Return what tells what a node says, references followed: the same part of two graphs says the same, whatever it is called."""
    known: dict[str, str] = {}

    def said(node: Node) -> str:
        if "valueReference" in node:
            name = node["valueReference"]
            if name not in known:
                known[name] = said(graph["values"][name])
            return known[name]
        call, items = node.get("functionInvocationValue"), node.get("arrayValue", {}).get("values")
        content: Any = node if items is None else [said(item) for item in items]
        if "functionDefinitionValue" in node:
            definition = node["functionDefinitionValue"]
            content = definition["argumentNames"], said({"valueReference": definition["body"]})
        if call:
            content = call["functionName"], {argument: said(inner) for argument, inner in call["arguments"].items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    return said


def mutants(graph: dict[str, Any], *, beyond: dict[str, Any] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every graph with one node altered, or left out with the first image or collection that goes into it in its place.

    Args:
        graph: an expression.
        beyond: leave out the nodes that this graph has too.
    """
    shared: set[str] = set()
    if beyond is not None:
        says = identities(beyond)
        shared = {says(node) for name, whole in beyond["values"].items() for _, node in places(whole, (name,))}
    says = identities(graph)

    def with_node(path: tuple[str | int, ...], node: Node) -> dict[str, Any]:
        changed = copy.deepcopy(graph)
        place: Any = changed["values"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = node
        return changed

    for name, whole in graph["values"].items():
        for path, node in places(
            whole, (name,), lambda node: "functionInvocationValue" in node and says(node) in shared
        ):
            words = "/".join(str(key) for key in path if key not in ("functionInvocationValue", "arguments"))
            if "constantValue" in node:
                yield (
                    f"{words} {node['constantValue']!r}",
                    with_node(path, {"constantValue": altered(node["constantValue"])}),
                )
            if "functionInvocationValue" in node:
                call = node["functionInvocationValue"]
                inner = [v for v in call["arguments"].values() if "constantValue" not in v]
                if inner:
                    yield f"{words} {call['functionName']} left out", with_node(path, inner[0])
            if "arrayValue" in node:
                for number in range(len(node["arrayValue"]["values"])):
                    rest = [v for k, v in enumerate(node["arrayValue"]["values"]) if k != number]
                    yield f"{words} without item {number}", with_node(path, {"arrayValue": {"values": rest}})


def idle_mutants(
    graph: dict[str, Any], archive: Archive, beyond: dict[str, Any] | None = None
) -> tuple[int, list[str]]:
    """Return how many mutants there are, and those whose pixels are the graph's own."""
    names, plain = pixels(graph, archive)
    count, idle = 0, []
    for what, mutant in mutants(graph, beyond=beyond):
        count += 1
        try:
            found_names, found = pixels(mutant, archive)
        except (EarthEngineError, AttributeError, TypeError):  # it is no graph of images any more
            continue
        if found_names == names and np.array_equal(found, plain, equal_nan=True):
            idle.append(what)
    return count, idle


def test_no_node_can_be_altered_or_left_out_without_effect(archive: Archive) -> None:
    graph = graph_of()
    names, plain = pixels(graph, archive)
    assert set(np.unique(plain[names.index("geometry")])) == {-9999, 0, 1, 2, 3}
    count, idle = idle_mutants(graph, archive)
    assert count > 200
    assert [what for what in idle if not any(re.search(pattern, what) for pattern in IDLE)] == []
    assert [pattern for pattern in IDLE if not any(re.search(pattern, what) for what in idle)] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_node_of_the_terrains_treatment_can_be_altered_or_left_out(archive: Archive, variant: str) -> None:
    count, idle = idle_mutants(graph_of(VARIANTS[variant]), archive, beyond=graph_of())
    assert count > 40
    assert [what for what in idle if not any(re.search(pattern, what) for pattern in IDLE_IN_TREATMENT)] == []
    if variant == "volume":  # it has a buffer
        assert [pattern for pattern in IDLE_IN_TREATMENT if not any(re.search(pattern, what) for what in idle)] == []
