"""What a model card says against its model: what its data cannot show, and where a threshold does better."""

from typing import Any

from training.experiments import Experiment, experiment_of

GENERAL = (
    "a score is no probability: calibrate it, and shift the calibration to the share of landslides where it is used",
    "patches of which at most 5 % slid were not learnt: smaller slides may be missed",
    "a slide after the earthquake, by an aftershock or by rain, looks like one of the earthquake",
)
SIMULATED_NOTICE = "demo model from simulated scenes, not fit for operations"
RESEARCH_NOTICE = "research model, not validated for operations"
SCORED_ON_SIMULATED = "scored on simulated scenes: nothing here says how well it finds real landslides"
SIMULATED = (
    "learnt from simulated scenes, from nothing real",
    "how much a simulated slide differs from what surrounds it is a choice of the simulator, and so is how high the scores are",
    "the simulator has no snow, standing water, passive layover or shadow, and no buildings",
)
NO_QUIET_SERIES = (
    "how often it alarms on real ground where nothing slid is not counted: the recorded quiet series is ascending"
)
IMPORTED = "nothing tells which patches it learnt from: scores here may be of ground that it knows"
RELEASED = (
    "nothing tells which patches its authors learnt from: scores on a test or validation part may be of ground that it knows, those on "
    "Sumatra and Haiti are not"
)
REAL = ("its landslides are those of inventories that others mapped from optical images, as complete as those are",)


PIXELS = {"utm_10m": "10 m pixels of a UTM grid", "epsg4326_10m": "10 m pixels of a grid in degrees"}


def limits(experiment: Experiment, pixel_geometry: str, *, learnt_from: str, scored_on: str) -> list[str]:
    """Return what whoever uses a model has to know; `learnt_from` and `scored_on` are kinds of patch sets."""
    made_for = (
        f"made for {experiment.orbit_pass.lower()} images on {PIXELS[pixel_geometry]}, "
        f"{experiment.pre_days} days before and {experiment.post_days} after; others are not judged alike"
    )
    quiet = [NO_QUIET_SERIES] if experiment.orbit_pass == "DESCENDING" else []
    scored = [SCORED_ON_SIMULATED] if scored_on == "simulated" else []
    return [made_for, *(SIMULATED if learnt_from == "simulated" else REAL), *scored, *quiet, *GENERAL]


def limits_of_card(card: dict[str, Any], *, scored_on: str, learnt_elsewhere: bool) -> list[str]:
    """Return the same for a card that is scored again; imported weights know only that they are imported.

    Args:
        card: of the model.
        scored_on: kind of the patch set.
        learnt_elsewhere: somebody knows that imported weights learnt from none of its ground.
    """
    if imported := card.get("imported"):
        return [] if learnt_elsewhere else [RELEASED if imported["released"] else IMPORTED]
    # earlier cards do not say it; they were scored on what they learnt from
    learnt_from = card["training"].get("patches_from") or card["scored_on"]["kind"]
    return limits(experiment_of(card), card["pixel_geometry"], learnt_from=learnt_from, scored_on=scored_on)


def where_the_baseline_wins(evaluation: dict[str, Any]) -> list[str]:
    """Return the parts, and their events, where threshold and density reach a higher F1 than the network at the card's threshold.

    Both ways of counting patches below 5 % are looked at: left out, and as background.
    """
    found = []
    for part, scored in evaluation.items():
        if not isinstance(scored, dict) or "baseline" not in scored:
            continue
        blocks = {part: scored} | {f"{part}, {event}": block for event, block in scored.get("events", {}).items()}
        if with_small := scored.get("subthreshold_as_background"):
            blocks[f"{part}, below 5 % as background"] = with_small
        found += [
            f"{where}: F1 of the baseline {block['baseline']['f1']:.3f}, of the network at {evaluation['threshold']:g} {block['f1']:.3f}"
            for where, block in blocks.items()
            if block["baseline"]["f1"] > block["f1"]
        ]
    return found
