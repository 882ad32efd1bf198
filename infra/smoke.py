"""`make smoke`: triggers a small known event in a deployed project and follows it to its GeoJSON.

    python -m infra.smoke --project P --region R [--minutes 90]

The event is 12 x 12 km of the Noto peninsula (M 7.5, 1 January 2024), one stage, under a new id each time; its Sentinel-1 scenes have long
been there, so nothing waits for the satellite. Earth Engine needs 5 to 40 minutes for the composites. Exit code 1 says what is missing.
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core import exceptions as api_errors
from google.cloud import pubsub_v1, storage

from infra.google_api import GoogleApi, Refusal
from infra.preflight import check

WEST, SOUTH, EAST, NORTH = 136.885, 37.300, 137.020, 37.408  # degrees
AREA = {
    "type": "Polygon",
    "coordinates": [[[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]],
}
POST_START = "2024-01-01T07:10:09+00:00"
STAGE = "60-12"
NUDGE_S = 120  # the sweep comes once an hour; meanwhile we ask for the watch ourselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something that appears in a bucket as the event goes on.

    Attributes:
        bucket: short name.
        prefix: of the object, with {event}.
        what: in words.
        share: of the time allowed, from the start, by which it must be there.
        remedy: what to look at if it is not.
    """

    bucket: str
    prefix: str
    what: str
    share: float
    remedy: str


MILESTONES = (
    Milestone(
        bucket="state",
        prefix="watches/open/{event}",
        what="the exporter has opened a watch",
        share=0.15,
        remedy="export-composites does not get its messages or fails: read its log, and subscription earthquakes-to-export-composites.",
    ),
    Milestone(
        bucket="composites",
        prefix="manifests/{event}/",
        what="composites are planned",
        share=0.25,
        remedy="No usable Sentinel-1 pass was found or Earth Engine does not list scenes: read export-composites' log.",
    ),
    Milestone(
        bucket="composites",
        prefix="shards/{event}/",
        what="Earth Engine has written a composite",
        share=0.85,
        remedy="Look at Earth Engine's tasks (https://code.earthengine.google.com/tasks) and whether its quota allows batch exports.",
    ),
    Milestone(
        bucket="results",
        prefix="detections/{event}/",
        what="the map is there",
        share=1.0,
        remedy="detect-landslides does not score: read its log; is the model server up, and do its models have cards in the bucket?",
    ),
)


