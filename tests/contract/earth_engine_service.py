"""Starts the local Earth Engine as a process over an archive, and writes small archives; imported by whatever needs one."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import ee
import ee.data
import ee.deprecation
import numpy as np
import rasterio
import requests
import shapely.geometry
from affine import Affine
from google.auth.credentials import AnonymousCredentials
from rasterio.warp import transform_bounds

ROOT = Path(__file__).parents[2]
PROJECT = "quakeslide-local"
CRS = "EPSG:32654"


class EarthEngineService:
    """One running service; `with` ends it.

    Attributes:
        url: for `ee.Initialize(url=...)`.
        process: the server.
    """

    def __init__(
        self, archive: Path, storage_url: str, *, clock: Path | None = None, state: Path | None = None
    ) -> None:
        # the environment of the local stack where it is made: its lock must suffice
        python = ROOT / "build/envs/local/bin/python"
        command = [str(python) if python.exists() else sys.executable, "-m", "infra.local.earth_engine"]
        command += ["--port", "0", "--archive", str(archive), "--storage", storage_url]
        command += ["--clock", str(clock)] if clock else []
        command += ["--state", str(state)] if state else []
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{' '.join(command)} ended before it was ready"
        ready = json.loads(line)
        assert ready["service"] == "earth_engine"
        self.url = f"http://127.0.0.1:{ready['port']}"

    def __enter__(self) -> "EarthEngineService":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=60)

    def connect(self) -> None:
        """Point the Earth Engine client of this process at the service."""
        ee.Reset()
        # the client asks a public bucket for deprecated assets, whatever its url=, unless it knows of one already
        known = ee.deprecation.DeprecatedAsset("local", None, None, None)
        ee.deprecation.deprecated_assets["local"] = known
        ee.Initialize(AnonymousCredentials(), url=self.url, project=PROJECT)
        ee.data.setMaxRetries(1)

    def state(self) -> dict[str, Any]:
        """What `GET /_local/state` says."""
        reply = requests.get(f"{self.url}/_local/state", timeout=10)
        reply.raise_for_status()
        return reply.json()

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """Put faults in force; none clears them."""
        reply = requests.post(f"{self.url}/_local/faults", json=list(faults), timeout=10)
        assert reply.ok, reply.text

    def resident_mb(self) -> float:
        """Highest memory the process ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def wait_for(name: str, seconds: float = 120) -> dict[str, Any]:
    """Follow an operation to its end.

    Raises:
        TimeoutError: it does not end.
    """
    end = time.monotonic() + seconds
    while True:
        operation = ee.data.getOperation(name)
        if operation.get("done"):
            return operation
        if time.monotonic() > end:
            raise TimeoutError(json.dumps(operation))
        time.sleep(0.02)


def write_image(
    archive: Path,
    image_id: str,
    bands: Mapping[str, np.ndarray],
    *,
    origin: tuple[float, float],
    pixel: float = 10.0,
    crs: str = CRS,
    version: datetime,
    properties: Mapping[str, Any],
) -> None:
    """Write one image of an archive.

    Args:
        archive: folder.
        image_id: `COPERNICUS/S1_GRD/<system:index>`.
        bands: float32 [height, width], NaN = missing.
        origin: upper left corner in the CRS.
        pixel: side of a pixel in CRS units.
        crs: of the files.
        version: when it was ingested.
        properties: metadata beside `system:index` and `system:footprint`.
    """
    folder, index = archive / Path(image_id).parent, Path(image_id).name
    folder.mkdir(parents=True, exist_ok=True)
    transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    for name, values in bands.items():
        height, width = values.shape
        profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": float("nan")}
        path = folder / f"{index}_{name}.tif"
        with rasterio.open(path, "w", width=width, height=height, crs=crs, transform=transform, **profile) as file:
            file.write(values.astype("float32"), 1)
            bounds = transform_bounds(crs, "EPSG:4326", *file.bounds)
    ring = shapely.geometry.mapping(shapely.geometry.box(*bounds))["coordinates"][0]
    record = {
        "id": image_id,
        "version": int(version.timestamp() * 1e6),
        "bands": [{"id": name, "file": f"{index}_{name}.tif"} for name in bands],
        "properties": {
            "system:index": index,
            "system:footprint": {"type": "LinearRing", "coordinates": ring},
            **properties,
        },
    }
    (folder / f"{index}.json").write_text(json.dumps(record), encoding="utf-8")
