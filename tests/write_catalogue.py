"""Writes functions/README.md from the code: messages, settings, objects, errors; only the words around them are kept here.

PYTHONPATH=functions build/envs/tests/bin/python -m tests.write_catalogue
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import box

from quakeslide import errors
from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.errors import MalformedMessage, PermanentError, QuakeslideError, TransientError
from quakeslide.message_reader import parse
from quakeslide.messages import Announced, Cancelled, Envelope, Manual, Merged, Message, Rescan, Sweep, WatchDue, encode
from quakeslide.ports import Renderer
from quakeslide.settings import DetectSettings, ExportSettings, PollSettings, Settings, type_name

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "functions" / "README.md"
TOPOLOGY = json.loads((ROOT / "infra" / "topology.json").read_text(encoding="utf-8"))
SETTINGS: dict[str, type[Settings]] = {
    "poll_earthquakes": PollSettings,
    "export_composites": ExportSettings,
    "detect_landslides": DetectSettings,
}

LOCALLY = {  # optional in the cloud, needed on one machine
    "FEED_URL": "http://127.0.0.1:8088/earthquakes/feed/v1.0/summary/4.5_week.geojson",
    "EARTH_ENGINE_URL": "http://127.0.0.1:8089",
    "DEAD_LETTERS": ",".join(f"{topic}={dead}" for topic, dead in TOPOLOGY["dead_letters"].items()),
}
EVENT, TRACK, STAGE, ID = "us6000m0xl", Track.parse("A069"), Stage.parse("60-12"), "0123456789ab"
AOI = box(137.0, 37.25, 137.25, 37.5)
T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
SAMPLES: tuple[Message, ...] = (
    Announced(
        kind="announced",
        event_id=EVENT,
        time=T0,
        lon=137.2705,
        lat=37.4874,
        depth_km=10.0,
        magnitude=7.5,
        place="2024 Noto Peninsula, Japan Earthquake",
        aoi=AOI,
        aoi_source="ShakeMap version 14, MMI 6 and more",
    ),
    Cancelled(event_id=EVENT, reason="M 5.4 < 6"),
    Merged(event_id=EVENT, into="us7000abcd"),
    Manual(event_id=EVENT, aoi=AOI, tracks=(TRACK,), stages=(STAGE,), post_start=T0, pre_end=T0, force=True),
    Sweep(),
    WatchDue(event_id=EVENT),
    Rescan(event_id=EVENT, track=TRACK, stage=STAGE, composite_id=ID, force_nonce="4711"),
)
NOTIFICATION = {
    "eventType": "OBJECT_FINALIZE",
    "objectId": f"shards/{EVENT}/{TRACK}/{STAGE}/{ID}/composite-0000000000-0000000512.tif",
    "objectGeneration": "1704093009000000",
}

INTRODUCTION = """\
# The functions

<!-- Written by `make docs` from the code; change the code, or the words in tests/write_catalogue.py. -->

```
 Cloud Scheduler, every minute                   Cloud Scheduler, every hour: {"kind": "sweep"}
        v                                              v
 poll_earthquakes ------ topic earthquakes ---> export_composites <-- topic watches
   USGS feed, ShakeMap    announced, revised,     one watch an event: is the pass there?      (a sweep asks for each open watch)
                          cancelled, manual       Earth Engine exports one composite a track and stage
                                                         v
                              bucket composites: manifests/, shards/ --notification--> topic composite-shards
                                                                                             v
                                        TF Serving <-- tile in, scores out -- detect_landslides: cells, then the merge
                                                                                             v
                              bucket results: support/, latest/, summary/, status/, pages/, and last detections/
                                                                                             v
                                                                 topic landslide-results --> subscribers
```

Functions read no clock: time is the Scheduler's header or the message's publish time. Every output is named by what it is about and
written once, so a message delivered twice meets its own result. Nothing waits inside a function: what is not there yet, the next sweep
finds.

## How a delivery is handled

Pub/Sub pushes to `/projects/P/topics/T`; the end of the path names the topic. What the handler raises decides:

| raised | what happens | HTTP |
|---|---|---|
| nothing | acknowledged; "no pass yet" and "none found" are results, not errors | 200 |
| malformed | raw bytes and reason go to the topic's dead-letter topic, then acknowledged; if that fails, raised | 200 |
| permanent | written once under `problems/` in the state bucket, shown in `status/`, acknowledged; without an event as malformed | 200 |
| transient, or a bug | redelivered after {min_backoff_s} to {max_backoff_s} s, {max_attempts} times at most, then dead-lettered | 500 |

