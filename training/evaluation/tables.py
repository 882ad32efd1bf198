"""Tables 4, 5, A1, A2 and A3 of the paper with our runs beside the printed numbers.

Where no run exists a cell stays empty. Ours are what `data` says they are: numbers of simulated scenes stand beside the paper's to show
that the same procedure was followed, not that the same was measured.
"""

from collections.abc import Sequence

from training.evaluation.band_sets import events_of, of_row
from training.evaluation.lines import Line, percent
from training.evaluation.published import Published, read_published
from training.evaluation.runs import (
    ROW,
    VARIED,
    WITH_SMALL,
    At,
    Run,
    best_on_validation,
    differing,
    kinds,
    median_and_spread,
)
from training.evaluation.scores import MEASURES
from training.patches.split import unseen_earthquake

PERCENT = {"accuracy": "Accuracy (%)", "precision": "Precision (%)", "recall": "Recall (%)", "f1": "F1 (%)"}
SHARE = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}


def grid_table(table: str, runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table A1, A2 or A3: for each row the paper's, our median and spread over the runs, and the run chosen on validation.

    Runs that differ in more than the paper's grid and the seed have lines of their own.
    """
    lines = []
    for row in read_published(table):
        head = (
            {"Network": row.architecture} if table == "A1" else {"Orbit": row.orbit_pass.lower(), "Stacks": row.stack}
        )
        paper = {PERCENT[m]: row.cell(m) for m in MEASURES}
        lines.append(head | {"Source": "paper", "Runs": "24"} | paper | _suspect(row))
        for own in _kinds(row, runs):
            ours = {PERCENT[m]: percent(*median_and_spread(own, m, at)) if own else "" for m in MEASURES}
            chosen = {PERCENT[m]: _chosen(own, m, at) for m in MEASURES}
            remark = _remark(own, row, runs)
            lines.append(head | {"Source": "ours, median ± sd", "Runs": str(len(own))} | ours | remark)
            lines.append(head | {"Source": "ours, best on validation", "Runs": str(min(1, len(own)))} | chosen | remark)
    return lines


def table_4(runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table 4: hyperparameters and scores of the best models; ours are chosen on validation, the baseline on the same patches."""
    lines = []
    names = {"imbalance": "Imbalance", "filters": "Filters", "dropout": "Dropout", "learning_rate": "Learning rate"}
    for row in read_published("4"):
        head = {"Name": row.polarisation, "Orbit": row.orbit_pass.lower()}
        values = {title: row.values[key] for key, title in names.items()}
        paper = {PERCENT[m]: row.cell(m) for m in MEASURES}
        lines.append(head | {"Source": "paper"} | values | paper | NO_MORE | _suspect(row))
        for own in _kinds(row, runs):
            best = best_on_validation(own, at) if own else None
            values = {title: best.values[key] if best else "" for key, title in names.items()}
            scores = {PERCENT[m]: _chosen(own, m, at) for m in MEASURES}
            remark = _remark(own, row, runs)
            lines.append(
                head | {"Source": "ours, best on validation"} | values | scores | _more(best, "test", at) | remark
            )
            base = best.evaluation["test"]["baseline"] if best else {}
            threshold = {PERCENT[m]: percent(base[m]) if best else "" for m in MEASURES}
            empty = dict.fromkeys(names.values(), "")
            lines.append(
                head
                | {"Source": "threshold and density"}
                | empty
                | threshold
                | _more_of_baseline(best, "test")
                | remark
            )
    return lines


def table_5(runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table 5: unseen events, scored by the model chosen on validation, and by the baseline."""
    lines = []
    for row in read_published("5"):
        head = {"Event": row.event, "Orbit": row.orbit_pass.lower()}
        counts = {"Negatives": row.values["negatives"], "Positives": row.values["positives"]}
        paper = {SHARE[m]: row.cell(m) for m in MEASURES}
        lines.append(head | {"Source": "paper"} | counts | paper | NO_MORE | _suspect(row))
        for own in _kinds(row, runs):
            best = best_on_validation(own, at) if own else None
            part = _part_of(best, row.event) if best else None
            counts, ours, base = (
                {"Negatives": "", "Positives": ""},
                dict.fromkeys(SHARE.values(), ""),
                dict.fromkeys(SHARE.values(), ""),
            )
            more, more_of_baseline = NO_MORE, NO_MORE
            if best and part:
                block = best.evaluation[part]
                counts = {
                    "Negatives": str(block["patches"] - block["landslides"]),
                    "Positives": str(block["landslides"]),
                }
                ours = {SHARE[m]: f"{best.measure(part, m, at):.4f}" for m in MEASURES}
                base = {SHARE[m]: f"{block['baseline'][m]:.4f}" for m in MEASURES}
                more, more_of_baseline = _more(best, part, at), _more_of_baseline(best, part)
            remark = _remark(own, row, runs)
            lines.append(head | {"Source": "ours, best on validation"} | counts | ours | more | remark)
            lines.append(head | {"Source": "threshold and density"} | counts | base | more_of_baseline | remark)
    return lines


def _part_of(run: Run, earthquake: str) -> str | None:
    """Return the part in which a run scored an unseen earthquake, whatever name its patches had."""
    return next((p for p in run.scored_parts if unseen_earthquake(p.removeprefix("unseen_")) == earthquake), None)


INTERVAL = "F1, 95 % interval"
NO_MORE = {INTERVAL: "", WITH_SMALL: ""}


def _more(run: Run | None, part: str, at: At) -> Line:
    """Return how far F1 could have come out otherwise, and what it is where patches below 5 % count, as shares of 1."""
    if run is None:
        return NO_MORE
    low, high = run.interval(part, "f1", at)
    return {INTERVAL: f"{low:.3f} to {high:.3f}", WITH_SMALL: f"{run.measure_with_small(part, 'f1', at):.3f}"}


def _more_of_baseline(run: Run | None, part: str) -> Line:
    if run is None:
        return NO_MORE
    block = run.evaluation[part]
    low, high = block["baseline"]["intervals_95"]["f1"]
    return {
        INTERVAL: f"{low:.3f} to {high:.3f}",
        WITH_SMALL: f"{block['subthreshold_as_background']['baseline']['f1']:.3f}",
    }


def _kinds(row: Published, runs: Sequence[Run]) -> list[list[Run]]:
    return kinds(of_row(row, runs)) or [[]]


def _chosen(runs: Sequence[Run], metric: str, at: At) -> str:
    return percent(best_on_validation(runs, at).measure("test", metric, at)) if runs else ""


def _suspect(row: Published) -> Line:
    return {"Remark": "; ".join(row.suspect)}


def _remark(own: Sequence[Run], row: Published, runs: Sequence[Run]) -> Line:
    """Say what data a line is from, what it learnt from if not as the paper, its kind if there are several, and what varies in it."""
    if not own:
        return {"Remark": ""}
    said = sorted({run.data for run in own})
    for count in sorted({len(run.learnt_from) for run in own if run.learnt_from != events_of(row)}):
        said.append(
            f"learnt from {count} event{'s' * (count > 1)}, not the paper's {len(events_of(row))}"
            if count
            else "events unknown"
        )
    of_kind = differing(of_row(row, runs), but=VARIED | ROW)
    said += [f"{name} {own[0].values[name]}" for name in of_kind]
    if varied := [name.replace("_", " ") for name in differing(own) if name in VARIED]:
        said.append(f"over {', '.join(varied)}")
    return {"Remark": ", ".join(said)}
