"""Filters: tests on one element's properties, or on its footprint with `.all` / `.geo`.

A property that is not there matches nothing, not even `notEquals`.
"""

import operator
from collections.abc import Callable
from typing import Any

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.promotion import is_number, lonlat, millis_of
from infra.local.earth_engine.values import Date, DateRange, Filter

GEOMETRY_FIELDS = (".all", ".geo")
_MISSING = object()


def _property(element: Any, name: str) -> Any:
    if name in GEOMETRY_FIELDS:
        return element
    return element.properties.get(name, _MISSING)


def _comparison(test: Callable[[Any, Any], bool]) -> Callable[..., Filter]:
    def make(leftField: str | None, rightValue: Any, rightField: str | None, leftValue: Any) -> Filter:
        if (leftField is None) == (leftValue is None) or (rightField is None) == (rightValue is None):
            raise EarthEngineError("Filter: each side needs either a field or a value.")

        def keeps(element: Any) -> bool:
            left = leftValue if leftField is None else _property(element, leftField)
            right = rightValue if rightField is None else _property(element, rightField)
            return left is not _MISSING and right is not _MISSING and test(left, right)

        return Filter(keeps)

    return make


def _plain(value: Any) -> Any:
    return value.millis if isinstance(value, Date) else value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        left, right = _plain(left), _plain(right)
        same_kind = (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return same_kind and compare(left, right)

    return test


def _contains(left: Any, right: Any) -> bool:
    if not isinstance(left, list):
        raise EarthEngineError(f"Filter.listContains: the left side must be a list; got {left!r}.")
    return right in left


def _in_range(left: Any, right: Any) -> bool:
    if not isinstance(left, DateRange):
        raise EarthEngineError("Filter.dateRangeContains: the left side must be a DateRange.")
    return left.start <= millis_of(right) < left.end


def _intersects(left: Any, right: Any) -> bool:
    a, b = lonlat(left), lonlat(right)
    return a is None or b is None or bool(a.intersects(b))


def _starts_with(left: Any, right: Any) -> bool:
    return isinstance(left, str) and isinstance(right, str) and left.startswith(right)


TESTS: dict[tuple[str, ...], Callable[[Any, Any], bool]] = {
    ("Filter.equals", "Filter.eq"): lambda left, right: bool(_plain(left) == _plain(right)),
    ("Filter.notEquals", "Filter.neq"): lambda left, right: bool(_plain(left) != _plain(right)),
    ("Filter.greaterThan", "Filter.gt"): _ordered(operator.gt),
    ("Filter.greaterThanOrEquals", "Filter.gte"): _ordered(operator.ge),
    ("Filter.lessThan", "Filter.lt"): _ordered(operator.lt),
    ("Filter.lessThanOrEquals", "Filter.lte"): _ordered(operator.le),
    ("Filter.inList",): lambda left, right: _contains(right, left),
    ("Filter.listContains",): _contains,
    ("Filter.dateRangeContains",): _in_range,
    ("Filter.stringStartsWith",): _starts_with,
}
for names, test in TESTS.items():
    algorithm(*names)(_comparison(test))


@algorithm("Filter.intersects")
def _filter_intersects(
    leftField: str | None, rightValue: Any, rightField: str | None, leftValue: Any, maxError: Any
) -> Filter:
    # maxError is a tolerance: the exact answer keeps within any
    return _comparison(_intersects)(leftField, rightValue, rightField, leftValue)


@algorithm("Filter.and")
def _and(filters: list[Filter]) -> Filter:
    return Filter(lambda element: all(part.keeps(element) for part in filters))


@algorithm("Filter.or")
def _or(filters: list[Filter]) -> Filter:
    return Filter(lambda element: any(part.keeps(element) for part in filters))


@algorithm("Filter.not")
def _not(filter: Filter) -> Filter:
    return Filter(lambda element: not filter.keeps(element))


@algorithm("Filter.notNull")
def _not_null(properties: list[str]) -> Filter:
    return Filter(lambda element: all(element.properties.get(name) is not None for name in properties))


@algorithm("Filter.always")
def _always() -> Filter:
    return Filter(lambda element: True)
