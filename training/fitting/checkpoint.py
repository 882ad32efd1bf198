"""What a training needs to go on after a kill, written after every epoch; with it the best weights and the early stop.

Kept are all variables of the network, the states of its dropout generators among them, those of the optimizer, the best weights and
the history. The order of batches follows from seed and epoch. So a training that was killed and resumed takes the same steps as one
that was not; on one thread to the bit, on several as far as TensorFlow's kernels repeat themselves.
"""

import json
import os
import time
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from training.fitting.batches import Batches


class Keeper(keras.callbacks.Callback):
    """Early stop on `val_loss`, best weights, and a checkpoint after every epoch.

    Args:
        path: of the checkpoint.
        batches: shuffled for each epoch.
        patience: epochs without a better `val_loss` that end the training.
        began: when this process began to train, by `time.monotonic`.

    Attributes:
        history: one value an epoch for each measure.
    """

    def __init__(self, path: Path, batches: Batches, patience: int, *, began: float) -> None:
        super().__init__()
        self._path, self._batches, self._patience, self._began = path, batches, patience, began
        self._seconds_before = 0.0
        self._best_loss, self._waited = float("inf"), 0
        self._best: list[np.ndarray] = []
        self.history: dict[str, list[float]] = {}

    @property
    def epochs(self) -> int:
        """How many epochs have been trained."""
        return len(self.history.get("loss", []))

    @property
    def best_epoch(self) -> int | None:
        """From 1, that of the kept weights; None where no epoch had a finite loss."""
        return self.epochs - self._waited if self._best else None

    @property
    def seconds(self) -> float:
        """How long it has been trained: by this process, and by those before it up to their last checkpoint."""
        return self._seconds_before + time.monotonic() - self._began

    @property
    def is_over(self) -> bool:
        """Say whether patience ran out."""
        return self._waited >= self._patience

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shuffle."""
        self._batches.begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take note of an epoch and write the checkpoint."""
        values = logs or {}
        for name, value in values.items():
            self.history.setdefault(name, []).append(round(float(value), 6))
        if values["val_loss"] < self._best_loss:
            self._best_loss, self._waited, self._best = float(values["val_loss"]), 0, self.model.get_weights()
        else:
            self._waited += 1
        self._write()
        if self.is_over:
            self.model.stop_training = True

    def restore(self, model: keras.Model) -> int:
        """Bring a compiled network to where the checkpoint left it; return the epoch to begin with, 0 without a checkpoint.

        Raises:
            ValueError: the checkpoint is damaged.
        """
        if not self._path.exists():
            return 0
        model.optimizer.build(model.trainable_variables)
        try:
            with np.load(self._path) as arrays:
                for prefix, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
                    for number, variable in enumerate(variables):
                        variable.assign(arrays[f"{prefix}{number:03d}"])
                self._best = [arrays[name] for name in sorted(arrays.files) if name.startswith("best")]
                state = json.loads(str(arrays["state"]))
        except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ValueError(f"{self._path} is damaged ({error}): remove it, and this training begins anew") from error
        self.history, self._waited, self._best_loss = state["history"], state["waited"], state["best_loss"]
        self._seconds_before = state.get("seconds", 0.0)  # checkpoints of earlier versions do not say it
        return self.epochs

    def take_best(self, model: keras.Model) -> None:
        """Give a network the weights of its best epoch; those it has where no epoch had a finite loss."""
        if self._best:
            model.set_weights(self._best)

    def _write(self) -> None:
        arrays = {f"best{n:03d}": weight for n, weight in enumerate(self._best)}
        for prefix, variables in (("model", self.model.variables), ("optimizer", self.model.optimizer.variables)):
            arrays |= {f"{prefix}{n:03d}": variable.numpy() for n, variable in enumerate(variables)}
        state = {"history": self.history, "waited": self._waited, "best_loss": self._best_loss, "seconds": self.seconds}
        draft = self._path.with_name(f"{self._path.name}.draft")
        with draft.open("wb") as file:
            np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)
        os.replace(draft, self._path)
