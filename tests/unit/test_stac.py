"""item.json is a STAC 1.1 Item, checked against the specification's own schemas without a network."""

import json
from pathlib import Path

import pystac
import pytest
from pystac.errors import STACValidationError
from pystac.validation import validate_dict
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from shapely.geometry import shape

from quakeslide.adapters.renderer.stac import item
from quakeslide.domain import object_names
from quakeslide.domain.rfc7946 import dumps
from tests import fakes_products as made

EXTENSIONS = Path(__file__).parents[1] / "data/stac_extensions"


class Offline(JsonSchemaSTACValidator):
    """pystac's own validator, with every schema that an item of ours names at hand; any other fails the test."""

    def __init__(self):
        super().__init__()
        for file in EXTENSIONS.glob("*.json"):
            schema = json.loads(file.read_text())
            self.schema_cache[schema["$id"].rstrip("#")] = schema

    def _get_schema(self, schema_uri):
        assert schema_uri.rstrip("#") in self.schema_cache, f"{schema_uri} is no schema at hand"
        return self.schema_cache[schema_uri.rstrip("#")]


def validated(document):
    """Return the schemas that the item was held against.

    Raises:
        STACValidationError: it does not follow one.
    """
    return validate_dict(document, validator=Offline())


@pytest.fixture(params=[made.example, made.quiet, made.blind, made.across_the_antimeridian])
def judgement(request):
    return request.param()


def test_the_item_follows_the_specification_and_each_extension(judgement):
    document = json.loads(dumps(item(judgement)))
    schemas = [uri.split("/")[-3:] for uri in validated(document)]
    assert {path[0] for path in schemas} >= {"sar", "sat", "projection", "processing"}
    assert len(schemas) == 5
    assert dumps(item(judgement)) == dumps(item(judgement))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("bbox"),
        lambda d: d["properties"].update({"sat:orbit_state": "sideways"}),
        lambda d: d["properties"].update({"sar:frequency_band": "Q"}),
        lambda d: d["properties"].update({"proj:code": 32653}),
    ],
)
def test_a_spoilt_item_does_not_follow_them(spoil):
    document = json.loads(dumps(item(made.example())))
    spoil(document)
    with pytest.raises(STACValidationError):
        validated(document)


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
