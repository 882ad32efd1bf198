from dataclasses import fields

import pytest

from quakeslide.settings import DetectSettings, ExportSettings, PollSettings, Settings, setting

EXPORT = {"PROJECT": "p", "STATE_BUCKET": "s", "COMPOSITES_BUCKET": "c", "RESULTS_BUCKET": "r"}
ALL = (PollSettings, ExportSettings, DetectSettings)


def test_settings_are_read_and_the_rest_has_defaults():
    read = ExportSettings.from_env(EXPORT | {"SHARD_PX": "512", "UNRELATED": "x"})
    assert (read.project, read.shard_px, read.stages) == ("p", 512, "60-12,60-24,60-48,60-60")
    assert read == ExportSettings(
        project="p", state_bucket="s", composites_bucket="c", results_bucket="r", shard_px=512
    )


def test_all_missing_and_unreadable_variables_are_reported_together():
    with pytest.raises(ValueError, match=r"^settings: ") as caught:
        ExportSettings.from_env({"COMPOSITES_BUCKET": "c", "SHARD_PX": "big"})
    text = str(caught.value)
    for name in ("PROJECT", "STATE_BUCKET", "RESULTS_BUCKET"):
        assert f"{name} is missing (" in text
    assert "SHARD_PX='big' is no int (" in text
    assert "COMPOSITES_BUCKET is missing" not in text


def test_empty_is_missing_where_there_is_no_default():
    with pytest.raises(ValueError, match="PROJECT is missing"):
        PollSettings.from_env({"PROJECT": "", "STATE_BUCKET": "s"})
    assert ExportSettings.from_env(EXPORT | {"DATA_NOTICE": ""}).data_notice == ""


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_has_a_variable_of_its_own_and_a_meaning(kind):
    names = [item.metadata["env"] for item in fields(kind)]
    assert len(set(names)) == len(names)
    assert all(name == name.upper() for name in names)
    assert all(len(item.metadata["meaning"]) > 10 for item in fields(kind))


def test_dead_letter_topic_of_each_topic():
    read = PollSettings(project="p", state_bucket="s", dead_letters="a=a-dead,b=b-dead")
    assert [read.dead_letter_topic(topic) for topic in "ab"] == ["a-dead", "b-dead"]
    with pytest.raises(KeyError, match="c"):
        read.dead_letter_topic("c")
    with pytest.raises(KeyError, match="a"):
        PollSettings(project="p", state_bucket="s").dead_letter_topic("a")


def test_switch_is_true_or_false_and_nothing_else():
    from dataclasses import dataclass

    @dataclass(frozen=True, kw_only=True)
    class Switched(Settings):
        is_on: bool = setting("ON", "a switch for this test", default=False)

    plain = {"PROJECT": "p", "STATE_BUCKET": "s"}
    assert not Switched.from_env(plain).is_on
    assert Switched.from_env(plain | {"ON": "true"}).is_on
    for word in ("True", "1", "yes", ""):
        with pytest.raises(ValueError, match=f"ON='{word}' is no bool"):
            Switched.from_env(plain | {"ON": word})
