"""How terrain is treated in a composite: what backscatter its bands hold, and how wide layover and shadow are drawn.

Two models of radiometric slope correction (Vollrath, Mullissa, Reiche 2020, Remote Sens. 12(11):1867): volume scattering, for
vegetated slopes, and surface scattering, for bare ones. The correction of a pixel is the same before and after an earthquake, so the
differences in dB do not change; what changes are the post-event bands. The published weights expect plain sigma0.
"""

from dataclasses import dataclass
from enum import StrEnum

MAX_BUFFER_M = 500  # a neighbourhood of 50 px is searched; wider a mask would hide whole slopes


class Backscatter(StrEnum):
    """What the bands `postVV` and `postVH` hold, in dB."""

    SIGMA0 = "sigma0"
    GAMMA0_VOLUME = "gamma0_terrain_volume"
    GAMMA0_SURFACE = "gamma0_terrain_surface"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """The treatment of terrain.

    Attributes:
        backscatter: of the post-event bands; terrain-flattened ones are missing in layover and shadow, where no model holds.
        mask_buffer_m: pixels within so many metres of layover or shadow count as such, 0-500.
    """

    backscatter: Backscatter = Backscatter.SIGMA0
    mask_buffer_m: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.mask_buffer_m <= MAX_BUFFER_M:
            raise ValueError(f"mask_buffer_m is {self.mask_buffer_m!r}, but must lie between 0 and {MAX_BUFFER_M}")

    @property
    def is_flattened(self) -> bool:
        """The bands hold terrain-flattened gamma0."""
        return self.backscatter is not Backscatter.SIGMA0

    @property
    def parts(self) -> tuple[str, ...]:
        """What it adds to a composite's id; nothing where terrain is treated as by default."""
        buffer = (f"buffer {self.mask_buffer_m} m",) if self.mask_buffer_m else ()
        return ((self.backscatter.value,) if self.is_flattened else ()) + buffer


PLAIN = Terrain()
