"""Evaluation of an expression graph (`Expression` of the REST API).

Each node is evaluated once; a node inside a function body once per value of the arguments it really depends on, so that
what a mapped function takes from outside is shared by all elements.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.earth_engine import algorithms
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.catalogue import call, check_call
from infra.local.earth_engine.errors import EarthEngineError, unsupported

Node = Mapping[str, Any]
KINDS = {
    "constantValue",
    "integerValue",
    "arrayValue",
    "dictionaryValue",
    "functionDefinitionValue",
    "functionInvocationValue",
    "argumentReference",
    "valueReference",
}


def refuse_nan(value: Any, where: str) -> None:
    """NaN and infinity are not legal JSON although Python's parser takes them.

    Raises:
        EarthEngineError: naming the place.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise EarthEngineError(f"Invalid JSON payload received. {value} is not legal JSON. Near: {where}")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        refuse_nan(item, f"{where}.{key}")


class Expression:
    """A checked graph.

    Attributes:
        values: nodes by name.
        result: name of the node that is the result.
    """

    def __init__(self, body: Any) -> None:
        """Check every call in the graph.

        Raises:
            EarthEngineError: the graph is no graph, or uses what does not exist or is not supported.
        """
        if not isinstance(body, dict) or set(body) - {"result", "values"} or "result" not in body:
            raise EarthEngineError("Invalid value at 'expression': it needs the fields 'result' and 'values'.")
        self.values: Mapping[str, Node] = body.get("values", {})
        self.result: str = body["result"]
        self._free: dict[str, frozenset[str]] = {}
        self._images: set[str] = set()
        for name, node in self.values.items():
            self._check(node, f"expression.values.{name}")
        self._reference(self.result)

    def _reference(self, name: str) -> Node:
        if name not in self.values:
            raise EarthEngineError(f"Invalid value at 'expression': node '{name}' is referenced and not there.")
        return self.values[name]

    def _check(self, node: Any, where: str) -> None:
        if not isinstance(node, dict) or len(node) != 1 or not set(node) <= KINDS:
            found = sorted(set(node) - KINDS) if isinstance(node, dict) else node
            raise EarthEngineError(f"Invalid value at '{where}': not a value node this Earth Engine knows: {found}.")
        if "functionInvocationValue" in node:
            invocation = node["functionInvocationValue"]
            if "functionReference" in invocation:
                raise unsupported(f"calling a computed function ({where})")
            arguments = invocation.get("arguments", {})
            check_call(invocation["functionName"], set(arguments))
            for name, argument in arguments.items():
                self._check(argument, f"{where}.{name}")
            if invocation["functionName"] == "Image.load":
                self._note(arguments["id"])
        for container in ("arrayValue", "dictionaryValue"):
            if container in node:
                values = node[container].get("values", [])
                for key, item in values.items() if isinstance(values, dict) else enumerate(values):
                    self._check(item, f"{where}.{key}")
        if "valueReference" in node:
            self._reference(node["valueReference"])

    def _note(self, identity: Node) -> None:
        if "valueReference" in identity:
            identity = self._reference(identity["valueReference"])
        if isinstance(identity.get("constantValue"), str):
            self._images.add(identity["constantValue"])

    def check_images(self, archive: Archive) -> None:
        """Look up every image the graph names by a constant.

        Raises:
            AssetNotFound: one is not there; an export is then refused at once, as the real service does.
        """
        for identity in sorted(self._images):
            archive.image(identity)

    def free_arguments(self, name: str) -> frozenset[str]:
        """The function arguments a node depends on."""
        if name not in self._free:
            self._free[name] = self._free_in(self._reference(name))
        return self._free[name]

    def _free_in(self, node: Node) -> frozenset[str]:
        if "argumentReference" in node:
            return frozenset({node["argumentReference"]})
        if "valueReference" in node:
            return self.free_arguments(node["valueReference"])
        if "functionDefinitionValue" in node:
            definition = node["functionDefinitionValue"]
            return self.free_arguments(definition["body"]) - set(definition["argumentNames"])
        children: list[Node] = []
        if "functionInvocationValue" in node:
            children = list(node["functionInvocationValue"].get("arguments", {}).values())
        elif "arrayValue" in node:
            children = node["arrayValue"].get("values", [])
        elif "dictionaryValue" in node:
            children = list(node["dictionaryValue"].get("values", {}).values())
        return frozenset().union(*(self._free_in(child) for child in children))

    def evaluate(self, archive: Archive) -> Any:
        """The result; images stay lazy."""
        return Evaluation(self, archive).value(self.result, {})


class Evaluation:
    """One evaluation of an expression: its memory of nodes already done."""

    def __init__(self, expression: Expression, archive: Archive) -> None:
        self.expression = expression
        self.archive = archive
        # (node, its free arguments' ids) -> (value, those arguments, kept so that no id is used again)
        self._done: dict[tuple[str, tuple[tuple[str, int], ...]], tuple[Any, list[Any]]] = {}

    def value(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Value of a named node where the arguments in scope are these."""
        free = sorted(self.expression.free_arguments(name) & set(arguments))
        key = (name, tuple((argument, id(arguments[argument])) for argument in free))
        if key not in self._done:
            result = self._node(self.expression.values[name], arguments)
            self._done[key] = (result, [arguments[argument] for argument in free])
        return self._done[key][0]

    def _node(self, node: Node, scope: Mapping[str, Any]) -> Any:
        ((kind, content),) = node.items()
        if kind == "constantValue":
            return content
        if kind == "integerValue":
            return int(content)
        if kind == "valueReference":
            return self.value(content, scope)
        if kind == "argumentReference":
            if content not in scope:
                raise EarthEngineError(f"Argument '{content}' is not defined here.")
            return scope[content]
        if kind == "arrayValue":
            return [self._node(item, scope) for item in content.get("values", [])]
        if kind == "dictionaryValue":
            return {name: self._node(item, scope) for name, item in content.get("values", {}).items()}
        if kind == "functionDefinitionValue":
            return self._function(content, scope)
        given = {name: self._node(item, scope) for name, item in content.get("arguments", {}).items()}
        name = content["functionName"]
        if name in algorithms.LOADERS:
            return algorithms.LOADERS[name](self.archive, given)
        return call(name, given)

    def _function(self, definition: Mapping[str, Any], scope: Mapping[str, Any]) -> Callable[..., Any]:
        names = definition["argumentNames"]

        def function(*given: Any) -> Any:
            return self.value(definition["body"], {**scope, **dict(zip(names, given, strict=True))})

        return function