## Logs

One JSON line an event, with a constant `message` and facts as fields; `event_id`, `track`, `stage` and `composite_id` stand in every
line of a delivery once they are known. In Cloud Logging:

```
jsonPayload.event_id="{event}"                          the whole story of an earthquake, under ten lines a function
jsonPayload.message="permanent error"                         what needs a person; `code` is explained below
jsonPayload.message="products are missing: rescan sent"       what was lost and is being made again
```

Locally the same lines lie in `build/demo/*/logs/FUNCTION.log`.

## Each function alone

`make bundle` makes `build/bundles/FUNCTION.zip`: `main.py`, its lock, and of the library only what it imports. Unzipped, it runs as in
the cloud, in an environment made from its own lock. With your own Google Cloud credentials it uses the real services; to use local ones,
start these in the repository's root (`make envs bundle models` made what they need):

```
export PUBSUB_EMULATOR_HOST=127.0.0.1:8085 STORAGE_EMULATOR_HOST=http://127.0.0.1:8087
build/envs/local/bin/python -m infra.local.pubsub --port 8085 --control-port 8086 &
build/envs/local/bin/python -m infra.local.storage --port 8087 --root build/run/storage --pubsub 127.0.0.1:8085 &
build/envs/local/bin/python -m infra.local.usgs --port 8088 --recording tests/data/usgs &
mkdir -p build/run/archive/COPERNICUS    # an empty Earth Engine; after `make demo` take --archive build/demo/archive
build/envs/local/bin/python -m infra.local.earth_engine --port 8089 --archive build/run/archive --storage http://127.0.0.1:8087 &
build/envs/serving/bin/python -m serving.local_server --port 8500 --rest-port 8501 --models build/models &
sleep 3; build/envs/local/bin/python - <<'END'
import json
from infra.local.provision import provision
provision(json.load(open("infra/topology.json")), {ENDPOINTS})
END
```

The last lines make the topics, push subscriptions, buckets and notifications of `infra/topology.json`. Each function's commands are for a
shell of its own, in the root, with the two `*_EMULATOR_HOST` of above; in the cloud leave out what names a local address. On an
empty stack the poller counts the feed, the exporter answers 200 (there is no such watch), and the detector 500: `lost_race`, no manifest.
"""


def document() -> str:
    """Return the whole file."""
    delivery = TOPOLOGY["delivery"]
    introduction = INTRODUCTION.replace("{event}", EVENT)
    for name in ("min_backoff_s", "max_backoff_s", "max_attempts"):
        introduction = introduction.replace(f"{{{name}}}", str(delivery[name]))
    introduction = introduction.replace("{ENDPOINTS}", json.dumps({name: _address(name) for name in SETTINGS}))
    parts = [introduction, *commands(), *settings(), *messages(), *objects(), *error_catalogue()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def first_sentences(thing: Any) -> str:
    """Return the first paragraph of a docstring on one line."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def commands() -> Iterator[str]:
    """Yield how to run each function, with the settings that have no default."""
    for name, kind in SETTINGS.items():
        is_http = any(schedule.get("function") == name for schedule in TOPOLOGY["schedules"].values())
        given = [f"{item.metadata['env']}={_example(item.metadata['env'])}" for item in _required(kind)]
        given += [f"{env}={value}" for env, value in LOCALLY.items() if env in _variables(kind)]
        lines = [f"unzip -o -q build/bundles/{name}.zip -d build/run/{name} && cd build/run/{name}", *_wrapped(given)]
        signature = "http" if is_http else "cloudevent"
        lines += [
            f"../../envs/{name}/bin/functions-framework --target {name} --signature-type {signature} "
            f"--host 127.0.0.1 --port {_address(name).rpartition(':')[2]}"
        ]
        yield f"### {name}\n"
        yield "```\n" + "\n".join(lines) + "\n```\n"
        yield "and in another shell:\n"
        yield "```\n" + (_poll(name) if is_http else _push(name)) + "\n```\n"


def _required(kind: type[Settings]) -> list[Any]:
    return [item for item in fields(kind) if item.default is MISSING]


def _variables(kind: type[Settings]) -> set[str]:
    return {item.metadata["env"] for item in fields(kind)}


