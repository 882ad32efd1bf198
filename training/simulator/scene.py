"""One simulated place: its ground, its landslides, and what each pass sees of it."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from training.simulator import acquisition, cover, geometry, landslides, terrain
from training.simulator.acquisition import Ground, Overpass, Polarisation
from training.simulator.events import Event
from training.simulator.geometry import OrbitPass, View
from training.simulator.terrain import Field

REPEAT_DAYS = 12.0
BANDS = ("postVV", "postVH", "diffVV", "diffVH")
_TERRAIN, _COVER, _SLIDES, _WEATHER, _PASSES, _SPECKLE, _OVERPASS = range(7)


class Scene:
    """A place with its landslides; everything follows from (event number, seed, shape) and the height model, if one is given.

    Attributes:
        event, seed: where it comes from.
        terrain, cover, slides, rain: what it holds, see their modules.
    """

    def __init__(self, event: Event, *, seed: int, shape: tuple[int, int], height_m: Field | None = None) -> None:
        self.event, self.seed, self.shape = event, seed, shape
        if height_m is None:
            self.terrain = terrain.mountains(
                self._rng(_TERRAIN), shape, relief_m=event.relief_m, exponent=event.exponent
            )
        else:
            self.terrain = terrain.describe(height_m)
        self.cover = cover.plant(self._rng(_COVER), self.terrain, event)
        self.slides = landslides.trigger(self._rng(_SLIDES), self.terrain, self.cover, event)
        self.rain = cover.weather(self._rng(_WEATHER))
        self._grounds: dict[tuple[OrbitPass, Polarisation], Ground] = {}
        self._views: dict[OrbitPass, View] = {}

    def _rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.event.number, self.seed, *purpose])

    def view(self, orbit_pass: OrbitPass) -> View:
        """Return the geometry of one pass."""
        if orbit_pass not in self._views:
            self._views[orbit_pass] = geometry.view(
                self.terrain,
                orbit_pass,
                latitude_deg=self.event.latitude_deg,
                centre_incidence_deg=self.event.incidence_deg[orbit_pass],
            )
        return self._views[orbit_pass]

    def acquire(self, orbit_pass: OrbitPass, day: float, polarisation: Polarisation) -> Field:
        """Return sigma0, dB, float32 [H, W], of one pass `day` days after the earthquake (before it if negative)."""
        key = (orbit_pass, polarisation)
        if key not in self._grounds:
            self._grounds[key] = acquisition.illuminate(self.cover, self.slides, self.view(orbit_pass), polarisation)
        return acquisition.acquire(
            self.event,
            self.cover,
            self._grounds[key],
            self.overpass(orbit_pass, day),
            day=day,
            polarisation=polarisation,
            rng=self._rng(_SPECKLE, get_args(Polarisation).index(polarisation), *_when(orbit_pass, day)),
        )

    def overpass(self, orbit_pass: OrbitPass, day: float) -> Overpass:
        """Return what VV and VH of one pass on one day have in common."""
        rng = self._rng(_OVERPASS, *_when(orbit_pass, day))
        return acquisition.overpass(self.event, self.cover, self.rain, day=day, rng=rng)

    def first_post_day(self, orbit_pass: OrbitPass) -> float:
        """Return the day of the first pass after the earthquake, 0.2 to 11.8."""
        return float(self._rng(_PASSES, get_args(OrbitPass).index(orbit_pass)).uniform(0.2, 11.8))

    def composite(self, orbit_pass: OrbitPass, *, pre_days: float, post_days: float) -> Field:
        """Return the bands BANDS, float32 [H, W, 4], dB: medians after the earthquake, and their change from before."""
        before, after = pass_days(self.first_post_day(orbit_pass), pre_days=pre_days, post_days=post_days)
        bands: dict[str, Field] = {}
        for polarisation in get_args(Polarisation):
            pre = median([self.acquire(orbit_pass, day, polarisation) for day in before])
            post = median([self.acquire(orbit_pass, day, polarisation) for day in after])
            bands |= {f"post{polarisation}": post, f"diff{polarisation}": post - pre}
        return np.stack([bands[name] for name in BANDS], axis=-1)

    def is_slide(self) -> NDArray[np.bool_]:
        """Return where the ground failed, bool [H, W]."""
        return self.slides.label > 0


def _when(orbit_pass: OrbitPass, day: float) -> tuple[int, int]:
    return get_args(OrbitPass).index(orbit_pass), round((day + 1000) * 24)


def pass_days(first_post_day: float, *, pre_days: float, post_days: float) -> tuple[list[float], list[float]]:
    """Return the days of the passes within `pre_days` before the earthquake and within `post_days` after it, ascending."""
    after = np.arange(first_post_day, post_days + 1e-9, REPEAT_DAYS)
    before = np.arange(first_post_day - REPEAT_DAYS, -pre_days - 1e-9, -REPEAT_DAYS)[::-1]
    return [float(d) for d in before], [float(d) for d in after]


def median(fields: Sequence[Field]) -> Field:
    """Return the median of equally shaped fields; one, two, three or five take a network of minima and maxima (6 times faster)."""
    low, high = np.minimum, np.maximum
    if not fields:
        raise ValueError("no pass in the window: nothing to take a median of")
    if len(fields) == 1:
        return fields[0]
    if len(fields) == 2:
        return (fields[0] + fields[1]) * np.float32(0.5)
    if len(fields) == 3:
        a, b, c = fields
        return high(low(a, b), low(high(a, b), c))
    if len(fields) == 5:
        a, b, c, d, e = fields
        lower, upper = high(low(a, b), low(c, d)), low(high(a, b), high(c, d))
        return high(low(e, lower), low(high(e, lower), upper))
    return np.median(np.stack(fields), axis=0).astype(np.float32)
