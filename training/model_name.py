"""The name of a model says which bands, which pass and which windows it is for: `vv_vh_ascending_60_12`."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from training.patches.store import OrbitPass

Polarisation = Literal["vv", "vv_vh"]

_FORM = re.compile(r"(vv_vh|vv)_(ascending|descending)_([1-9]\d{0,2})_([1-9]\d{0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """What a name says.

    Attributes:
        polarisation: which bands.
        orbit_pass: of the images.
        pre_days, post_days: windows of the two medians.
    """

    polarisation: Polarisation
    orbit_pass: OrbitPass
    pre_days: int
    post_days: int

    def __str__(self) -> str:
        return f"{self.polarisation}_{self.orbit_pass.lower()}_{self.pre_days}_{self.post_days}"

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Read a name.

        Raises:
            ValueError: it is none.
        """
        if not (match := _FORM.fullmatch(text)):
            raise ValueError(f"{text!r} is no name of a model, such as vv_vh_ascending_60_12")
        (polarisation,) = (p for p in get_args(Polarisation) if p == match[1])
        (orbit_pass,) = (p for p in get_args(OrbitPass) if p.lower() == match[2])
        return cls(polarisation=polarisation, orbit_pass=orbit_pass, pre_days=int(match[3]), post_days=int(match[4]))
