"""`python -m training import-weights`: a model folder out of a weights file of the released tool, or of another one like it."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from training.architectures import Variant
from training.evaluation.scores import THRESHOLD
from training.experiments import BANDS
from training.model_folder import UnusableModel, network_card, save_weights, sha256_of
from training.model_name import ModelName
from training.weights.forensic import examine
from training.weights.legacy import LegacyWeights, UnreadableWeights, read_legacy

PUBLISHED = Path(__file__).parents[2] / "serving" / "published_weights.json"
"""sha256 -> name and filters of the two released files."""

FILL_DB = {"postVV": -10.0, "postVH": -16.0, "diffVV": 0.0, "diffVH": 0.0}
"""For missing pixels, of which the released tool has no notion: usual C-band values of vegetated slopes, and no change."""

NOTICE = "weights of the authors of SAR-LRA (Nava et al. 2026); licence not confirmed: do not redistribute"
FOREIGN_NOTICE = "imported weights: nothing here says how good they are"


class UnknownWeights(ValueError):
    """The file does not say which network it is of, and nobody else did, or what was said contradicts the file."""


def import_weights(
    file: Path,
    to: Path,
    *,
    variant: Variant | None = None,
    name: str | None = None,
    version: int = 2,
    pixel_geometry: str = "epsg4326_10m",
    despite_forensics: bool = False,
) -> tuple[Path, dict[str, Any]]:
    """Write `to/<name>/` with weights.npz (float32, as they are) and card.json.

    Args:
        file: HDF5 of Keras 2.
        to: folder of models.
        variant: of the network; must be given for a file that is none of the released ones.
        name: the model is to be served under; likewise. A released file has its own.
        version: it is served under; the demo models have 1, and a server that has loaded a version does not look at it again.
        pixel_geometry: the pixels it was trained on.
        despite_forensics: import it even though the weights look like the other variant.

    Returns:
        The model folder and its card.

    Raises:
        UnreadableWeights: see `read_legacy`.
        UnknownWeights: variant or name are missing, or contradict the file.
        OSError: the file cannot be read.
    """
    weights = read_legacy(file)
    digest = sha256_of(file)
    released = json.loads(PUBLISHED.read_text(encoding="utf-8")).get(digest)
    if released:
        if variant == "paper":
            raise UnknownWeights(f"{file} is a file of the released tool, whose network is 'published', not 'paper'")
        if name not in (None, released["name"]):
            raise UnknownWeights(f"{file} is {released['name']!r} of the released tool: it cannot be called {name!r}")
        variant, name = "published", released["name"]
    if variant is None or name is None:
        raise UnknownWeights(
            f"{file}: sha256 {digest} is none of the released files; say --variant (the file loads into either without an "
            "error and scores wrongly in one) and --name, such as vv_vh_ascending_60_12"
        )
    bands = _bands_of(file, name, weights)
    evidence = examine(weights.hidden_kernel, weights.filters)
    if evidence.verdict not in ("undecided", variant) and not despite_forensics:
        raise UnknownWeights(
            f"{file}: imported as {variant!r}, but its weights look trained as {evidence.verdict!r} ({evidence.as_dict()}); "
            "say --despite-forensics if you know better"
        )
    card = network_card(
        name,
        bands,
        version=version,
        variant=variant,
        filters=weights.filters,
        fill_db={band: FILL_DB[band] for band in bands},
        standardisation=None,
        pixel_geometry=pixel_geometry,
        threshold=THRESHOLD,
        calibration=None,
        data_notice=NOTICE if released else FOREIGN_NOTICE,
    )
    card["imported"] = {
        "file": file.name,
        "sha256": digest,
        "released": released is not None,
        "forensic": evidence.as_dict(),
    }
    save_weights(weights.model(variant), to / name, card, dtype=np.float32)
    return to / name, card


def _bands_of(file: Path, name: str, weights: LegacyWeights) -> tuple[str, ...]:
    try:
        bands = BANDS[ModelName.parse(name).polarisation]
    except ValueError as error:
        raise UnknownWeights(str(error)) from error
    if len(bands) != weights.bands:
        raise UnknownWeights(f"{file} has {weights.bands} bands, a model named {name} has {len(bands)}")
    return bands


IMPORT_HELP = """Make a model folder of a weights file of Keras 2 (HDF5), such as the released ones.

A released file is known by its sha256; of any other, --variant and --name must be said. The weights themselves are asked which
variant they were trained as. An import is version 2, the demo models are version 1: where a detector asks for a label, as MODEL_LABEL
says, move it to version 2 in models.config.

\b
Example:
  python -m serving.fetch_models --from ADDRESS
  python -m training import-weights build/published/vv_vh_ascending_60_12/weights.hdf5
  python -m training export --models build/imported --to build/models
"""


@click.command("import-weights", help=IMPORT_HELP)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--variant", type=click.Choice(["published", "paper"]), help="Needed for a file that is not known.")
@click.option("--name", help="Of the model, such as vv_vh_ascending_60_12; needed for a file that is not known.")
@click.option(
    "--pixel-geometry", type=click.Choice(["epsg4326_10m", "utm_10m"]), default="epsg4326_10m", show_default=True
)
@click.option(
    "--version", type=click.IntRange(1), default=2, show_default=True, help="Served under; the demo models have 1."
)
@click.option("--to", type=click.Path(path_type=Path), default=Path("build/imported"), show_default=True)
@click.option("--despite-forensics", is_flag=True, help="Import weights that look like the other variant.")
def import_weights_command(file: Path, to: Path, **said: Any) -> None:
    """Make a model folder of a weights file of Keras 2."""
    try:
        folder, card = import_weights(file, to, **said)
    except (UnknownWeights, UnreadableWeights, UnusableModel, OSError) as error:
        raise click.ClickException(str(error)) from error
    forensic = card["imported"]["forensic"]
    click.echo(
        f"{folder}: {card['variant']}, F = {card['filters']}, {len(card['bands'])} bands; the weights look like: {forensic['verdict']} "
        f"(agreement {forensic['agreement']}, correlation {forensic['correlation']}, spread {forensic['spread']})"
    )
