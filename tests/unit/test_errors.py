import re

import pytest

from quakeslide.errors import (
    MalformedMessage,
    PermanentError,
    QuakeslideError,
    TransientError,
    UnreadableInput,
    catalogue,
)

CATALOGUE = catalogue()


@pytest.mark.parametrize("error", CATALOGUE)
def test_every_error_says_what_it_means_and_what_to_do(error):
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert len((error.__doc__ or "").strip()) > 20
    assert len(error.remedy) > 10
    assert "code" in vars(error), "an inherited code names another error"
    assert "remedy" in vars(error)


def test_codes_are_unique_and_parents_come_first():
    assert len({error.code for error in CATALOGUE}) == len(CATALOGUE)
    for place, error in enumerate(CATALOGUE):
        (parent,) = error.__bases__
        assert parent is QuakeslideError or parent in CATALOGUE[:place]


def test_every_error_belongs_to_one_family():
    families = (TransientError, PermanentError, MalformedMessage, UnreadableInput)
    for error in CATALOGUE:
        assert sum(issubclass(error, family) for family in families) == 1


def test_catalogue_has_a_fixed_order():
    assert catalogue() == CATALOGUE
    assert {"transient", "lost_race", "permanent", "lying_manifest", "malformed_message"} <= {e.code for e in CATALOGUE}
