"""A process that trains one run after another: tasks come in as lines of JSON, outcomes go out as such.

It lives and dies with whoever started it: when its input ends, be it that the parent was killed, it ends in the middle of a run. The
run's checkpoint stays, and its claim is let go.
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path

from training.campaign.plan import Task
from training.dataset import Dataset

ROOT = Path(__file__).parents[2]
"""Of the checkout, where workers start."""
RUNS_PER_WORKER = 8
"""Then a fresh process: TensorFlow gives memory of earlier graphs back only at its end."""


def train_task(task: Task) -> str:
    """Train one task unless it is finished or somebody else works on it; return the outcome."""
    import keras

    from training.fitting.fit import run
    from training.fitting.progress import to_file

    keras.utils.clear_session()
    _, outcome = run(task.experiment, Dataset(task.data), task.runs, command=task.command, report=to_file(task.folder))
    return outcome


def main() -> None:
    """Serve until the input ends; the arguments are the number of threads and, where it must have one, the word `gpu`."""
    outcomes = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no outcome
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    from training.fitting.tensorflow_setup import prepare

    prepare(int(sys.argv[1]), needs_gpu=sys.argv[2:] == ["gpu"])
    while True:
        outcome = train_task(Task.from_json(lines.get()))
        outcomes.write(json.dumps({"outcome": outcome}) + "\n")
        outcomes.flush()


if __name__ == "__main__":
    main()