def _address(function: str) -> str:
    return f"http://127.0.0.1:{8081 + list(SETTINGS).index(function)}"


def _example(env: str) -> str:
    if env.endswith("_BUCKET"):
        return f"quakeslide-local-{env.removesuffix('_BUCKET').lower()}"
    return {"PROJECT": "quakeslide-local", "MODEL_SERVER": "127.0.0.1:8500"}[env]


def _wrapped(given: Sequence[str]) -> list[str]:
    return [f"export {' '.join(given[first : first + 2])}" for first in range(0, len(given), 2)]


def _sample_for(function: str) -> Message:
    topics = [s["topic"] for s in TOPOLOGY["subscriptions"].values() if s["function"] == function]
    return next(sample for sample in reversed(SAMPLES) if _topics_of(sample)[0] in topics)


def _poll(function: str) -> str:
    return f"curl -i -X POST -H 'X-CloudScheduler-ScheduleTime: {T0.isoformat()}' {_address(function)}/"


def _push(function: str) -> str:
    message = _sample_for(function)
    (topic,) = _topics_of(message)
    data, _ = encode(message)
    return (
        f"data=$(printf '%s' '{data.decode()}' | base64 -w0)\n"
        "curl -i -X POST -H 'Content-Type: application/json' \\\n"
        f"  {_address(function)}/projects/quakeslide-local/topics/{topic} \\\n"
        f'  -d \'{{"message": {{"data": "\'"$data"\'", "messageId": "1", "publishTime": "{T0.isoformat()}"}},\n'
        '      "subscription": "projects/quakeslide-local/subscriptions/by-hand"}\''
    )


def settings() -> Iterator[str]:
    """Yield the settings of every function."""
    yield "## Settings\n"
    yield "Environment variables; all that are missing are reported together when the first request comes.\n"
    for name, kind in SETTINGS.items():
        rows = [
            (
                f"`{item.metadata['env']}`",
                type_name(item.type),
                item.metadata["meaning"],
                "**required**" if item.default is MISSING else (f"`{item.default}`" if item.default != "" else "empty"),
            )
            for item in fields(kind)
        ]
        yield f"### {name}\n"
        yield table(("variable", "type", "meaning", "default"), rows)


def messages() -> Iterator[str]:
    """Yield the messages of every topic, with their fields as the reader wants them."""
    yield "## Messages\n"
    yield (
        "JSON in the data; `kind` and `event_id` also as attributes. Unknown fields are ignored; a missing or wrong one makes the "
        "message malformed. Instants are RFC 3339 with an offset, areas GeoJSON polygons in lon/lat degrees.\n"
    )
    for topic in TOPOLOGY["topics"]:
        functions = [s["function"] for s in TOPOLOGY["subscriptions"].values() if s["topic"] == topic]
        dead = TOPOLOGY["dead_letters"].get(topic)
        yield f"### Topic `{topic}`\n"
        ends = f"Read by `{'`, `'.join(functions)}`; dead letters go to `{dead}`." if functions else "For subscribers."
        yield ends + "\n"
        for notification in [TOPOLOGY["notifications"].get(topic)]:
            if notification:
                yield from _notification(topic, notification)
        for sample in SAMPLES:
            if topic in _topics_of(sample):
                yield from _message(sample, topic)


def _notification(topic: str, config: dict[str, Any]) -> Iterator[str]:
    events, bucket, prefix = ", ".join(config["events"]), config["bucket"], config["prefix"]
    yield f"**Storage notification** (no `kind`): {events} of `{prefix}` in the bucket `{bucket}`.\n"
    if topic == "composite-shards":
        parse(_envelope(b"", topic, NOTIFICATION))  # the example below is one that the function reads
        yield table(("attribute", "example"), [(f"`{key}`", f"`{value}`") for key, value in NOTIFICATION.items()])
    else:
        name = object_names.detections(EVENT, TRACK, STAGE, ID, "final")
        yield f"`objectId` names the GeoJSON, such as `{name}`; everything else of the run is there already.\n"


def _message(sample: Message, topic: str) -> Iterator[str]:
    body = json.loads(encode(sample)[0])
    kinds = f"`{body['kind']}`" + (" or `revised`" if isinstance(sample, Announced) else "")
    yield f"**{kinds}**: {first_sentences(type(sample))}\n"
    rows = [
        (f"`{'.'.join(path)}`", "yes" if _is_needed(body, path, topic) else "no", f"`{_short(value)}`")
        for path, value in _leaves(body)
        if path not in (("kind",), ("version",))
    ]
    if rows:
        yield table(("field", "needed", "example"), rows)


