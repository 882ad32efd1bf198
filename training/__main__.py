"""`python -m training`: one row a command; each command lies in the module that does its work and is imported when it is asked for."""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings; before it is imported

import click

sys.path.append(str(Path(__file__).parents[1] / "functions"))  # `sample` and `detections` use the service's library

COMMANDS = {
    "list": ("training.campaign.commands:list_command", "List trainings and how each of them stands."),
    "simulate": ("training.sources.simulated:simulate_command", "Simulate scenes and cut them into patches."),
    "sample": (
        "training.sources.sample:sample_command",
        "Export composites of the paper's earthquakes from Earth Engine.",
    ),
    "cut": ("training.sources.rasters_on_disk:cut_command", "Cut composites and inventories on disk into patches."),
    "arrays": (
        "training.sources.ready_arrays:arrays_command",
        "Bring ready patches (npy, npz, HDF5) into a patch set.",
    ),
    "fit": ("training.campaign.commands:fit_command", "Train what is chosen; finished runs are not repeated."),
    "vertex-spec": (
        "training.campaign.vertex:vertex_command",
        "Write Vertex AI custom jobs that train what is chosen.",
    ),
    "evaluate": (
        "training.evaluation.evaluate_command:evaluate_command",
        "Score a model folder again on the test part and unseen events.",
    ),
    "explain": (
        "training.explanation.command:explain_command",
        "Show what each pixel contributed, and on which slopes landslides are found.",
    ),
    "detections": (
        "training.evaluation.detections_command:detections_command",
        "Hold a model's detections on whole scenes against their landslides.",
    ),
    "curves": (
        "training.evaluation.curve_figures:curves_command",
        "Draw precision over recall, and reliability, of a finished training.",
    ),
    "quiet-series": (
        "training.evaluation.quiet_series:quiet_series_command",
        "Note in a model's card what `make quiet` found on real radar.",
    ),
    "table": (
        "training.evaluation.table_command:table_command",
        "Print a table of the paper, or draw Figure 2, with our runs beside it.",
    ),
    "import-weights": (
        "training.weights.importing:import_weights_command",
        "Make a model folder of a weights file of Keras 2, such as the released ones.",
    ),
    "precision-effect": (
        "training.evaluation.precision_effect:precision_effect_command",
        "Count the decisions of a model that bfloat16 changes, and time it.",
    ),
    "export": ("training.served.export:export_command", "Write SavedModels for TensorFlow Serving."),
}
"""Name -> (module:command, what `--help` says of it). Importing TensorFlow takes seconds: `list` and `--help` go without."""


class LazyCommands(click.Group):
    """A group that imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what the system refuses, such as a folder that is not ours to write to, is an error without a traceback."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read has gone; click ends quietly
                raise
            raise click.ClickException(str(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


HELP = """Train the landslide classifier of Nava et al. 2026, compare it, explain it.

\b
The demo models were made so, from simulated scenes:
  python -m training simulate --scenes-per-event 80 --unseen-scenes-per-event 10 --jobs 2
  python -m training fit --models 'vv*_60_12' --epochs 40 --patience 4 --jobs 2 --threads 1 --publish serving/models
"""


@click.group(cls=LazyCommands, help=HELP)
def main() -> None:
    """Take a command from the table."""


if __name__ == "__main__":
    main()
