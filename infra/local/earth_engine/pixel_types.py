"""Types of pixels, and what an export makes of them."""

from dataclasses import dataclass

import numpy as np

INTEGERS = (
    ("Byte", "uint8"),
    ("Int8", "int8"),
    ("UInt16", "uint16"),
    ("Int16", "int16"),
    ("UInt32", "uint32"),
    ("Int32", "int32"),
)


@dataclass(frozen=True, slots=True)
class PixelType:
    """Type of a band: `int` with its range, `float` or `double`, as Earth Engine's PixelType."""

    precision: str
    low: float | None = None
    high: float | None = None

    @property
    def export(self) -> tuple[str, str]:
        """Name in Earth Engine's export messages and the NumPy dtype; the smallest integer that holds the range."""
        if self.precision == "float":
            return "Float32", "float32"
        for name, dtype in INTEGERS if self.precision == "int" else ():
            info = np.iinfo(dtype)
            if self.low is not None and self.high is not None and info.min <= self.low and self.high <= info.max:
                return name, dtype
        return "Float64", "float64"

    def union(self, other: "PixelType") -> "PixelType":
        """The type that holds both."""
        for precision in ("double", "float"):
            if precision in (self.precision, other.precision):
                return PixelType(precision)
        if None in (self.low, self.high, other.low, other.high):
            return PixelType("double")
        return PixelType("int", min(self.low, other.low), max(self.high, other.high))  # type: ignore[type-var]


FLOAT, DOUBLE, BOOLEAN = PixelType("float"), PixelType("double"), PixelType("int", 0, 1)
