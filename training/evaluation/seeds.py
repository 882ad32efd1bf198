"""Trainings that differ in nothing but the seed, side by side: how much of a score is luck, and whether it beats the baseline.

A seed decides weights, dropout and the order of batches, never the patches: the counts are those of every seed.
"""

import statistics
from collections.abc import Sequence

from training.evaluation.lines import Line
from training.evaluation.runs import WITH_SMALL, At, Run, differing

SHOWN = {"f1": "F1", "precision": "Precision", "recall": "Recall"}
SEEDS_NOTE = """Smallest / median / greatest score over the seeds; one number where they are alike. AP: average precision.
At most ten background patches for each landslide patch of an event; patches below 5 % are left out, but in the column that says so:
there they count as background, as the paper has it (3.2).
"""
SEPARATOR = " / "
IN_THE_NAME = {"polarisation", "orbit_pass", "pre_days", "post_days", "variant", "seed"}


def seeds_table(runs: Sequence[Run], at: At) -> list[Line]:
    """Return, for each model and part, smallest, median and greatest score over the seeds, and the baseline's.

    Args:
        runs: of any models; those are taken together that saw the same patches and differ in the seed alone.
        at: the threshold of the network's scores; average precision needs none, and the baseline has its own.
    """
    groups: dict[tuple[str, ...], list[Run]] = {}
    differ = {model: differing(group, but=IN_THE_NAME) for model, group in _by_model(runs).items()}
    for run in sorted(runs, key=lambda run: run.experiment.seed):
        model = run.experiment.model_name
        other = "; ".join(f"{name} {run.values[name]}" for name in differ[model])
        groups.setdefault((model, run.experiment.variant, other), []).append(run)
    return [
        {
            "Model": model,
            "Variant": variant,
            **({"Values": other} if any(differ.values()) else {}),
            "Part": part,
            **scored,
        }
        for (model, variant, other), group in sorted(groups.items())
        for part in group[0].scored_parts
        for scored in _network_and_baseline(group, part, at)
    ]


def _by_model(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.experiment.model_name, []).append(run)
    return found


def _network_and_baseline(group: Sequence[Run], part: str, at: At) -> list[Line]:
    blocks = [run.evaluation[part] for run in group]
    seeds = ", ".join(filter(None, (run.values["seed"] for run in group)))
    patches = {"Landslides": str(blocks[0]["landslides"]), "Patches": str(blocks[0]["patches"])}
    ours = {title: _spread([run.measure(part, name, at) for run in group]) for name, title in SHOWN.items()}
    ours["AP"] = _spread([block["average_precision"] for block in blocks])
    ours[WITH_SMALL] = _spread([run.measure_with_small(part, "f1", at) for run in group])
    every = {**SHOWN, "average_precision": "AP"}
    base = {title: _spread([block["baseline"][name] for block in blocks]) for name, title in every.items()}
    base[WITH_SMALL] = _spread([block["subthreshold_as_background"]["baseline"]["f1"] for block in blocks])
    return [
        {"Source": "network", "Seeds": seeds, **ours, **patches, "Data": group[0].data},
        {"Source": "threshold and density", "Seeds": "", **base, **patches, "Data": group[0].data},
    ]


def _spread(values: Sequence[float]) -> str:
    """Return smallest, median and greatest value; one number where they are all alike."""
    three = [f"{value:.3f}" for value in (min(values), statistics.median(values), max(values))]
    return three[0] if len(set(three)) == 1 else SEPARATOR.join(three)
