"""Collections of images and features: filter, map, order, aggregate."""

from collections.abc import Callable
from typing import Any

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.promotion import type_name
from infra.local.earth_engine.values import Collection, Feature, Filter, Image


def sort_key(value: Any) -> tuple[str, Any]:
    """Order of mixed values: numbers before strings, as their types sort."""
    return ("", value) if isinstance(value, int | float) else (type_name(value), value)


@algorithm("ImageCollection.fromImages")
def _from_images(images: list[Image]) -> Collection:
    return Collection(images)


@algorithm("Collection")
def _from_features(features: list[Any]) -> Collection:
    return Collection(features)


@algorithm("Collection.filter")
def _filter(collection: Collection, filter: Any) -> Collection:
    if not isinstance(filter, Filter):
        raise EarthEngineError(f"Collection.filter: a Filter is needed; got {type_name(filter)}.")
    return Collection([item for item in collection.items if filter.keeps(item)], collection.properties)


@algorithm("Collection.map")
def _map(collection: Collection, baseAlgorithm: Callable[..., Any], dropNulls: bool) -> Collection:
    mapped = [baseAlgorithm(item) for item in collection.items]
    if dropNulls:
        mapped = [item for item in mapped if item is not None]
    for item in mapped:
        if not isinstance(item, Image | Feature):
            raise EarthEngineError(f"Collection.map: the function must return an element; got {type_name(item)}.")
    return Collection(mapped, collection.properties)


@algorithm("Collection.merge", "ImageCollection.merge")
def _merge(collection1: Collection, collection2: Collection) -> Collection:
    merged = []
    for prefix, part in (("1_", collection1), ("2_", collection2)):
        for item in part.items:
            index = item.properties.get("system:index")
            properties = item.properties if index is None else {**item.properties, "system:index": f"{prefix}{index}"}
            merged.append(with_properties(item, properties))
    return Collection(merged, collection1.properties)


@algorithm("Collection.limit")
def _limit(collection: Collection, limit: int | None, key: str | None, ascending: bool) -> Collection:
    items = collection.items
    if key is not None:
        with_key = [item for item in items if item.properties.get(key) is not None]
        without = [item for item in items if item.properties.get(key) is None]
        items = sorted(with_key, key=lambda item: sort_key(item.properties[key]), reverse=not ascending) + without
    return Collection(items[:limit] if limit is not None else items, collection.properties)


@algorithm("Collection.size")
def _size(collection: Collection) -> int:
    return len(collection.items)


@algorithm("Collection.first")
def _first(collection: Collection) -> Any:
    return collection.items[0] if collection.items else None


@algorithm("Collection.toList")
def _to_list(collection: Collection, count: int, offset: int) -> list[Any]:
    return collection.items[int(offset) : int(offset) + count]


@algorithm("Collection.distinct")
def _distinct(collection: Collection, properties: Any) -> Collection:
    names = properties if isinstance(properties, list) else [properties]
    seen: list[list[Any]] = []
    kept = []
    for item in collection.items:
        values = [item.properties.get(name) for name in names]
        if values not in seen:
            seen.append(values)
            kept.append(item)
    return Collection(kept, collection.properties)


def _values(collection: Collection, property: str) -> list[Any]:
    found = [item.properties.get(property) for item in collection.items]
    return [value for value in found if value is not None]


@algorithm("AggregateFeatureCollection.array")
def _aggregate_array(collection: Collection, property: str) -> list[Any]:
    return _values(collection, property)


@algorithm("AggregateFeatureCollection.first")
def _aggregate_first(collection: Collection, property: str) -> Any:
    return next(iter(_values(collection, property)), None)


@algorithm("AggregateFeatureCollection.count")
def _aggregate_count(collection: Collection, property: str) -> int:
    return len(_values(collection, property))


@algorithm("AggregateFeatureCollection.count_distinct")
def _aggregate_count_distinct(collection: Collection, property: str) -> int:
    return len({str(value) for value in _values(collection, property)})


@algorithm("AggregateFeatureCollection.max")
def _aggregate_max(collection: Collection, property: str) -> Any:
    return max(_values(collection, property), default=None)


@algorithm("AggregateFeatureCollection.min")
def _aggregate_min(collection: Collection, property: str) -> Any:
    return min(_values(collection, property), default=None)


def with_properties(element: Any, properties: dict[str, Any]) -> Any:
    """An image, feature or collection under other properties."""
    if isinstance(element, Image):
        return element.with_properties(properties)
    if isinstance(element, Feature):
        return Feature(element.geometry, properties)
    return Collection(element.items, properties)
