"""False alarms in the quiet mountains: every possible pseudo-earthquake of the recorded series, through the whole system.

A smoke test on real backscatter: 30 m gamma0 is less speckled than the 10 m GRD the models are made for, and the windows of one
series are not independent, so the interval below is too narrow for a false-alarm rate of the method.
"""

import json
import shutil
import sys
from datetime import timedelta
from math import sqrt
from typing import Any

from infra.local import elsewhere, quiet
from infra.local.stack import Stack
from infra.local.stories import BUILD, PRETENDED, RECORDINGS, console, step

Z95 = 1.959964


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if not trials:
        return 0.0, 1.0
    share, spread = hits / trials, Z95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def main(only: str | None = None) -> int:
    """Send a manual message for every pseudo-date; print windows scored, alarms and an interval, and write them to `alarms.json`.

    Args:
        only: name of the one model to be served; without it all are, and the detector chooses.
    """
    folder = BUILD / "quiet"
    models_folder = BUILD / "models"
    if only is not None:
        if not (models_folder / only).is_dir():
            console.print(
                f"no model {only!r} in {models_folder}: there are {', '.join(sorted(p.name for p in models_folder.glob('v*')))}"
            )
            return 2
        models_folder = folder / "models"
        shutil.rmtree(models_folder, ignore_errors=True)
        shutil.copytree(BUILD / "models" / only, models_folder / only)
    recording = RECORDINGS / "california"
    with step("Laying out the real series"):
        quiet.write_archive(recording, folder / "archive")
    taken = quiet.acquisitions(recording)
    elsewhere.write_archive(folder / "archive", taken[-1].time, taken[-1].time + timedelta(days=20))
    dates = list(quiet.pseudo_dates(taken))
    stack = Stack(
        folder / "stack",
        archive=folder / "archive",
        recording=RECORDINGS / "usgs",
        models=models_folder,
        bundles=BUILD / "bundles",
        start=taken[-1].time + timedelta(days=20),
        settings={"export_composites": {"SHARD_PX": "512", "STAGES": "60-12", "DATA_NOTICE": PRETENDED}},
    )
    area = quiet.area(recording)
    models: dict[str, dict[str, Any]] = {}  # by sha256 of their weights
    by_date: list[dict[str, Any]] = []
    with stack:
        for date in dates:
            event_id = f"quiet{date:%Y%m%d}"
            message = {
                "kind": "manual",
                "version": 1,
                "event_id": event_id,
                "aoi": area,
                "post_start": date.isoformat(),
            }
            stack.publish("earthquakes", {**message, "stages": ["60-12"]})
            stack.settle()
            for _ in range(2):
                stack.go_to(stack.clock.now() + timedelta(hours=1))
            names = [blob.name for blob in stack.bucket("results").list_blobs(prefix=f"detections/{event_id}/")]
            if not names:
                console.print(f"  {date:%Y-%m-%d}  no product; see {stack.folder / 'logs'}")
                return 1
            product = json.loads(stack.bucket("results").blob(names[-1]).download_as_bytes())
            counts = product["counts"]
            models[product["model"]["sha256"]] = product["model"]
            by_date.append(
                {
                    "date": f"{date:%Y-%m-%d}",
                    "windows": counts["windows_scored"],
                    "alarms": counts["candidates"],
                    "detections": counts["detections"],
                }
            )
            console.print(
                f"  {date:%Y-%m-%d}  {counts['windows_scored']} windows scored, {counts['candidates']} alarms, {product['outcome']}"
            )
    alarms = summary(models, by_date, command=f"make quiet MODEL={only}" if only else "make quiet")
    (folder / "alarms.json").write_text(json.dumps(alarms, indent=1) + "\n", encoding="utf-8")
    low, high = alarms["interval_95_of_share_if_independent"]
    console.print(
        f"{len(dates)} pseudo-dates: {alarms['windows']} windows scored, {alarms['alarms']} alarms ({alarms['detections']} detections): "
        f"{alarms['alarms'] / max(alarms['windows'], 1):.2%}, 95 % interval {low:.2%} to {high:.2%} as if windows were independent\n"
        f"{folder / 'alarms.json'}"
    )
    return 0


def summary(models: dict[str, dict[str, Any]], by_date: list[dict[str, Any]], *, command: str) -> dict[str, Any]:
    """Return what `alarms.json`, and after it the model's card, says of the campaign.

    Args:
        models: as the products name them, by sha256 of their weights.
        by_date: `date`, `windows`, `alarms`, `detections` of each pseudo-earthquake.
        command: that gives it again.

    Raises:
        ValueError: not one model scored it all.
    """
    if len(models) != 1:
        raise ValueError(
            f"one model has to score the whole series; these did: {sorted(m['name'] for m in models.values())}"
        )
    totals = {name: sum(row[name] for row in by_date) for name in ("windows", "alarms", "detections")}
    return {
        "command": command,
        "series": "OPERA RTC-S1, 30 m gamma0 on a 10 m grid, two sites in California without a known landslide event",
        "notice": "a smoke test on real radar, not a false-alarm rate: less speckled than 10 m images, and windows are not independent",
        "model": next(iter(models.values())),
        "pseudo_dates": len(by_date),
        **totals,
        "interval_95_of_share_if_independent": [
            round(bound, 4) for bound in wilson(totals["alarms"], totals["windows"])
        ],
        "by_date": by_date,
    }


if __name__ == "__main__":
    sys.exit(main())
