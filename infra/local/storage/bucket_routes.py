"""Routes of buckets and of their notification configurations."""

from flask import Flask, Response

from infra.local.storage.listing import MAX_RESULTS, list_page
from infra.local.storage.preconditions import METAGENERATION, Preconditions
from infra.local.storage.resources import bucket_properties
from infra.local.storage.wire import Services, json_body, parameters, reply, whole_number

_BUCKETS = "/storage/v1/b"
_BUCKET = f"{_BUCKETS}/<quoted:bucket>"
_CONFIGS = f"{_BUCKET}/notificationConfigs"


def add_bucket_routes(app: Flask, services: Services) -> None:
    """Add the routes."""
    store, notifications, base_url = services.store, services.notifications, services.base_url

    @app.post(_BUCKETS)
    def create_bucket() -> Response:
        parameters("project", "projection")
        body = json_body()
        return reply(store.create_bucket(body.get("name"), bucket_properties(body)).resource(base_url))

    @app.get(_BUCKETS)
    def list_buckets() -> Response:
        given = parameters("project", "projection", "prefix", "maxResults", "pageToken", "softDeleted")
        buckets = {bucket.name: bucket for bucket in store.buckets()}
        limit = whole_number(given, "maxResults")
        page = list_page(
            list(buckets),
            prefix=given.get("prefix", ""),
            token=given.get("pageToken"),
            limit=MAX_RESULTS if limit is None else limit,
        )
        items = [buckets[name].resource(base_url) for name in page.names]
        token = {} if page.next_token is None else {"nextPageToken": page.next_token}
        return reply({"kind": "storage#buckets", "items": items, **token})

    @app.get(_BUCKET)
    def get_bucket(bucket: str) -> Response:
        given = parameters("projection", *METAGENERATION)
        found = store.bucket(bucket)
        Preconditions.from_query(given).check(1, 1, reading=True)
        return reply(found.resource(base_url))

    @app.delete(_BUCKET)
    def delete_bucket(bucket: str) -> Response:
        given = parameters(*METAGENERATION)
        store.bucket(bucket)
        Preconditions.from_query(given).check(1, 1, reading=False)
        store.delete_bucket(bucket)
        notifications.forget(bucket)
        return Response(status=204)

    @app.post(_CONFIGS)
    def create_config(bucket: str) -> Response:
        parameters()
        store.bucket(bucket)
        return reply(notifications.create(bucket, json_body()).resource(bucket, base_url))

    @app.get(_CONFIGS)
    def list_configs(bucket: str) -> Response:
        parameters()
        store.bucket(bucket)
        items = [config.resource(bucket, base_url) for config in notifications.configs(bucket)]
        return reply({"kind": "storage#notifications", "items": items})

    @app.get(f"{_CONFIGS}/<quoted:config>")
    def get_config(bucket: str, config: str) -> Response:
        parameters()
        store.bucket(bucket)
        return reply(notifications.get(bucket, config).resource(bucket, base_url))

    @app.delete(f"{_CONFIGS}/<quoted:config>")
    def delete_config(bucket: str, config: str) -> Response:
        parameters()
        store.bucket(bucket)
        notifications.delete(bucket, config)
        return Response(status=204)
