from pathlib import Path

import pytest

from tests.sabotage.__main__ import EVERY
from tests.sabotage.campaign import (
    ROOT,
    TESTS,
    TRAINING,
    CampaignFailed,
    Ran,
    broken,
    changes,
    check_fresh,
    environment_of,
    judge,
)
from tests.sabotage.mutations import Mutation

ONE = Mutation(name="one", file="a.py", old="x = 1", new="x = 2", tests=("test_a.py",))


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.name)
def test_mutation_still_fits_the_code(mutation: Mutation):
    check_fresh(mutation, ROOT)
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.name)
def test_tests_of_a_mutation_run_in_one_environment(mutation: Mutation):
    assert len({environment_of(test).name for test in mutation.tests}) == 1


def test_training_has_an_environment_of_its_own():
    assert environment_of("training/tests/test_losses.py::test_x") is TRAINING
    assert environment_of("tests/unit/test_training.py::test_x") is TESTS


def test_names_are_unique_and_cover_functions_and_training():
    assert len({mutation.name for mutation in EVERY}) == len(EVERY)
    folders = [mutation.file.partition("/")[0] for mutation in EVERY]
    assert folders.count("functions") >= 14
    assert folders.count("training") >= 14


@pytest.mark.parametrize("text", ["", "x = 3", "x = 1\nx = 1\n"])
def test_mutation_whose_text_is_not_there_once_is_stale(tmp_path: Path, text: str):
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(CampaignFailed, match=r"stale mutation 'one': 'x = 1' is [02] times in a.py"):
        check_fresh(ONE, tmp_path)


def test_copy_is_mended_whatever_happens(tmp_path: Path):
    file = tmp_path / "a.py"
    file.write_text("y = 0\nx = 1\n")
    seen = []

    def stop() -> None:
        with broken(ONE, tmp_path):
            seen.append(file.read_text())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert seen == ["y = 0\nx = 2\n"]
    assert file.read_text() == "y = 0\nx = 1\n"


def test_only_a_failed_test_kills():
    assert judge(ONE, Ran(code=1, failed=("t",), broken=(), text=""))
    assert not judge(ONE, Ran(code=0, failed=(), broken=(), text=""))


@pytest.mark.parametrize(
    ("code", "failed", "late"),
    [(2, (), ()), (4, (), ()), (5, (), ()), (None, (), ("t",)), (1, (), ("t",)), (1, (), ()), (-9, (), ())],
)
def test_collection_errors_time_outs_and_broken_fixtures_kill_nothing(code, failed, late):
    with pytest.raises(CampaignFailed, match="which is no kill"):
        judge(ONE, Ran(code=code, failed=failed, broken=late, text=""))


def test_changes_are_named():
    assert changes({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}) == ["b", "c", "d"]
