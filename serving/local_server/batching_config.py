"""How requests are batched: BatchingParameters of TensorFlow Serving, of the server and of a version.

As there, `--batching_parameters_file` alone says how many threads run batches, for all models. With
`--enable_per_model_batching_parameters` everything else is said by a version's own `batching_params.pbtxt`, and versions without that file
are not batched; without that option the server's file holds for all of them (bundle_factory_util.cc, GetPerModelBatchingParams).
"""

from dataclasses import dataclass
from pathlib import Path

from serving.local_server.text_config import empty, read_text

FILE = "batching_params.pbtxt"
MAX_BATCH_SIZE, MAX_ENQUEUED_BATCHES = 1000, 10  # shared_batch_scheduler.h, QueueOptions


def threads_of(file: Path | None) -> int | None:
    """Return how many threads a server's BatchingParameters want; None for one a core.

    Raises:
        ValueError: the file holds something else, or wants none.
    """
    if file is None or not (given := read_text(file, "BatchingParameters")).HasField("num_batch_threads"):
        return None
    count = int(given.num_batch_threads.value)
    if count < 1:
        raise ValueError(f"{file}: num_batch_threads must be positive; was {count}")
    return count


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """When a batch is full, ready and refused.

    Attributes:
        rows: along the first axis, at most.
        wait_s: how long the first request of a batch waits for others.
        enqueued: batches waiting, at most; further requests are UNAVAILABLE.
        sizes: a batch is filled up to the next of these; empty for none.
    """

    rows: int
    wait_s: float
    enqueued: int
    sizes: tuple[int, ...]

    @classmethod
    def read(cls, file: Path | None) -> "BatchLimits":
        """Return the limits of a BatchingParameters file, or TensorFlow's own.

        Raises:
            ValueError: it is none, or asks for what cannot be.
        """
        given = read_text(file, "BatchingParameters") if file else empty("BatchingParameters")
        if given.pad_variable_length_inputs or given.enable_large_batch_splitting.value:
            raise ValueError(f"{file}: this local server neither pads inputs of unlike shape nor splits large requests")
        limits = cls(
            rows=given.max_batch_size.value if given.HasField("max_batch_size") else MAX_BATCH_SIZE,
            wait_s=given.batch_timeout_micros.value / 1e6,
            enqueued=given.max_enqueued_batches.value
            if given.HasField("max_enqueued_batches")
            else MAX_ENQUEUED_BATCHES,
            sizes=tuple(given.allowed_batch_sizes),
        )
        if limits.rows < 1 or limits.wait_s < 0 or limits.enqueued < 1:
            raise ValueError(
                f"{file}: max_batch_size and max_enqueued_batches are positive, batch_timeout_micros not negative"
            )
        if limits.sizes and (limits.sizes[-1] != limits.rows or list(limits.sizes) != sorted(set(limits.sizes))):
            raise ValueError(f"{file}: allowed_batch_sizes rise to max_batch_size, {limits.rows}")
        return limits
