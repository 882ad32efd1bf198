"""Models of every size for timing, with random weights; run by the environment `training`."""

import json
from itertools import product
from pathlib import Path

import click
import tensorflow as tf

from training.model_folder import read_card, save_weights
from training.networks import cnn
from training.served.export import export_saved_model, is_exported

BASED_ON = Path("serving/models/vv_vh_ascending_60_12/card.json")


@click.command()
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--filters", type=click.IntRange(1), multiple=True, required=True)
@click.option("--variant", "variants", type=click.Choice(["published", "paper"]), multiple=True, required=True)
def main(to: Path, filters: tuple[int, ...], variants: tuple[str, ...]) -> None:
    """Write `weights/F32-published/` and `served/F32-published/NAME/1/` for every size and variant; skip what is there."""
    card = json.loads(BASED_ON.read_text(encoding="utf-8"))
    kept = (
        "name",
        "version",
        "bands",
        "units",
        "window_px",
        "pixel_geometry",
        "fill_db",
        "standardisation",
        "threshold",
    )
    for number, variant in product(filters, variants):
        weights, served = (to / folder / f"F{number}-{variant}" for folder in ("weights", "served"))
        version = served / card["name"] / str(card["version"])
        if weights.is_dir() and is_exported(read_card(weights), version):
            continue
        tf.keras.utils.set_random_seed(number)
        constants = card["standardisation"]
        model = cnn(
            bands=len(card["bands"]),
            filters=number,
            variant=variant,  # type: ignore[arg-type]
            mean=[constants["mean"][band] for band in card["bands"]],
            std=[constants["std"][band] for band in card["bands"]],
        )
        about = {"variant": variant, "filters": number, "data_notice": "random weights, for timing only"}
        save_weights(model, weights, {key: card[key] for key in kept} | about)
        export_saved_model(weights, served)


if __name__ == "__main__":
    main()
