"""Bands and properties of an image: select, rename, add, set, ask."""

import re
from collections.abc import Mapping
from typing import Any

from infra.local.earth_engine.algorithms.collections import with_properties
from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.promotion import constant_image, is_number
from infra.local.earth_engine.values import Band, Date, Image


@algorithm("Image.constant")
def _constant(value: Any) -> Image:
    return constant_image(value)


def _named(bands: list[Band], names: list[str], algorithm_name: str) -> dict[str, Band]:
    if len(bands) != len(names):
        raise EarthEngineError(
            f"{algorithm_name}: The number of names ({len(names)}) must match the number of bands ({len(bands)})."
        )
    if len(set(names)) != len(names):
        raise EarthEngineError(f"{algorithm_name}: duplicate band name in {names}.")
    return dict(zip(names, bands, strict=True))


@algorithm("Image.select")
def _select(input: Image, bandSelectors: list[Any], newNames: list[str] | None) -> Image:
    available = list(input.bands)
    chosen: list[str] = []
    for selector in bandSelectors:
        if is_number(selector):
            if not 0 <= selector < len(available):
                raise EarthEngineError(f"Image.select: Band index {selector} out of bounds; bands: {available}.")
            chosen.append(available[int(selector)])
            continue
        matches = [name for name in available if re.fullmatch(str(selector), name)]
        if not matches:
            raise EarthEngineError(
                f"Image.select: Band pattern '{selector}' did not match any bands. Available bands: {available}"
            )
        chosen.extend(matches)
    bands = [input.bands[name] for name in chosen]
    return input.with_bands(_named(bands, newNames if newNames is not None else chosen, "Image.select"))


@algorithm("Image.rename")
def _rename(input: Image, names: list[str]) -> Image:
    return input.with_bands(_named(list(input.bands.values()), names, "Image.rename"))


def _join(first: Mapping[str, Band], second: Mapping[str, Band]) -> dict[str, Band]:
    joined = dict(first)
    for name, band in second.items():
        free, number = name, 1
        while free in joined:
            free, number = f"{name}_{number}", number + 1
        joined[free] = band
    return joined


@algorithm("Image.addBands")
def _add_bands(dstImg: Image, srcImg: Image, names: list[str] | None, overwrite: bool) -> Image:
    added = srcImg.bands if names is None else _select(srcImg, list(names), None).bands
    if overwrite:
        return dstImg.with_bands({**dstImg.bands, **added})
    return dstImg.with_bands(_join(dstImg.bands, added))


@algorithm("Image.cat")
def _cat(images: list[Any]) -> Image:
    bands: dict[str, Band] = {}
    for image in images:
        bands = _join(bands, image.bands if isinstance(image, Image) else constant_image(image).bands)
    return Image(lambda: bands)


@algorithm("Image.bandNames")
def _band_names(image: Image) -> list[str]:
    return list(image.bands)


@algorithm("Image.id")
def _id(element: Any) -> str | None:
    return element.properties.get("system:index")


def image_id(image: Image) -> str | None:
    """Asset id of a stored image; None of a computed one."""
    return image.asset[0] if image.asset else None


@algorithm("Image.date")
def _date(image: Image) -> Date | None:
    start = image.properties.get("system:time_start")
    return Date(float(start)) if start is not None else None


@algorithm("Image.metadata")
def _metadata(image: Image, property: str, name: str | None) -> Image:
    value = image.properties.get(property)
    if not is_number(value):
        raise EarthEngineError(f"Image.metadata: the property '{property}' must be a number; got {value!r}.")
    return image.with_bands({name or property: constant_image(value).bands["constant"]})


@algorithm("Element.set")
def _set(object: Any, key: str, value: Any) -> Any:
    return with_properties(object, {**object.properties, key: value})


@algorithm("Element.setMulti")
def _set_multi(object: Any, properties: dict[str, Any]) -> Any:
    return with_properties(object, {**object.properties, **properties})


@algorithm("Element.get")
def _get(object: Any, property: str) -> Any:
    if property == "system:id" and isinstance(object, Image):
        return image_id(object)
    return object.properties.get(property)


@algorithm("Element.getNumber")
def _get_number(object: Any, property: str) -> float | None:
    value = object.properties.get(property)
    if value is not None and not is_number(value):
        raise EarthEngineError(f"Element.getNumber: the property '{property}' is no number: {value!r}.")
    return value


@algorithm("Element.getString")
def _get_string(object: Any, property: str) -> str | None:
    value = object.properties.get(property)
    if value is not None and not isinstance(value, str):
        raise EarthEngineError(f"Element.getString: the property '{property}' is no string: {value!r}.")
    return value


@algorithm("Element.propertyNames")
def _property_names(element: Any) -> list[str]:
    return sorted(element.properties)


@algorithm("Element.toDictionary")
def _to_dictionary(element: Any, properties: list[str] | None) -> dict[str, Any]:
    names = sorted(element.properties) if properties is None else properties
    return {name: element.properties.get(name) for name in names}


@algorithm("Element.copyProperties", "Image.copyProperties")
def _copy_properties(destination: Any, source: Any, properties: list[str] | None, exclude: list[str] | None) -> Any:
    # without a list everything but the system properties is copied
    names = [n for n in source.properties if not n.startswith("system:")] if properties is None else properties
    copied = {n: source.properties[n] for n in names if n in source.properties and n not in (exclude or [])}
    return with_properties(destination, {**destination.properties, **copied})
