"""The filter grammar: examples of the documentation, refusals with their position, and properties of parser and printer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.pubsub.filter_grammar import FilterError, parse
from infra.local.pubsub.filters import Differs, Equals, Filter, Has, HasPrefix, Joined, Not


@pytest.mark.parametrize(
    ("text", "attributes", "is_match"),
    [
        ("attributes:domain", {"domain": ""}, True),
        ("attributes:domain", {}, False),
        ('attributes:"iana.org/language_tag"', {"iana.org/language_tag": "en"}, True),
        ('attributes.domain = "com"', {"domain": "com"}, True),
        ('attributes.domain = "com"', {"domain": "Com"}, False),
        ('attributes.domain != "com"', {"domain": "org"}, True),
        ('attributes.domain != "com"', {}, True),
        ('hasPrefix(attributes.domain, "co")', {"domain": "com"}, True),
        ('hasPrefix(attributes.domain, "")', {}, False),
        ("NOT attributes:a AND attributes:b", {"b": "1"}, True),
        ("NOT (attributes:a AND attributes:b)", {"b": "1"}, True),
        ("NOT attributes:a AND attributes:b", {}, False),
        ("-attributes:a", {}, True),
        ("attributes:a OR attributes:b OR attributes:c", {"c": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}, True),
        ("(attributes:a AND attributes:b) OR attributes:c", {"a": ""}, False),
        ('attributes.eventType="OBJECT_FINALIZE"', {"eventType": "OBJECT_FINALIZE"}, True),
        (r'attributes.a = "say \"\x41\u0042\103\" \\"', {"a": 'say "ABC" \\'}, True),
        (' attributes . a-b_1 = "x" ', {"a-b_1": "x"}, True),
    ],
)
def test_filter_matches_as_documented(text: str, attributes: dict[str, str], is_match: bool) -> None:
    assert parse(text).matches(attributes) is is_match


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 0, "expected attributes"),
        ("attributes", 10, "expected '.'"),
        ("attributes.a", 12, "= or !="),
        ("attributes.a = ", 15, "quoted string"),
        ("attributes.a = 5", 15, "quoted string"),
        ('attributes.a = "x', 15, "never closed"),
        (r'attributes.a = "\q"', 16, "unknown escape"),
        (r'attributes.a = "\ud800"', 16, "no Unicode character"),
        ('data = "x"', 0, "expected attributes"),
        ("attributes:a AND attributes:b OR attributes:c", 30, "parentheses between AND and OR"),
        ("attributes:a OR attributes:b AND attributes:c", 29, "parentheses between AND and OR"),
        ("attributes:a and attributes:b", 13, "AND, OR or the end"),
        ("(attributes:a", 13, "expected ')'"),
        ("attributes:a )", 13, "AND, OR or the end"),
        ('hasPrefix(attributes:a, "x")', 20, "expected '.'"),
        ("attributes:a & attributes:b", 13, "unexpected '&'"),
        ("attributes:" + "a" * 250, 256, "at most 256 bytes"),
    ],
)
def test_bad_filter_is_refused_with_its_position(text: str, position: int, what: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert str(refused.value).startswith(f"position {position}: ")
    assert what in str(refused.value)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
atoms = (
    st.builds(Has, texts) | st.builds(Equals, texts, texts) | st.builds(Differs, texts, texts)
    | st.builds(HasPrefix, texts, texts)
)  # fmt: skip


def _joined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(Joined, st.sampled_from(["AND", "OR"]), several)


filters = st.recursive(atoms, _joined, max_leaves=4).filter(lambda made: len(str(made).encode()) <= 256)


@given(filters)
def test_what_a_filter_prints_reads_back_as_the_same_filter(made: Filter) -> None:
    assert parse(str(made)) == made


@given(filters, filters, st.dictionaries(texts, texts, max_size=3))
def test_boolean_laws_hold(one: Filter, other: Filter, attributes: dict[str, str]) -> None:
    assert Not(one).matches(attributes) is not one.matches(attributes)
    neither = Joined("AND", (Not(one), Not(other)))
    assert Not(Joined("OR", (one, other))).matches(attributes) is neither.matches(attributes)


def _read(text: str) -> Filter | str:
    try:
        return parse(text)
    except FilterError as error:
        return str(error)


@given(st.text(alphabet='attributes:.=!"\\()- ANDORNThasPrefix,xu01', max_size=40))
def test_any_text_is_refused_with_a_position_or_reads_back(text: str) -> None:
    made = _read(text)
    assert made.startswith("position ") if isinstance(made, str) else parse(str(made)) == made
