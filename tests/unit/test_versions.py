"""Stored documents across releases: the previous one's are read, a change of form raises the version, a later one's are left alone."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quakeslide.documents.cell import CELL, VERSION, read_cell, write_cell
from quakeslide.documents.feed_state import FEED, read_feed_state, write_feed_state
from quakeslide.documents.ledger import LEDGER, read_entry, write_entry
from quakeslide.documents.manifest import MANIFEST, read_manifest, write_manifest
from quakeslide.documents.notes import BOOK, FINAL_MARKER, INTENT, OPERATION, POINTER, PROBLEM, write_note
from quakeslide.documents.version import Kind
from quakeslide.documents.watch import WATCH, read_watch, write_watch
from quakeslide.domain.composite import Cell
from quakeslide.errors import DamagedDocument, LyingManifest, NewerDocument, QuakeslideError

PREVIOUS = Path(__file__).parents[1] / "data" / "previous" / "documents"
UNVERSIONED = ("aliases/", "days/", "status/")  # an id as text; an empty object; rendered anew, never read back


@dataclass(frozen=True)
class Form:
    """A kind with how its objects are named, read and written again."""

    kind: Kind
    prefix: str
    suffix: str
    again: Callable[[bytes, str], bytes]


def note(kind: Kind, *, indent: int | None = None) -> Callable[[bytes, str], bytes]:
    def again(data: bytes, name: str) -> bytes:
        body = kind.read(data, name)
        return write_note(kind, {key: value for key, value in body.items() if key != kind.key}, indent=indent)

    return again


def cell_again(data: bytes, name: str) -> bytes:
    return write_cell(read_cell(data, cell_like(data), name))


FORMS = (
    Form(WATCH, "state/watches/", ".json", lambda data, name: write_watch(read_watch(data, name))),
    Form(LEDGER, "state/earthquakes/", ".json", lambda data, name: write_entry(read_entry(data, name))),
    Form(FEED, "state/feed/", ".json", lambda data, name: write_feed_state(read_feed_state(data))),
    Form(OPERATION, "state/outbox/", ".operation.json", note(OPERATION)),
    Form(INTENT, "state/outbox/", ".json", note(INTENT)),
    Form(BOOK, "state/budget/", ".json", note(BOOK)),
    Form(PROBLEM, "state/problems/", ".json", note(PROBLEM)),
    Form(CELL, "state/cells/", ".npz", cell_again),
    Form(FINAL_MARKER, "composites/manifests/", ".final.json", note(FINAL_MARKER)),
    Form(MANIFEST, "composites/manifests/", ".json", lambda data, name: write_manifest(read_manifest(data, name))),
    Form(POINTER, "results/latest/", ".json", note(POINTER, indent=1)),
)


def form_of(name: str) -> Form:
    """Return the form of an object, by bucket and name; the more particular stand first."""
    return next(form for form in FORMS if name.startswith(form.prefix) and name.endswith(form.suffix))


def samples() -> dict[str, bytes]:
    found = {}
    for path in sorted(PREVIOUS.rglob("*")):
        folder, _, name = path.relative_to(PREVIOUS).as_posix().partition("/")
        if path.is_file() and not name.partition("/")[2].startswith(UNVERSIONED):
            found[f"{folder}: {name}"] = path.read_bytes()
    return found


SAMPLES = samples()


def cell_like(data: bytes) -> Cell:
    """Return the cell whose scores these bytes hold, by their shape."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows, cols = np.lib.format.read_array(io.BytesIO(archive.read("scores.npy"))).shape
    return Cell(i=0, j=0, window_row=0, window_col=0, window_rows=rows, window_cols=cols)


