"""item.json is a STAC 1.1 Item, checked against the specification's own schemas without a network."""

import json

import pystac
import pytest
from jsonschema import Draft7Validator
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource
from shapely.geometry import shape

from quakeslide.adapters.renderer.stac import item
from quakeslide.domain import object_names
from quakeslide.domain.rfc7946 import dumps
from tests import fakes_products as made

SCHEMAS = get_local_schema_cache()  # shipped with pystac


def errors_of(document):
    registry = Registry().with_resources([(uri, Resource.from_contents(body)) for uri, body in SCHEMAS.items()])
    schema = SCHEMAS["https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"]
    return [error.message for error in Draft7Validator(schema, registry=registry).iter_errors(document)]


@pytest.fixture(params=[made.example, made.quiet, made.blind, made.across_the_antimeridian])
def judgement(request):
    return request.param()


def test_the_item_follows_the_schema(judgement):
    document = json.loads(dumps(item(judgement)))
    assert errors_of(document) == []
    assert dumps(item(judgement)) == dumps(item(judgement))


def test_a_spoilt_item_does_not_follow_the_schema():
    document = json.loads(dumps(item(made.example())))
    del document["bbox"]
    assert errors_of(document)


def test_pystac_reads_it_back():
    judgement = made.example()
    read = pystac.Item.from_dict(json.loads(dumps(item(judgement))))
    assert read.properties["sat:orbit_state"] == "ascending"
    assert read.properties["sat:relative_orbit"] == 69
    assert read.properties["sar:polarizations"] == ["VV", "VH"]
    assert read.datetime == judgement.composite.post_start
    assert set(read.assets) == {"detections", "score", "affected", "blind", "quicklook"}


def test_the_link_to_the_detections_leads_from_support_to_detections():
    judgement = made.example()
    composite = judgement.composite
    names = (composite.event_id, composite.track, composite.stage, judgement.run_id, judgement.finality)
    here = object_names.support(*names, "item.json").split("/")[:-1]
    href = item(judgement)["assets"]["detections"]["href"]
    for step in href.split("/"):
        here = here[:-1] if step == ".." else [*here, step]
    assert "/".join(here) == object_names.detections(*names)


def test_notices_stand_in_the_description():
    description = item(made.example())["properties"]["description"]
    assert "SIMULATED radar scenes" in description
    assert "verified by nobody" in description


def test_a_box_across_the_antimeridian_has_west_greater_than_east():
    document = item(made.across_the_antimeridian())
    west, _, east, _ = document["bbox"]
    assert west > 179
    assert east < -179
    assert shape(document["geometry"]).geom_type == "MultiPolygon"
