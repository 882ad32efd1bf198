"""All cells of a run are stored: make its products, the notified GeoJSON last, so that a subscriber finds everything else there.

Merging reads stored cells only and looks at no clock, so whoever merges, and however often, writes the same bytes.
"""

from quakeslide.domain.report import detections_geojson, dumps
from quakeslide.telemetry import say
from quakeslide.usecases.judge_run import detections_name, is_final, judge, support_name
from quakeslide.usecases.render_event import render_event, update_pointer
from quakeslide.usecases.run import Detector, Run

GEOJSON = "application/geo+json"


def merge(run: Run, detector: Detector) -> None:
    """Write the products of a run whose cells are all stored: support, pointer, summary, status, page, detections.

    Raises:
        LostRace: a cell is missing after all, or others kept changing the event's products.
        StoreUnavailable: a bucket does not answer.
    """
    final = is_final(run.composite, detector.composites)
    judgement = judge(run, final, detector.state)
    for file, content in sorted(detector.renderer.support(judgement).items()):
        detector.results.create(support_name(judgement, file), content.data, content.content_type)
    update_pointer(judgement, detector.results)
    render_event(run.composite.event_id, detector)
    name = detections_name(run, final)
    if detector.results.create(name, dumps(detections_geojson(judgement)), GEOJSON):
        say("detections written", name=name, detections=len(judgement.detections), run_id=run.run_id)


def is_merged(run: Run, detector: Detector) -> bool:
    """Say whether the run's detections, written last, are there; a merge cut short left none."""
    name = detections_name(run, is_final(run.composite, detector.composites))
    return any(listed.name == name for listed in detector.results.list(name))