def paths(value: Any, where: str = "") -> Iterator[str]:
    """Yield every field of a document with the type of what it holds; the members of an array count as one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from paths(inner, f"{where}/{key}")
    elif isinstance(value, list):
        yield f"{where}[]"
        for inner in value:
            yield from paths(inner, f"{where}[]")
    else:
        yield f"{where}: {type(value).__name__}"


def form(data: bytes, kind: Kind) -> set[str]:
    """Return the form of a document: its fields, without the one that says the version."""
    if kind is CELL:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = {
                n: np.lib.format.read_array(io.BytesIO(archive.read(n))) for n in archive.namelist() if "npy" in n
            }
        return {f"{name}: {array.dtype} {array.ndim}" for name, array in arrays.items()}
    body = json.loads(data)
    return set(paths({key: inner for key, inner in body.items() if key != kind.key}))


def version_in(data: bytes, kind: Kind) -> int:
    if kind is CELL:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return int(json.loads(archive.read(VERSION))["version"]) if VERSION in archive.namelist() else 1
    return int(json.loads(data).get(kind.key, 1))


def at_version(data: bytes, kind: Kind, version: Any) -> bytes:
    """Return a document that says another version."""
    if kind is not CELL:
        return json.dumps(json.loads(data) | {kind.key: version}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in set(old.namelist()) - {VERSION}:
            new.writestr(entry, old.read(entry))
        new.writestr(VERSION, json.dumps({"version": version}))
    return buffer.getvalue()


def test_the_previous_release_left_a_sample_of_every_kind() -> None:
    assert {form_of(name.partition(": ")[2]).kind.name for name in SAMPLES} == {form.kind.name for form in FORMS}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_the_previous_release_wrote_is_read_and_written_in_todays_form(name: str) -> None:
    known = form_of(name.partition(": ")[2])
    again = known.again(SAMPLES[name], name)
    assert version_in(again, known.kind) == known.kind.version
    assert known.again(again, name) == again  # what was migrated stays as it is


@pytest.mark.parametrize("name", SAMPLES)
def test_a_changed_form_has_a_version_of_its_own(name: str) -> None:
    """Else a rollback would read the new form as the old one, and write it back without what it does not know."""
    known = form_of(name.partition(": ")[2])
    then, now = SAMPLES[name], known.again(SAMPLES[name], name)
    changed = form(then, known.kind) ^ form(now, known.kind)
    assert not changed or known.kind.version > version_in(then, known.kind), (
        f"{known.kind.name} is no longer what the previous release wrote ({sorted(changed)}): give its Kind the next version and a "
        "migration from the one before"
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_a_later_releases_document_is_refused_for_now(name: str) -> None:
    known = form_of(name.partition(": ")[2])
    later = at_version(SAMPLES[name], known.kind, known.kind.version + 1)
    with pytest.raises(NewerDocument, match=f"version {known.kind.version + 1}; this release reads up to"):
        known.again(later, name)


@pytest.mark.parametrize("version", [0, -1, "1", None, True, 1.0])
def test_an_impossible_version_is_damage(version: Any) -> None:
    for known in FORMS[:3]:
        name = next(name for name in SAMPLES if form_of(name.partition(": ")[2]) is known)
        with pytest.raises(DamagedDocument, match="version is"):
            known.again(at_version(SAMPLES[name], known.kind, version), name)


@pytest.mark.parametrize("known", [form for form in FORMS if form.kind is not CELL], ids=lambda form: form.kind.name)
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000], ids=lambda d: str(d[:4]))
def test_what_is_no_document_is_named(known: Form, data: bytes) -> None:
    with pytest.raises((DamagedDocument, LyingManifest), match=f"not {known.kind.name}: |not a manifest"):
        known.again(data, known.prefix)


@pytest.mark.parametrize("known", FORMS[:3], ids=lambda form: form.kind.name)
def test_a_missing_field_is_named_with_its_document(known: Form) -> None:
    name, data = next((name, data) for name, data in SAMPLES.items() if form_of(name.partition(": ")[2]) is known)
    body = json.loads(data)
    for field in ("event_id", "t0", "updated", "caught_up_at"):
        if field in body:
            lacking = {key: value for key, value in body.items() if key != field}
            with pytest.raises(DamagedDocument, match=f"not {known.kind.name}: field '{field}' is missing"):
                known.again(json.dumps(lacking).encode(), name)


THIRD = Kind(
    name="a thing",
    version=3,
    migrations={1: lambda old: {"km": old["m"] / 1000}, 2: lambda old: {**old, "unit": "km"}},
)


def test_migrations_are_taken_one_by_one() -> None:
    assert THIRD.read(b'{"version": 1, "m": 1500}', "x") == {"version": 3, "km": 1.5, "unit": "km"}
    assert THIRD.read(b'{"version": 2, "km": 7}', "x") == {"version": 3, "km": 7, "unit": "km"}
    assert THIRD.read(b'{"version": 3, "km": 7, "unit": "mi"}', "x") == {"version": 3, "km": 7, "unit": "mi"}


def test_a_migration_that_meets_no_field_names_the_object() -> None:
    with pytest.raises(DamagedDocument, match="x: not a thing: field 'm' is missing"):
        THIRD.read(b'{"version": 1}', "x")


@pytest.mark.parametrize("migrations", [{}, {1: dict}, {2: dict}, {1: dict, 2: dict, 3: dict}])
def test_a_gap_between_versions_is_refused(migrations: dict[int, Any]) -> None:
    with pytest.raises(ValueError, match="migrations must lead from every earlier version to version 3"):
        Kind(name="a thing", version=3, migrations=migrations)


def test_both_refusals_are_redelivered() -> None:
    for error in (NewerDocument, DamagedDocument):
        assert issubclass(error, QuakeslideError)
        assert error.__mro__[1].__name__ == "TransientError"
        assert error.remedy
