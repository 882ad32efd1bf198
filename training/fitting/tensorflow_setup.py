"""TensorFlow set up for a process that trains: threads, GPUs, memory."""

import ctypes

import tensorflow as tf

from training.fitting.environment import PACKAGES, version_of


class NoGpu(RuntimeError):
    """TensorFlow sees none where one was asked for; on the processor the training would take many times as long, unnoticed."""


def prepare(threads: int, *, needs_gpu: bool = False) -> None:
    """Set up TensorFlow for this process, before it is used: threads, memory of GPUs as it is needed, freed memory kept.

    Raises:
        NoGpu: one is needed, and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if needs_gpu and not gpus:
        raise NoGpu(
            "a GPU was asked for, and TensorFlow sees none: ask for as many as the machine has, and install `tensorflow` with CUDA instead "
            f"of `tensorflow-cpu` (here: {', '.join(name for name in PACKAGES if version_of(name))})"
        )
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep what TensorFlow frees: otherwise every batch maps its buffers anew, half of the time in page faults."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        # MMAP_MAX, ARENA_MAX, TRIM_THRESHOLD, TOP_PAD
        for option, value in ((-4, 0), (-8, 1), (-1, 2**31 - 1), (-2, 2**28)):
            libc.mallopt(option, value)
