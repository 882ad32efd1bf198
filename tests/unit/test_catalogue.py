from dataclasses import fields

import pytest

from quakeslide.domain.object_names import SHARD
from quakeslide.errors import catalogue
from quakeslide.messages import encode
from tests.write_catalogue import NOTIFICATION, README, ROOT, SAMPLES, SETTINGS, TOPOLOGY, document

TEXT = document()


def test_readme_of_the_functions_is_what_the_code_says():
    is_current = README.read_text(encoding="utf-8") == TEXT  # pytest would take a minute to show the difference
    assert is_current, "functions/README.md is out of date: run make docs"


def test_every_function_setting_topic_and_error_is_in_it():
    assert set(SETTINGS) == set(TOPOLOGY["functions"])
    for name, kind in SETTINGS.items():
        assert f"--target {name} " in TEXT
        assert all(f"| `{item.metadata['env']}` |" in TEXT for item in fields(kind))
    assert all(f"### Topic `{topic}`" in TEXT for topic in TOPOLOGY["topics"])
    assert all(f"| `{error.code}` |" in TEXT for error in catalogue())
    assert all(f"### Bucket `{bucket}`" in TEXT for bucket in ("state", "composites", "results"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_every_message_stands_once(sample):
    kind = encode(sample)[1]["kind"]
    assert TEXT.count(f"**`{kind}`") == 1


def test_examples_are_real():
    assert SHARD.fullmatch(NOTIFICATION["objectId"])
    assert (ROOT / "infra" / "local" / "provision.py").is_file()
    assert "{" + "min_backoff_s" + "}" not in TEXT
    assert "| `event_id` | yes |" in TEXT
    assert "| `force` | no |" in TEXT
