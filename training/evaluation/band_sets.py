"""What VH is worth: models of VV and of VV and VH compared on the events that have both (Nava et al. 2026, section 4; R12).

The paper compares both band sets on six events, with identical patches (4.1), and reports a VV model that learnt from all nine besides.
Tables A2 and A3 are taken for the comparison on six; their captions do not say so. The nine are met in Table 4 alone, whose caption
does, with the best model of each pass for 60-12.
"""

from collections.abc import Sequence
from itertools import product

from training.evaluation.lines import Line, percent
from training.evaluation.published import Published, read_published
from training.evaluation.runs import At, Run, median_and_spread, of_one_kind
from training.experiments import PASSES, WINDOWS
from training.model_name import Polarisation
from training.patches.split import is_unseen
from training.sources.event_list import paper_events

NINE = frozenset(event.name for event in paper_events() if not is_unseen(event.name))
SIX = frozenset(event.name for event in paper_events() if event.name in NINE and event.polarisation == "vv_vh")

COLUMNS: dict[str, tuple[Polarisation, frozenset[str], str]] = {
    "VV, six events": ("vv", SIX, "A3"),
    "VV, nine events": ("vv", NINE, "4"),
    "VV and VH, six events": ("vv_vh", SIX, "A2"),
}
"""Title -> what was learnt from, and the table that prints it."""

R12_NOTE = """F1 (%) of the CNN on the test part of the events it learnt from: median ± standard deviation, in brackets how many trainings.
The paper's are over 24 trainings; its value for nine events is that of the best model (Table 4).
Trainings on other events than these are not counted.
"""


def events_of(row: Published) -> frozenset[str]:
    """Return the events that a row of the paper is about: nine for VV in Table 4, six else."""
    return NINE if (row.table, row.polarisation) == ("4", "vv") else SIX


def of_row(row: Published, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that belong to a row: those on its events; where there are none, all that were not restricted to some events.

    Imported weights do not say what they learnt from, and always belong.
    """
    own = [run for run in runs if run.key == row.key]
    imported, trained = ([run for run in own if run.is_imported is kind] for kind in (True, False))
    exactly = [run for run in trained if run.learnt_from == events_of(row)]
    return (exactly or [run for run in trained if not run.experiment.events]) + imported


def r12_table(runs: Sequence[Run], at: At) -> list[Line]:
    """Return, for each pair of windows and each pass, the paper's F1 and ours for the three columns; cells without a run stay empty.

    Raises:
        MixedRuns: trainings of one cell are of several kinds.
    """
    lines = []
    for (pre_days, post_days), orbit_pass in product(WINDOWS, PASSES):
        stack = f"{pre_days}-{post_days}"
        head = {"Stacks": stack, "Orbit": orbit_pass.lower()}
        paper, ours, suspect, data = {}, {}, [], set()
        for title, (polarisation, events, table) in COLUMNS.items():
            printed = [row for row in read_published(table) if row.key == (polarisation, orbit_pass, stack, "cnn")]
            paper[title] = printed[0].cell("f1") if printed else ""
            suspect += [text for row in printed if table != "4" for text in row.suspect]
            key = polarisation, orbit_pass, stack, "cnn"
            own = of_one_kind([run for run in runs if run.key == key and run.learnt_from == events])
            ours[title] = f"{percent(*median_and_spread(own, 'f1', at))} ({len(own)})" if own else ""
            data |= {run.data for run in own}
        lines.append({**head, "Source": "paper", **paper, "Remark": "; ".join(dict.fromkeys(suspect))})
        lines.append({**head, "Source": "ours", **ours, "Remark": ", ".join(sorted(data))})
    return lines
