"""The numbers that a served network multiplies in: float32, or bfloat16 with its range and 8 significant bits.

Only operands and results of convolutions and of the hidden layer are bfloat16. `Conv2D` and `MatMul` of TensorFlow have one type for
both operands and the result, and add up in float32 inside; on a CPU without instructions for bfloat16 the first rounds its result
to the nearest, the second cuts it off (`test_precision.py` measures both). Standardisation, which comes first, biases, pooling of
borders, normalisation and the score stay float32.

`fit --precision mixed_float16` is about training and has nothing to do with this.
"""

from typing import Any, Literal, get_args

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEFAULT: Precision = "float32"
KEY = "precision"
"""Of a card; absent where it is float32, so that cards and runs from before there was a choice keep their meaning."""


class UnknownPrecision(ValueError):
    """A precision that no graph is made in; the message names it and those that there are."""


def known(name: str) -> Precision:
    """Return the precision of a name.

    Raises:
        UnknownPrecision: there is none.
    """
    for precision in PRECISIONS:
        if name == precision:
            return precision
    raise UnknownPrecision(f"precision is {name!r}, but must be one of {', '.join(PRECISIONS)}")


def precision_of(card: dict[str, Any]) -> Precision:
    """Return what the graph of a card multiplies in.

    Raises:
        UnknownPrecision: what the card says is none.
    """
    return known(card.get(KEY, DEFAULT))


def in_precision(card: dict[str, Any], precision: Precision | None) -> dict[str, Any]:
    """Return a card as it lies beside a graph of a precision; None leaves what it says.

    Raises:
        UnknownPrecision: what the card says, and is asked, is none.
    """
    wanted = precision or precision_of(card)
    rest = {key: value for key, value in card.items() if key != KEY}
    return rest if wanted == DEFAULT else rest | {KEY: wanted}
