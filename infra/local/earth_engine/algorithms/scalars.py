"""Numbers, strings, dates, lists and dictionaries."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from infra.local.earth_engine.algorithms.collections import sort_key
from infra.local.earth_engine.algorithms.pixels import BINARY, UNARY, scalar
from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.promotion import is_number, millis_of, type_name
from infra.local.earth_engine.values import Date, DateRange

UNITS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}


def _two(name: str) -> Callable[[float, float], Any]:
    operation = scalar(name)

    def apply(left: float, right: float) -> Any:
        return operation(left, right)

    return apply


def _one(name: str) -> Callable[[float], Any]:
    operation = scalar(name)

    def apply(input: float) -> Any:
        return operation(input)

    return apply


for _name in BINARY:
    algorithm(f"Number.{_name}")(_two(_name))
for _name in UNARY:
    algorithm(f"Number.{_name}")(_one(_name))


@algorithm("Number.toFloat", "Number.float", "Number.toDouble", "Number.double")
def _to_float(input: float) -> float:
    return float(input)


@algorithm("Number.toInt", "Number.int", "Number.toLong", "Number.long")
def _to_int(input: float) -> int:
    return int(input)


@algorithm("String")
def _string(input: Any) -> str:
    if not isinstance(input, str):
        raise EarthEngineError(f"String: a string is needed; got {type_name(input)}.")
    return input


@algorithm("String.cat")
def _cat_strings(string1: str, string2: str) -> str:
    return string1 + string2


@algorithm("Date")
def _date(value: Any) -> Date:
    return Date(millis_of(value))


@algorithm("Date.millis")
def _millis(date: Date) -> int:
    return int(date.millis)


@algorithm("Date.advance")
def _advance(date: Date, delta: float, unit: str) -> Date:
    size = UNITS.get(unit.removesuffix("s"))
    if size is None:
        raise EarthEngineError(f"local Earth Engine does not support the unit '{unit}' of Date.advance")
    return Date(date.millis + delta * size)


@algorithm("Date.format")
def _format(date: Date, format: str | None) -> str:
    instant = datetime.fromtimestamp(date.millis / 1000, UTC)
    if format not in (None, "YYYY-MM-dd"):
        raise EarthEngineError(f"local Earth Engine does not support the pattern '{format}' of Date.format")
    return instant.strftime("%Y-%m-%d") if format else instant.isoformat(timespec="seconds").removesuffix("+00:00")


@algorithm("DateRange")
def _date_range(start: Any, end: Any) -> DateRange:
    first = millis_of(start)
    return DateRange(first, first + 1 if end is None else millis_of(end))


@algorithm("List.map")
def _map(list: list[Any], baseAlgorithm: Callable[..., Any], dropNulls: bool) -> Any:
    mapped = [baseAlgorithm(item) for item in list]
    return [item for item in mapped if item is not None] if dropNulls else mapped


@algorithm("List.distinct")
def _distinct(list: list[Any]) -> Any:
    kept: Any = []
    for item in list:
        if item not in kept:
            kept.append(item)
    return kept


@algorithm("List.sort")
def _sort(list: list[Any]) -> Any:
    return sorted(list, key=sort_key)


@algorithm("List.reverse")
def _reverse(list: list[Any]) -> Any:
    return list[::-1]


@algorithm("List.get")
def _get(list: list[Any], index: int) -> Any:
    if not -len(list) <= index < len(list):
        raise EarthEngineError(
            f"List.get: List index must be between 0 and {len(list) - 1}, or -{len(list)}; got {index}."
        )
    return list[index]


@algorithm("List.getNumber")
def _get_number(list: list[Any], index: int) -> Any:
    value = _get(list, index)
    if not is_number(value):
        raise EarthEngineError(f"List.getNumber: item {index} is no number: {value!r}.")
    return value


@algorithm("List.size", "List.length")
def _size(list: list[Any]) -> int:
    return len(list)


@algorithm("List.contains")
def _contains(list: list[Any], element: Any) -> bool:
    return element in list


@algorithm("List.flatten")
def _flatten(list: list[Any]) -> Any:
    flat: Any = []
    for item in list:
        flat.extend(_flatten(item) if type_name(item) == "List" else [item])
    return flat


@algorithm("List.cat")
def _cat(list: list[Any], other: list[Any]) -> Any:
    return list + other


@algorithm("Dictionary")
def _dictionary(input: Any) -> dict[str, Any]:
    if not isinstance(input, dict):
        raise EarthEngineError(f"local Earth Engine does not support Dictionary from {type_name(input)}")
    return input


@algorithm("Dictionary.get")
def _dictionary_get(dictionary: dict[str, Any], key: str, defaultValue: Any) -> Any:
    value = dictionary.get(key)
    if value is not None:
        return value
    if defaultValue is None and key not in dictionary:
        raise EarthEngineError(f"Dictionary.get: Dictionary does not contain key: '{key}'.")
    return defaultValue


@algorithm("Dictionary.getNumber")
def _dictionary_get_number(dictionary: dict[str, Any], key: str) -> Any:
    value = _dictionary_get(dictionary, key, None)
    if value is not None and not is_number(value):
        raise EarthEngineError(f"Dictionary.getNumber: '{key}' is no number: {value!r}.")
    return value


@algorithm("Dictionary.keys")
def _keys(dictionary: dict[str, Any]) -> list[str]:
    return sorted(dictionary)


@algorithm("Dictionary.values")
def _values(dictionary: dict[str, Any]) -> list[Any]:
    return [dictionary[key] for key in sorted(dictionary)]


@algorithm("Dictionary.fromLists")
def _from_lists(keys: list[str], values: list[Any]) -> dict[str, Any]:
    if len(keys) != len(values):
        raise EarthEngineError(f"Dictionary.fromLists: {len(keys)} keys and {len(values)} values.")
    return dict(zip(keys, values, strict=True))
