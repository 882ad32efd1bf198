"""Copies the tree, breaks the copy, runs the tests that must notice, mends the copy; the work tree is only read.

A mutation is killed where pytest ends with 1 because an assertion failed. A collection error, a broken fixture, a time-out or a test
that is not there proves nothing and fails the campaign, as does a mutation whose text is not in its file any more.

Tests of `training/` run in the training environment, all others in that of the tests, as `make` runs them.
"""

import hashlib
import os
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.sabotage.mutations import Mutation

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180  # for one selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where tests run.

    Attributes:
        name: of the folder in `build/envs`.
        options: of pytest, beside those of every run.
        variables: of the process, beside those of every run.
    """

    name: str
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


TESTS = Environment(name="tests", options=("--hypothesis-seed=1",))
TRAINING = Environment(
    name="training",  # has no Hypothesis
    variables={"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},  # as `make test-training`
)


def environment_of(test: str) -> Environment:
    """Return where a test runs, by its node id."""
    return TRAINING if test.startswith("training/") else TESTS


class CampaignFailed(Exception):
    """The campaign proves nothing: a stale mutation, tests that fail unmutated, a run that ended otherwise than by a failed test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a selection went.

    Attributes:
        code: pytest's exit code, None where it took too long.
        failed: tests in which something did not hold.
        broken: tests that timed out or whose fixture did not work.
        text: what pytest said.
    """

    code: int | None
    failed: tuple[str, ...]
    broken: tuple[str, ...]
    text: str


def tree_files(root: Path) -> list[str]:
    """Return tracked files and untracked ones that git does not ignore, sorted; deleted ones left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = sorted(set(filter(None, listed.stdout.decode().split("\0"))))
    return [name for name in names if (root / name).is_file()]


def fingerprints(root: Path) -> dict[str, str]:
    """Return what git says of the tree, and the sha256 of every file by name."""
    status = subprocess.run(["git", "status", "--porcelain", "-z"], cwd=root, capture_output=True, check=True)
    prints = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in tree_files(root)}
    return prints | {"(git status)": hashlib.sha256(status.stdout).hexdigest()}


def copy_tree(root: Path, to: Path) -> None:
    """Copy the tree's files; environments, models and messages are used where they are."""
    for name in tree_files(root):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target)
    (to / "build").symlink_to(root / "build", target_is_directory=True)


def check_fresh(mutation: Mutation, root: Path) -> None:
    """Refuse a mutation that would change nothing, or more than it names.

    Raises:
        CampaignFailed: its text is not in its file exactly once.
    """
    file = root / mutation.file
    count = file.read_text(encoding="utf-8").count(mutation.old) if file.is_file() else 0
    if count != 1 or mutation.old == mutation.new:
        raise CampaignFailed(f"stale mutation {mutation.name!r}: {mutation.old!r} is {count} times in {mutation.file}")


@contextmanager
def broken(mutation: Mutation, copy: Path) -> Iterator[None]:
    """Apply a mutation to the copy and take it back."""
    file = copy / mutation.file
    sound = file.read_text(encoding="utf-8")
    file.write_text(sound.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(sound, encoding="utf-8")


def run_tests(copy: Path, tests: Sequence[str], *, patience_s: float = PATIENCE_S) -> Ran:
    """Run a selection of one environment in the copy.

    Python writes no byte code there: a mutation may change neither a file's size nor, within a second, its time.
    """
    report = copy / "sabotage-report.xml"
    report.unlink(missing_ok=True)
    environment = environment_of(tests[0])
    python = copy / "build" / "envs" / environment.name / "bin" / "python"
    options = ["-x", "-p", "no:cacheprovider", "--tb=line", f"--junitxml={report}", *environment.options]
    process = subprocess.Popen(
        [str(python), "-m", "pytest", *options, *tests],
        cwd=copy,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=patience_s)
    except BaseException as error:
        _end_group(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return Ran(code=None, failed=(), broken=tuple(tests), text=f"not done after {patience_s:.0f} s")
        raise
    failed, fixtures_or_late = _read(report) if report.is_file() else ((), ())
    return Ran(code=process.returncode, failed=failed, broken=fixtures_or_late, text=text)


def judge(mutation: Mutation, ran: Ran) -> bool:
    """Say whether a mutation was killed.

    Raises:
        CampaignFailed: its tests ended otherwise than by passing or by a failed assertion.
    """
    if ran.code == 0:
        return False
    if ran.code != 1 or ran.broken or not ran.failed:
        end = "too late" if ran.code is None else f"with {ran.code}"
        raise CampaignFailed(
            f"{mutation.name!r}: pytest ended {end}, which is no kill; broken: {', '.join(ran.broken) or 'nothing'}\n{ran.text}"
        )
    return True


def _read(report: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of failed and of broken tests in a JUnit report that pytest has just written."""
    failed, amiss = [], []
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        failure = case.find("failure")
        if case.find("error") is not None or (failure is not None and "Timeout (>" in failure.get("message", "")):
            amiss.append(name)
        elif failure is not None:
            failed.append(name)
    return tuple(failed), tuple(amiss)


def _end_group(process: subprocess.Popen[str]) -> None:
    """End pytest and every service that it started."""
    os.killpg(process.pid, 15)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what differs between two fingerprints."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def campaign(mutations: Sequence[Mutation], copy: Path) -> Iterator[tuple[Mutation, bool, Ran, float]]:
    """Yield each mutation with whether it was killed, how its tests ended, and how many seconds that took.

    Raises:
        CampaignFailed: see the module.
    """
    for mutation in mutations:
        check_fresh(mutation, copy)
    every = list(dict.fromkeys(test for mutation in mutations for test in mutation.tests))
    for environment in (TESTS, TRAINING):
        if here := [test for test in every if environment_of(test) == environment]:
            sound = run_tests(copy, here, patience_s=4 * PATIENCE_S)
            if sound.code != 0:
                raise CampaignFailed(f"the tests do not pass without any mutation:\n{sound.text}")
    for mutation in mutations:
        start = time.monotonic()
        with broken(mutation, copy):
            ran = run_tests(copy, mutation.tests)
        yield mutation, judge(mutation, ran), ran, time.monotonic() - start
