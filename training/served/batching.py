"""A second servable of a model for requests of single patches, which TensorFlow Serving may then join.

It joins requests to any signature of a model along the first axis, and `tile` has none that could be joined: hence a model of its own,
exported without `tile`. With `--enable_batching --enable_per_model_batching_parameters` the server joins only requests to versions that
hold this file (tensorflow_serving/servables/tensorflow/bundle_factory_util.cc, release 2.19.1).
"""

from pathlib import Path

PATCHES_SUFFIX = "_patches"
"""End of such a model's name."""

FILE = "batching_params.pbtxt"
BATCHING = """\
# How TensorFlow Serving joins requests to this model: a BatchingParameters in protobuf text format. How many threads run batches is the
# server's own setting (serving/batching.config), the same for all models.

# 64 patches of the larger network hold 63 MB after the first convolution.
max_batch_size { value: 64 }
# Twice what a patch of that network takes on a core.
batch_timeout_micros { value: 2000 }
# What waits beyond is refused with UNAVAILABLE, and the caller tries again: 1024 patches are a second of work.
max_enqueued_batches { value: 16 }
"""


def write_batching(folder: Path) -> None:
    """Write the parameters into a SavedModel's folder."""
    (folder / FILE).write_text(BATCHING, encoding="utf-8")
