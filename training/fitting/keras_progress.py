"""Tells a report where a training of Keras is."""

import time
from typing import Any

import keras

from training.fitting.progress import Facts, Report

EVERY_S = 1.0


class Reporter(keras.callbacks.Callback):
    """Calls `report` about once a second, and at the end of every epoch.

    Args:
        report: takes the facts and whether an epoch has just ended.
        first_epoch: from 0; greater than 0 where a training goes on.
    """

    def __init__(self, report: Report, *, first_epoch: int) -> None:
        super().__init__()
        self._report, self._first = report, first_epoch
        self._val_loss: float | None = None
        self._val_f1: float | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started = self._told = time.monotonic()
        self._done = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count a batch."""
        self._done += 1
        if time.monotonic() - self._told >= EVERY_S:
            self._tell(logs or {}, ended=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell what the validation said."""
        values = logs or {}
        self._val_loss, self._val_f1 = float(values["val_loss"]), float(values["val_f1"])
        self._tell(values, ended=True)

    def _tell(self, values: dict[str, Any], *, ended: bool) -> None:
        self._told = time.monotonic()
        per_epoch, epochs = self.params["steps"], self.params["epochs"]
        steps, step = epochs * per_epoch, self._first * per_epoch + self._done
        facts = Facts(
            epoch=self._epoch + 1,
            epochs=epochs,
            step=step,
            steps=steps,
            loss=float(values["loss"]),
            val_loss=self._val_loss,
            val_f1=self._val_f1,
            seconds_left=(self._told - self._started) / self._done * (steps - step),
        )
        self._report(facts, ended)
