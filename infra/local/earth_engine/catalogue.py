"""The algorithms Earth Engine has, from the file its client ships, and the ones implemented here.

Every call is held against that file: an unknown algorithm or argument is refused by name, defaults are filled in, values
are promoted to the declared type the way the server does. What exists but is not implemented here is refused as such.
"""

import importlib.util
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.local.earth_engine.errors import EarthEngineError, unsupported
from infra.local.earth_engine.promotion import promote

Implementation = Callable[..., Any]
IMPLEMENTATIONS: dict[str, Implementation] = {}


def algorithm(*names: str) -> Callable[[Implementation], Implementation]:
    """Register an implementation; its parameters are the argument names it supports.

    Raises:
        ValueError: Earth Engine has no such algorithm, or it has no such argument.
    """

    def register(function: Implementation) -> Implementation:
        for name in names:
            known = {argument.name for argument in signatures()[name].arguments}
            if unknown := set(inspect.signature(function).parameters) - known:
                raise ValueError(f"{name} has no argument {sorted(unknown)}")
            IMPLEMENTATIONS[name] = function
        return function

    return register


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its name, declared type, whether it may be left out, and the value it then has."""

    name: str
    type: str
    optional: bool
    default: Any


@dataclass(frozen=True, slots=True)
class Signature:
    """One algorithm of Earth Engine."""

    name: str
    arguments: tuple[Argument, ...]


@cache
def shipped(name: str) -> str:
    """Text of a file in the installed client's `ee/tests`.

    Raises:
        FileNotFoundError: the client is not installed or ships no such file.
    """
    spec = importlib.util.find_spec("ee")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("earthengine-api is not installed")
    return (Path(spec.origin).parent / "tests" / name).read_text(encoding="utf-8")


@cache
def signatures() -> dict[str, Signature]:
    """All algorithms by name."""
    found = {}
    for record in json.loads(shipped("algorithms.json"))["algorithms"]:
        name = record["name"].removeprefix("algorithms/")
        arguments = tuple(
            Argument(a["argumentName"], a["type"], a.get("optional", False), a.get("defaultValue"))
            for a in record.get("arguments", [])
        )
        found[name] = Signature(name, arguments)
    return found


def check_call(name: str, given: set[str]) -> Signature:
    """Refuse an unknown algorithm, an unknown or missing argument, and what is not implemented.

    Raises:
        EarthEngineError: naming it.
    """
    signature = signatures().get(name)
    if signature is None:
        raise EarthEngineError(f"No such algorithm: '{name}'.")
    known = {argument.name for argument in signature.arguments}
    if unknown := sorted(given - known):
        raise EarthEngineError(f"{name}: unrecognized argument '{unknown[0]}'. Arguments: {sorted(known)}.")
    for argument in signature.arguments:
        if not argument.optional and argument.name not in given:
            raise EarthEngineError(f"{name}: required argument ({argument.name}) missing to function.")
    if name not in IMPLEMENTATIONS:
        raise unsupported(name)
    supported = inspect.signature(IMPLEMENTATIONS[name]).parameters
    if left := sorted(given - set(supported)):
        raise unsupported(f"argument '{left[0]}' of {name}")
    return signature


def call(name: str, given: dict[str, Any]) -> Any:
    """Run an algorithm on values.

    Raises:
        EarthEngineError: the call is refused or fails.
    """
    # a client sends nothing for an argument left out; a null means the same
    given = {key: value for key, value in given.items() if value is not None or name in ("Element.set",)}
    signature = check_call(name, set(given))
    function = IMPLEMENTATIONS[name]
    arguments = {}
    for argument in signature.arguments:
        if argument.name in given:
            arguments[argument.name] = promote(
                given[argument.name], argument.type, f"{name}, argument '{argument.name}'"
            )
        elif argument.name in inspect.signature(function).parameters:
            # the file's ErrorMargin and Projection defaults are descriptions; the implementations have their own
            arguments[argument.name] = None if isinstance(argument.default, dict) else argument.default
    return function(**arguments)
