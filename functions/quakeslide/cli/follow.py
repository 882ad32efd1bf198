"""`quakeslide follow`: print results as their notifications arrive."""

import json
import time
import uuid

import click
from google.api_core import exceptions as api
from google.cloud import pubsub_v1

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.errors import BusUnavailable

TOPIC = "landslide-results"
PULL_S = 5.0  # how long one pull waits for a message

HELP = """Print a line for every new map of landslides; Ctrl-C ends it.

\b
Examples:
  quakeslide follow
  quakeslide follow --results 1 --seconds 600
"""


@click.command(help=HELP)
@click.option("--project", envvar="PROJECT", required=True, help="Google Cloud project [env: PROJECT].")
@click.option("--subscription", help="Use or make this one and keep it; otherwise one is made and deleted at the end.")
@click.option("--seconds", type=float, help="Stop after so long.")
@click.option("--results", type=int, help="Stop after so many results.")
@click.pass_context
def follow(
    ctx: click.Context, project: str, subscription: str | None, seconds: float | None, results: int | None
) -> None:
    """Print a line for every notification."""
    client = pubsub_v1.SubscriberClient()
    path = client.subscription_path(project, subscription or f"follow-{uuid.uuid4().hex[:12]}")
    topic = client.topic_path(project, TOPIC)
    deadline = time.monotonic() + seconds if seconds else None
    heard = 0
    try:
        try:
            client.create_subscription(name=path, topic=topic)
        except api.AlreadyExists:
            click.echo(f"using {path}", err=True)
        click.echo(f"waiting for results on {topic}", err=True)
        while (deadline is None or time.monotonic() < deadline) and (results is None or heard < results):
            heard += _pull(client, path)
    except api.GoogleAPIError as error:
        raise BusUnavailable(f"{topic}: {error}") from error
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        if subscription is None:
            _delete(client, path)
        client.close()
    if not heard:
        ctx.exit(3)


def _pull(client: pubsub_v1.SubscriberClient, path: str) -> int:
    """Print what waits on the subscription; return how many results that were."""
    try:
        received = client.pull(subscription=path, max_messages=10, timeout=PULL_S).received_messages
    except api.DeadlineExceeded:
        return 0
    for item in received:
        click.echo(_line(dict(item.message.attributes)))
    if received:
        client.acknowledge(subscription=path, ack_ids=[item.ack_id for item in received])
    return len(received)


def _line(attributes: dict[str, str]) -> str:
    """Say in one line what a notification is about, with the product's own words where it can be read."""
    bucket, name = attributes.get("bucketId", "?"), attributes.get("objectId", "?")
    stored = GcsStore(bucket).read(name) if name.endswith(".geojson") else None
    if stored is None:
        return f"gs://{bucket}/{name}"
    product = json.loads(stored.data)
    found = len(product["features"])
    notice = f"  [{product['data_notice']}]" if product.get("data_notice") else ""
    return f"{product['title']}: {product['outcome']} ({found}, {product['finality']})  gs://{bucket}/{name}{notice}"


def _delete(client: pubsub_v1.SubscriberClient, path: str) -> None:
    try:
        client.delete_subscription(subscription=path)
    except api.NotFound:
        return