class Smoke:
    """One run against one project.

    Args:
        project: Google Cloud project.
        prefix: start of the buckets' names.
        pause_s: between two looks.
        say: prints a line.
    """

    def __init__(self, project: str, prefix: str, *, pause_s: float = 15, say: Callable[[str], None] = print) -> None:
        self.project, self.prefix = project, prefix
        self.event = f"smoke{datetime.now(UTC):%Y%m%d%H%M%S}_{uuid.uuid4().hex[:4]}"
        self._pause_s, self._say = pause_s, say
        self._storage = storage.Client(project=project)
        self._publisher = pubsub_v1.PublisherClient()

    def run(self, minutes: float) -> str:
        """Trigger the event and follow it; return the GeoJSON's name.

        Raises:
            Refusal: something is missing or did not come in time.
        """
        self.must_be_deployed()
        self.publish("earthquakes", self.request())
        self._say(f"asked for {self.event}, {STAGE}, 12 x 12 km of Noto; following it for {minutes:g} minutes at most")
        start = nudged = time.monotonic()
        for milestone in MILESTONES:
            while (found := self.first(milestone)) is None:
                if problems := list(self.problems()):
                    raise Refusal(
                        "The system says why it cannot go on:\n" + "\n".join(f"  {line}" for line in problems)
                    )
                if time.monotonic() - start > milestone.share * minutes * 60:
                    late = f"After {milestone.share * minutes:.0f} minutes it is not so that {milestone.what}."
                    raise Refusal(f"{late}\n  {milestone.remedy}")
                if time.monotonic() - nudged > NUDGE_S:
                    nudged = time.monotonic()
                    self.publish("watches", {"kind": "watch", "version": 1, "event_id": self.event})
                time.sleep(self._pause_s)
            self._say(f"  {(time.monotonic() - start) / 60:5.1f} min  {milestone.what}: {found}")
        return found

    def request(self) -> dict[str, Any]:
        """Return the manual message."""
        wanted = {"event_id": self.event, "aoi": AREA, "post_start": POST_START, "stages": [STAGE]}
        return {"kind": "manual", "version": 1, **wanted}

    def must_be_deployed(self) -> None:
        """Return if topics and buckets are there.

        Raises:
            Refusal: one is not, or may not be used.
        """
        for topic in ("earthquakes", "watches"):
            path = self._publisher.topic_path(self.project, topic)
            with _understood(path, self.project):
                self._publisher.get_topic(topic=path)
        for short in ("state", "composites", "results", "models"):
            with _understood(f"gs://{self.prefix}-{short}", self.project):
                self._storage.get_bucket(f"{self.prefix}-{short}")
        names = [blob.name for blob in self._storage.list_blobs(f"{self.prefix}-models")]
        if not any(name.endswith("/card.json") for name in names):
            raise Refusal(f"No model card lies in gs://{self.prefix}-models.\n  Run: make models deploy")

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Publish as a person would."""
        path = self._publisher.topic_path(self.project, topic)
        attributes = {"kind": message["kind"], "event_id": message["event_id"]}
        with _understood(path, self.project):
            self._publisher.publish(path, json.dumps(message, sort_keys=True).encode(), **attributes).result(timeout=30)

    def first(self, milestone: Milestone) -> str | None:
        """Return the first object of a milestone, or None while there is none."""
        prefix = milestone.prefix.format(event=self.event)
        bucket = f"{self.prefix}-{milestone.bucket}"
        with _understood(f"gs://{bucket}", self.project):
            names = [blob.name for blob in self._storage.list_blobs(bucket, prefix=prefix, max_results=1)]
        if not names and "/open/" in prefix:  # a watch over old scenes may have ended already
            closed = self._storage.list_blobs(bucket, prefix=prefix.replace("/open/", "/closed/"), max_results=1)
            names = [blob.name for blob in closed]
        return names[0] if names else None

    def problems(self) -> Iterator[str]:
        """Yield what the system has recorded as beyond its own healing."""
        for blob in self._storage.list_blobs(f"{self.prefix}-state", prefix=f"problems/{self.event}/"):
            problem = json.loads(blob.download_as_bytes())
            yield f"{problem['code']} ({problem['track']} {problem['stage']}): {problem['text']} {problem['remedy']}"

    def judge(self, name: str) -> str:
        """Return the product in a sentence.

        Raises:
            Refusal: it is no GeoJSON of ours.
        """
        blob = self._storage.bucket(f"{self.prefix}-results").blob(name)
        product = json.loads(blob.download_as_bytes())
        if product.get("type") != "FeatureCollection" or "outcome" not in product:
            raise Refusal(
                f"gs://{self.prefix}-results/{name} is no FeatureCollection with an outcome.\n  Compare versions of function and smoke."
            )
        return f"{product['outcome']}: {len(product['features'])} detections in gs://{self.prefix}-results/{name}"


class _understood:  # noqa: N801  a context manager, used like a function
    """Turns what the clients raise into what to do."""

    def __init__(self, what: str, project: str) -> None:
        self._what, self._project = what, project

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, api_errors.NotFound):
            raise Refusal(
                f"{self._what} is not there.\n  Run: make deploy PROJECT={self._project} REGION=..."
            ) from error
        if isinstance(error, api_errors.Forbidden):
            raise Refusal(
                f"You may not use {self._what} ({error.message}).\n"
                "  The smoke test needs roles/pubsub.publisher, roles/pubsub.viewer and roles/storage.objectViewer in the project."
            ) from error
        if isinstance(error, api_errors.GoogleAPIError | TimeoutError):
            raise Refusal(
                f"{self._what} does not answer: {error}.\n  Try again; look at https://status.cloud.google.com"
            ) from error


def main(arguments: list[str] | None = None, api: Callable[[str], GoogleApi] = GoogleApi) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="infra.smoke", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--bucket-prefix", help="start of the buckets' names (default: the project)")
    parser.add_argument("--minutes", type=float, default=90, help="how long to follow (default: 90)")
    given = parser.parse_args(arguments)
    try:
        check(api(given.project), given.project, given.region)
        smoke = Smoke(given.project, given.bucket_prefix or given.project)
        print(f"smoke: {smoke.judge(smoke.run(given.minutes))}")
    except Refusal as refusal:
        print(f"smoke: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
