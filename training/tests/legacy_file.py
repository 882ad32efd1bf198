"""Writes HDF5 weights files as Keras 2 of TensorFlow 2.8 did. The released files themselves are not at hand: this is our own imitation.

It follows `tf.keras` 2.8 `hdf5_format.save_weights_to_hdf5_group`: attributes `layer_names`, `backend`, `keras_version`; one group a layer,
weightless ones too; datasets named `<layer>/<weight>:0` inside the layer's group. No `top_level_model_weights` (2.9 and later).
"""

import h5py
import numpy as np

PAIRS = ("gamma", "beta", "moving_mean", "moving_variance")


def layers_of(counter):
    """Layers of the released notebook in order, numbered as in the `counter`-th network of a session: (name, weights)."""
    n = 3 * counter

    def numbered(name, i):
        return name if i == 0 else f"{name}_{i}"

    rows = [("input_1", ())]
    for block in range(3):
        rows += [
            (numbered("conv2d", n + block), ("kernel", "bias")),
            (numbered("batch_normalization", n + block), PAIRS),
        ]
        rows += [(numbered("max_pooling2d", n + block), ())] if block < 2 else []
    rows += [("concatenate", ()), (numbered("max_pooling2d", n + 2), ()), ("dropout", ()), ("flatten", ())]
    return [
        *rows,
        (numbered("dense", 2 * counter), ("kernel", "bias")),
        (numbered("dense", 2 * counter + 1), ("kernel", "bias")),
    ]


def write(path, arrays, *, counter=0, whole_model=False, chunked=False):
    """Write the arrays of a CNN, in its order; `whole_model` as `model.save` nests them, `chunked` as too long a list is cut."""
    rest = iter(arrays)
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        rows = layers_of(counter)
        names = [name.encode() for name, _ in rows]
        if chunked:
            root.attrs["layer_names0"], root.attrs["layer_names1"] = names[:5], names[5:]
        else:
            root.attrs["layer_names"] = names
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.8.0"
        for layer, weights in rows:
            group = root.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{weight}:0".encode() for weight in weights]
            for weight in weights:
                group.create_dataset(f"{layer}/{weight}:0", data=np.asarray(next(rest), np.float32))
    return path
