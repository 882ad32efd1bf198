"""Shards as Earth Engine writes them, read from the real client against the local Cloud Storage, and from memory."""

from dataclasses import replace

import numpy as np
import pytest

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.geotiff import ShardPixels
from quakeslide.errors import LyingManifest, StoreUnavailable, UnusableComposite
from tests.contract.shard_file import tif
from tests.contract.storage_service import StorageService, client_of
from tests.fakes import MemoryStore
from tests.fakes_detector import composite_of, image_of


def export(composite, store, **changes):
    """Write all shards of a composite; return its image and the generations."""
    image = image_of(composite)
    for shard in composite.shards():
        pixels = image[shard.row : shard.row + shard.height, shard.col : shard.col + shard.width]
        row, col = composite.rectangle.row + shard.row, composite.rectangle.col + shard.col
        store.create(shard.name, tif(pixels, row, col, **({"names": composite.bands} | changes)), "image/tiff")
    return image, {listed.name: listed.generation for listed in store.list("shards/")}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with StorageService(tmp_path_factory.mktemp("storage")) as service, client_of(service.url) as client:
        client.create_bucket("quakeslide-local-composites")
        yield GcsStore("quakeslide-local-composites", client)


@pytest.fixture(params=["memory", "bucket"])
def store(request):
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("bucket")


@pytest.mark.parametrize("shard_px", [256, 2048])
def test_any_box_is_read_across_shard_borders(store, shard_px):
    composite = composite_of(shard_px=shard_px, post=(f"POST{shard_px}",))
    image, generations = export(composite, store)
    reader = ShardPixels(store)
    for box in ((0, 0, 544, 608), (200, 230, 128, 96), (500, 560, 44, 48)):
        row, col, height, width = box
        for bands in (composite.bands, ("diffVV", "postVH")):
            indexes = [composite.bands.index(band) for band in bands]
            expected = image[row : row + height, col : col + width, indexes]
            np.testing.assert_array_equal(reader.read(composite, generations, box, bands), expected)


def test_zero_is_a_value_and_missing_is_nan():
    composite, store = composite_of(128, 128, shard_px=256), MemoryStore()
    (shard,) = composite.shards()
    pixels = np.zeros((128, 128, 9), np.float32)
    pixels[0, 0], pixels[1, 1], pixels[2, 2] = np.nan, np.inf, -7
    store.create(shard.name, tif(pixels, 0, 0, names=composite.bands, nodata=-7), "image/tiff")
    read = ShardPixels(store).read(composite, {shard.name: 1}, (0, 0, 128, 128), composite.bands)
    assert np.isnan(read[[0, 1, 2], [0, 1, 2]]).all()
    assert np.isnan(read).any(axis=2).sum() == 3
    assert (np.nan_to_num(read) == 0).all()


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"names": ("postVH", "postVV", "diffVV", "diffVH", "geometry", "slope", "localIncidence", "nPre", "nPost")},
         UnusableComposite, r"bands are \('postVH', 'postVV'"),
        ({"names": None}, UnusableComposite, "bands are"),
        ({"dtype": "int16"}, UnusableComposite, "data type is .*int16"),
        ({"crs": "EPSG:32654"}, LyingManifest, "CRS is EPSG:32654, the manifest says EPSG:32653"),
        ({"crs": None}, LyingManifest, "CRS is None"),
    ],
)  # fmt: skip
def test_wrong_shard_is_refused_by_name(changes, error, text):
    composite, store = composite_of(128, 128, shard_px=256), MemoryStore()
    _, generations = export(composite, store, **changes)
    with pytest.raises(error, match=rf"shards/us6000m0xl/A069/60-12/.*{text}"):
        ShardPixels(store).read(composite, generations, (0, 0, 64, 64), composite.bands)


def test_manifest_that_lies_about_size_or_place_is_refused():
    composite, store = composite_of(128, 128, shard_px=256), MemoryStore()
    (shard,) = composite.shards()
    image = image_of(composite)
    cases = {"size": tif(image[:96], 0, 0, names=composite.bands), "place": tif(image, 0, 1, names=composite.bands)}
    for what, data in cases.items():
        store = MemoryStore()
        store.create(shard.name, data, "image/tiff")
        text = "96 x 128 px; the manifest says 128 x 128" if what == "size" else r"pixel \(0, 0\) lies at"
        with pytest.raises(LyingManifest, match=text):
            ShardPixels(store).read(composite, {shard.name: 1}, (0, 0, 64, 64), composite.bands)


def test_damaged_file_is_the_files_fault_and_a_missing_one_the_stores(store):
    composite = composite_of(256, 256, shard_px=256, post=("DAMAGED",))
    (shard,) = composite.shards()
    whole = tif(image_of(composite), 0, 0, names=composite.bands)
    store.create(shard.name, whole[: len(whole) // 2], "image/tiff")
    (listed,) = store.list(shard.name)
    reader = ShardPixels(store)
    with pytest.raises(UnusableComposite, match=r"composite.tif: no readable GeoTIFF"):
        reader.read(composite, {shard.name: listed.generation}, (0, 0, 256, 256), composite.bands)
    store.delete(shard.name)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        reader.read(composite, {shard.name: listed.generation}, (0, 0, 256, 256), composite.bands)


def test_only_the_blocks_needed_are_read():
    class Counting(MemoryStore):
        read_bytes = 0

        def open(self, name, generation):
            file, store = super().open(name, generation), self
            original = file.read

            class Counted:
                def __getattr__(self, attribute):
                    return getattr(file, attribute)

                def read(self, size=-1):
                    data = original(size)
                    store.read_bytes += len(data)
                    return data

            return Counted()

    composite, store = replace(composite_of(2048, 2048), shard_px=2048), Counting()
    _, generations = export(composite, store)
    (shard,) = composite.shards()
    ShardPixels(store).read(composite, generations, (0, 0, 64, 64), ("diffVV",))
    assert store.read_bytes < 0.2 * len(store.objects[shard.name].data)
