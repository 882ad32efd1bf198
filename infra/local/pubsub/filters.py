"""Subscription filters: which messages each lets through, and how it is written. `filter_grammar` reads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Has:
    """True where the key is there, whatever its value."""

    key: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        return self.key in attributes

    def __str__(self) -> str:
        return f"attributes:{_quoted(self.key)}"


@dataclass(frozen=True, slots=True)
class Equals:
    """True where the key is there with this value."""

    key: str
    value: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        return attributes.get(self.key) == self.value

    def __str__(self) -> str:
        return f"attributes.{_quoted(self.key)} = {_quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Differs:
    """True where the key is absent or has another value."""

    key: str
    value: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        return attributes.get(self.key) != self.value

    def __str__(self) -> str:
        return f"attributes.{_quoted(self.key)} != {_quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class HasPrefix:
    """True where the key is there and its value begins so."""

    key: str
    prefix: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        value = attributes.get(self.key)
        return value is not None and value.startswith(self.prefix)

    def __str__(self) -> str:
        return f"hasPrefix(attributes.{_quoted(self.key)}, {_quoted(self.prefix)})"


@dataclass(frozen=True, slots=True)
class Not:
    """True where the inner filter is not."""

    inner: "Filter"

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        return not self.inner.matches(attributes)

    def __str__(self) -> str:
        return f"NOT {_grouped(self.inner)}"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more filters joined by one word, `AND` or `OR`."""

    word: str
    parts: tuple["Filter", ...]

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a message with these attributes is delivered."""
        decide: Callable[..., bool] = all if self.word == "AND" else any
        return decide(part.matches(attributes) for part in self.parts)

    def __str__(self) -> str:
        return f" {self.word} ".join(_grouped(part) for part in self.parts)


Filter = Has | Equals | Differs | HasPrefix | Not | Joined


def _grouped(part: Filter) -> str:
    return f"({part})" if isinstance(part, Joined) else str(part)


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
    return f'"{plain}"'


def _escaped(character: str) -> str:
    return "\\" + character if character in '"\\' else f"\\U{ord(character):08x}"
