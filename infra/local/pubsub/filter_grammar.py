"""How subscription filters are written: https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax.

expression = term *("AND" term) / term *("OR" term)     AND beside OR needs parentheses
term       = *("NOT" / "-") atom
atom       = "(" expression ")"
           / "attributes" ":" key                        the key is there
           / "attributes" "." key ("=" / "!=") string    an absent key differs from every value
           / "hasPrefix" "(" "attributes" "." key "," string ")"
key        = word / string                               words hold letters, digits, "_" and "-"
"""

import re
from dataclasses import dataclass

from infra.local.pubsub.filters import Differs, Equals, Filter, Has, HasPrefix, Joined, Not

MAX_BYTES = 256


class FilterError(ValueError):
    """A filter that cannot be read; the text names the position, counted from 0, and what was expected there."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # word, string, sign or end
    text: str  # a string's value is unescaped here
    position: int


_LEXEME = re.compile(
    r'(?P<space>\s+)|(?P<word>\w[\w-]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<sign>!=|[=:.,()-])', re.ASCII | re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {c: c for c in "\\\"'?`"}


def _unescaped(body: str, position: int) -> str:
    def character(match: re.Match[str]) -> str:
        hexadecimal = match[1] or match[2] or match[3]
        if hexadecimal or match[4]:
            number = int(hexadecimal, 16) if hexadecimal else int(match[4], 8)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                raise FilterError(f"position {position + match.start()}: {match[0]} is no Unicode character")
            return chr(number)
        if match[5] not in _SHORT:
            raise FilterError(f"position {position + match.start()}: unknown escape {match[0]!r}")
        return _SHORT[match[5]]

    return _ESCAPE.sub(character, body)


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    while position < len(text):
        match = _LEXEME.match(text, position)
        if match is None:
            what = "a string that is never closed" if text[position] == '"' else f"unexpected {text[position]!r}"
            raise FilterError(f"position {position}: {what}")
        if match["string"]:
            tokens.append(_Token("string", _unescaped(match[0][1:-1], position + 1), position))
        elif not match["space"]:
            tokens.append(_Token("word" if match["word"] else "sign", match[0], position))
        position = match.end()
    return [*tokens, _Token("end", "end of filter", position)]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)

    def _next(self) -> _Token:
        return self._tokens[0]

    def _take(self, *texts: str) -> str | None:
        if self._next().kind != "string" and self._next().text in texts:
            return self._tokens.pop(0).text
        return None

    def _fail(self, expected: str) -> FilterError:
        return FilterError(f"position {self._next().position}: expected {expected}, found {self._next().text!r}")

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise self._fail(repr(text))

    def _need_kind(self, *kinds: str) -> str:
        if self._next().kind not in kinds:
            raise self._fail(" or ".join({"word": "a key", "string": "a quoted string"}[kind] for kind in kinds))
        return self._tokens.pop(0).text

    def whole(self) -> Filter:
        found = self.expression()
        if self._next().kind != "end":
            raise self._fail("AND, OR or the end")
        return found

    def expression(self) -> Filter:
        parts, word = [self.term()], ""
        while joined := self._take("AND", "OR") if not word else self._take(word):
            word = joined
            parts.append(self.term())
        if self._next().text in ("AND", "OR") and self._next().kind == "word":
            raise self._fail(f"parentheses between AND and OR after {word}")
        return Joined(word, tuple(parts)) if word else parts[0]

    def term(self) -> Filter:
        if self._take("NOT", "-"):
            return Not(self.term())
        if self._take("("):
            inner = self.expression()
            self._need(")")
            return inner
        if self._take("hasPrefix"):
            self._need("(")
            self._need("attributes")
            self._need(".")
            key = self._need_kind("word", "string")
            self._need(",")
            prefix = self._need_kind("string")
            self._need(")")
            return HasPrefix(key, prefix)
        if not self._take("attributes"):
            raise self._fail("attributes, hasPrefix, NOT or (")
        if self._take(":"):
            return Has(self._need_kind("word", "string"))
        self._need(".")
        key = self._need_kind("word", "string")
        sign = self._take("=", "!=")
        if sign is None:
            raise self._fail("= or !=")
        value = self._need_kind("string")
        return Equals(key, value) if sign == "=" else Differs(key, value)


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        FilterError: it is longer than 256 bytes, or breaks the grammar of this module's docstring.
    """
    if len(text.encode()) > MAX_BYTES:
        raise FilterError(
            f"position {MAX_BYTES}: a filter has at most {MAX_BYTES} bytes, this one has {len(text.encode())}"
        )
    return _Parser(text).whole()
