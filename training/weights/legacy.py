"""Reads the HDF5 files that Keras 2 wrote (`model.save_weights("x.hdf5")`, also `model.save`).

Layout: the attribute `layer_names` gives the layers in the order of the network, each a group whose attribute `weight_names` gives its
arrays in order. Order is all there is: the groups themselves come out of HDF5 sorted by name (`conv2d_10` before `conv2d_9`), and the names
carry counters of the session that wrote them. Attributes beyond 64 kB are cut into `layer_names0`, `layer_names1`, ...

`keras.Model.load_weights` reads them too, but chooses the format by the suffix: a name that ends in `.weights.h5` is taken for
Keras 3's own layout. Here the content decides. Nothing here needs a network: the shapes say which one it is, but for its variant.
"""

from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from zipfile import is_zipfile

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from training.architectures import Variant
from training.networks import cnn

LEAVES = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance") * 3 + ("kernel", "bias") * 2
"""Last parts of the names of the CNN's arrays, in order."""


class UnreadableWeights(ValueError):
    """A file that does not hold the weights of the CNN; the message names the file and the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyWeights:
    """The arrays of a CNN as its file holds them.

    Attributes:
        names: of the arrays, in order.
        arrays: float32, in order, of the shapes of `training.networks.cnn`.
        bands: input channels, from the first kernel.
        filters: channels of each convolution.
    """

    names: tuple[str, ...]
    arrays: tuple[NDArray[np.float32], ...]
    bands: int
    filters: int

    def model(self, variant: Variant) -> keras.Model:
        """Return the network with these weights; raw dB in, as the released tool feeds it."""
        model = cnn(bands=self.bands, filters=self.filters, variant=variant)
        model.set_weights(list(self.arrays))
        return model

    @property
    def hidden_kernel(self) -> NDArray[np.float32]:
        """The first dense layer's kernel, float32 [64 * 3 * filters, 8 * filters]."""
        return self.arrays[-4]


def read_legacy(path: Path) -> LegacyWeights:
    """Read the weights of a CNN from a file of Keras 2, whatever its name ends in.

    Raises:
        UnreadableWeights: no HDF5, another layout, or arrays that are not those of the CNN in its order.
        OSError: the file cannot be opened.
    """
    with path.open("rb"):  # a missing file is an OSError of its own, not "no HDF5"
        pass
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        keras_3 = (
            "; it looks like a .keras file of Keras 3: save its weights as HDF5 of Keras 2" if is_zipfile(path) else ""
        )
        raise UnreadableWeights(f"{path}: no HDF5 file ({error}){keras_3}") from error
    with file:
        root = file.get("model_weights", file)
        layers = _names(root.attrs, "layer_names")
        if not layers:
            keras_3 = "; it looks like a `.weights.h5` of Keras 3, which has no order" if "layers" in root else ""
            raise UnreadableWeights(f"{path}: no attribute layer_names, so no weights file of Keras 2{keras_3}")
        try:
            named = [
                (name, root[layer][name]) for layer in layers for name in _names(root[layer].attrs, "weight_names")
            ]
        except KeyError as error:
            raise UnreadableWeights(
                f"{path}: an array that it names is not in it ({error}); is the copy whole?"
            ) from error
        arrays = tuple(np.asarray(data, np.float32) for _, data in named)
    names = tuple(name for name, _ in named)
    return _recognised(path, names, arrays)


def _names(attributes: h5py.AttributeManager, key: str) -> list[str]:
    """Return a list of names, put together again where it was cut for its length."""
    numbered = (f"{key}{number}" for number in count())
    parts = [key] if key in attributes else takewhile(attributes.__contains__, numbered)
    names = [name for part in parts for name in attributes[part]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _recognised(path: Path, names: tuple[str, ...], arrays: tuple[NDArray[np.float32], ...]) -> LegacyWeights:
    leaves = tuple(name.rsplit("/", 1)[-1].split(":")[0] for name in names)
    if leaves != LEAVES:
        place = next((i for i, (a, b) in enumerate(zip(leaves, LEAVES, strict=False)) if a != b), min(len(leaves), 22))
        found = names[place] if place < len(names) else "nothing"
        raise UnreadableWeights(
            f"{path}: {len(names)} arrays, the network has {len(LEAVES)}; number {place + 1} is {found}"
        )
    _, _, bands, filters = arrays[0].shape if arrays[0].ndim == 4 else (0, 0, 0, 0)
    if bands not in (2, 4) or filters < 1:
        raise UnreadableWeights(f"{path}: {names[0]} has shape {arrays[0].shape}, not (3, 3, 2 or 4 bands, filters)")
    expected = [tuple(weight.shape) for weight in cnn(bands=bands, filters=filters).weights]
    for name, array, shape in zip(names, arrays, expected, strict=True):
        if array.shape != shape:
            raise UnreadableWeights(
                f"{path}: {name} has shape {array.shape}, the network with F = {filters} has {shape}"
            )
    return LegacyWeights(names=names, arrays=arrays, bands=bands, filters=filters)
