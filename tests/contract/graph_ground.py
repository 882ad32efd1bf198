"""The composite of which the expression graph is pinned, and where it lies."""

from datetime import UTC, datetime

from shapely.geometry import Polygon

from quakeslide.adapters.earth_engine.expression import Stacks
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Lattice, Rectangle, to_lonlat
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track

CRS, CORNER, SIZE, RIM = "EPSG:32653", (700000.0, 4150400.0), 192, 60
EDGE = 48  # the scenes begin at this column: west of it nothing was seen
T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
WEST, NORTH = CORNER
DIAMOND = Polygon([(WEST + 960, NORTH - 640), (WEST + 1280, NORTH - 960), (WEST + 960, NORTH - 1280), (WEST + 640, NORTH - 960)])  # fmt: skip # noqa: E501
STACKS = Stacks(
    pre=[
        ["COPERNICUS/S1_GRD/pre1_n", "COPERNICUS/S1_GRD/pre1_s"],
        ["COPERNICUS/S1_GRD/pre2"],
        ["COPERNICUS/S1_GRD/pre3"],
    ],
    post=[["COPERNICUS/S1_GRD/post1"], ["COPERNICUS/S1_GRD/post2"]],
)


def composite() -> Composite:
    return Composite(
        event_id="us6000m0xl",
        track=Track.parse("A069"),
        stage=Stage.parse("60-12"),
        polarisation=Polarisation.VV_VH,
        pre_scenes=tuple(scene for take in STACKS.pre for scene in take),
        post_scenes=tuple(scene for take in STACKS.post for scene in take),
        lattice=Lattice(crs=CRS, origin_x=WEST, origin_y=NORTH),
        rectangle=Rectangle(row=0, col=0, height=SIZE, width=SIZE),
        shard_px=256,
        t0=T0,
        post_start=T0,
        aoi=to_lonlat(DIAMOND, CRS),
        aoi_source="manual",
        weak_pre=False,
        place="Noto",
        data_notice="",
    )