def _topics_of(sample: Message) -> list[str]:
    """Return the topics on which a message is understood, by trying."""
    return [topic for topic in TOPOLOGY["topics"] if _is_read(encode(sample)[0], topic)]


def _is_read(data: bytes, topic: str) -> bool:
    try:
        parse(_envelope(data, topic, {}))
    except MalformedMessage:
        return False
    return True


def _envelope(data: bytes, topic: str, attributes: dict[str, str]) -> Envelope:
    return Envelope(message_id="1", publish_time=T0, topic=topic, raw=data, attributes=attributes)


def _leaves(body: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every field with its path; a GeoJSON object is one field."""
    for key, value in body.items():
        if isinstance(value, dict) and "coordinates" not in value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _is_needed(body: dict[str, Any], path: tuple[str, ...], topic: str) -> bool:
    """Say whether the message is malformed without a field, by leaving it out."""
    without = json.loads(json.dumps(body))
    holder = without
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return not _is_read(json.dumps(without).encode(), topic)


def _short(value: Any) -> str:
    return '{"type": "Polygon", ...}' if isinstance(value, dict) else json.dumps(value)


def objects() -> Iterator[str]:
    """Yield what lies in the buckets, by calling every function that names something."""
    yield "## Objects and products\n"
    yield (
        f"Examples for the event `{EVENT}`, track `{TRACK}`, stage `{STAGE}`; `{ID}` stands for a composite or run id (12 hex digits of "
        "the sha256 of all that it is about).\n"
    )
    source = inspect.getsource(object_names)
    bucket, rows = "", []
    for line in source.splitlines():
        if heading := re.fullmatch(r"# (\w+) bucket", line):
            if rows:
                yield from _bucket(bucket, rows)
            bucket, rows = heading[1], []
        elif bucket and (function := re.match(r"def ([a-z]\w*)\(", line)):
            name = getattr(object_names, function[1])
            rows.append((f"`{_call(name)}`", first_sentences(name)))
        elif line.startswith("SHARD = "):
            shard = NOTIFICATION["objectId"]
            rows.append((f"`{shard}`", "One GeoTIFF of an export, named by pixel offset; a single file has no suffix."))
    yield from _bucket(bucket, rows)
    yield f"Files of `support/`: {first_sentences(Renderer.support).partition(': ')[2]}\n"


def _bucket(bucket: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"### Bucket `{bucket}`\n"
    yield table(("object", "what it is"), rows)


EXAMPLES: dict[str, Any] = {
    "event_id": EVENT,
    "other_id": "at00s6mdh7",
    "track": TRACK,
    "stage": STAGE,
    "composite_id": ID,
    "run_id": ID,
    "intent_id": f"announced-{EVENT}-{ID}",
    "code": "unusable_composite",
    "problem_id": ID,
    "day": "2024-01-01",
    "i": 0,
    "j": 1,
    "finality": "final",
    "file": "score.tif",
}


def _call(name: Callable[..., str]) -> str:
    """Call a naming function with an example of each argument that has no default."""
    needed = [p.name for p in inspect.signature(name).parameters.values() if p.default is inspect.Parameter.empty]
    if strange := set(needed) - EXAMPLES.keys():
        raise LookupError(f"object_names.{name.__name__}: give an example of {', '.join(sorted(strange))} in EXAMPLES")
    return name(**{parameter: EXAMPLES[parameter] for parameter in needed})


def error_catalogue() -> Iterator[str]:
    """Yield all errors by family."""
    yield "## Errors\n"
    yield "`code` stands in the logs, in the problem's file name and in `status/`.\n"
    rows = [(f"`{e.code}`", _family(e), first_sentences(e), e.remedy) for e in errors.catalogue()]
    yield table(("code", "kind", "meaning", "what to do"), rows)


def _family(error: type[QuakeslideError]) -> str:
    for family, word in ((TransientError, "transient"), (PermanentError, "permanent"), (MalformedMessage, "malformed")):
        if issubclass(error, family):
            return word
    return "command line"


def main() -> int:
    """Write the file; say whether it changed."""
    text = document()
    is_same = README.is_file() and README.read_text(encoding="utf-8") == text
    README.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{README.relative_to(ROOT)}: {'as it was' if is_same else 'written'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
