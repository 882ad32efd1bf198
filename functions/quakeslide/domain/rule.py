"""Which earthquakes are watched: profiles, each a list of limits; a quake is taken if it keeps within any one of them.

`default` takes M 6.0-6.9 down to 50 km and M 7.0 and more down to 100 km, where a ShakeMap exists only with MMI VI and more on at least
50 km2 of land: ten of the eleven events of Nava et al. 2026 (Geosci. Model Dev. 19, 167-185), Table 1. `sensitive` adds M 5.3 and more
down to 15 km where a ShakeMap, if there is one, has MMI VII on land; it takes Capellades too. Depth, magnitude and distance follow
the triggers of ARIA (M >= 7 or M 6 with a PAGER alert, on land) and coseis-sar (M >= 5.5 to 15 km, M >= 6 to 40 km, near land).
How far the sea floor may lie from land is our own choice: about as far as MMI VI reaches.
"""

from dataclasses import dataclass

from quakeslide.domain.aoi import LEAST_MMI
from quakeslide.domain.earthquake import Earthquake


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a quake must keep within.

    Attributes:
        magnitude: least.
        depth_km: greatest.
        land_km: greatest distance of the epicentre from land, where no ShakeMap says more.
        mmi: intensity that a ShakeMap must have on land, where there is one.
        shaken_km2: land that must be shaken so.
    """

    magnitude: float
    depth_km: float
    land_km: float
    mmi: float = LEAST_MMI
    shaken_km2: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaking:
    """What a ShakeMap says of land: `km2` shaken at an intensity and more."""

    km2: tuple[tuple[float, float], ...]

    def at(self, mmi: float) -> float:
        """Return the land shaken at this intensity and more, km2."""
        return dict(self.km2)[mmi]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a quake is taken, and why, in words."""

    is_taken: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named profile; its limits stand strongest magnitude first."""

    name: str = "default"
    limits: tuple[Limit, ...] = (
        Limit(magnitude=7.0, depth_km=100.0, land_km=100.0),
        Limit(magnitude=6.0, depth_km=50.0, land_km=50.0),
    )

    @property
    def least_magnitude(self) -> float:
        """Below it nothing is taken."""
        return min(limit.magnitude for limit in self.limits)

    @property
    def intensities(self) -> tuple[float, ...]:
        """The intensities any limit asks about."""
        return tuple(sorted({limit.mmi for limit in self.limits}))

    def is_candidate(self, quake: Earthquake) -> bool:
        """Say whether what the feed alone tells could be taken, before land and ShakeMap are looked at."""
        return quake.kind == "earthquake" and any(
            quake.magnitude >= limit.magnitude and quake.depth_km <= limit.depth_km for limit in self.limits
        )

    def judge(self, quake: Earthquake, land_km: float, shaking: Shaking | None) -> Verdict:
        """Judge a quake.

        Args:
            quake: as the feed has it now.
            land_km: from the epicentre to land.
            shaking: on land; None where no ShakeMap can be had.
        """
        if quake.kind != "earthquake":
            return Verdict(is_taken=False, reasons=(f"type is {quake.kind!r}, not 'earthquake'",))
        against: list[str] = []
        for limit in self.limits:
            reason = _against(limit, quake, land_km, shaking)
            if reason is None:
                return Verdict(is_taken=True, reasons=(_in_favour(limit, quake, land_km, shaking),))
            if quake.magnitude >= limit.magnitude or limit is self.limits[-1]:
                against.append(reason)
        return Verdict(is_taken=False, reasons=tuple(dict.fromkeys(against)))


def _against(limit: Limit, quake: Earthquake, land_km: float, shaking: Shaking | None) -> str | None:
    if quake.magnitude < limit.magnitude:
        return f"M {quake.magnitude:g} is under {limit.magnitude:g}"
    if quake.depth_km > limit.depth_km:
        return f"depth {quake.depth_km:g} km is over {limit.depth_km:g} km for M {limit.magnitude:g} and more"
    if shaking is None:
        if land_km > limit.land_km:
            return f"{land_km:.0f} km from land, over {limit.land_km:g} km for M {limit.magnitude:g} and more"
        return None
    if shaking.at(limit.mmi) < limit.shaken_km2:
        return f"MMI {limit.mmi:g} and more on {shaking.at(limit.mmi):.0f} km2 of land, under {limit.shaken_km2:g} km2"
    return None


def _in_favour(limit: Limit, quake: Earthquake, land_km: float, shaking: Shaking | None) -> str:
    said = f"M {quake.magnitude:g} at {quake.depth_km:g} km"
    if shaking is None:
        return f"{said}, {land_km:.0f} km from land, no ShakeMap"
    return f"{said}, MMI {limit.mmi:g} and more on {shaking.at(limit.mmi):.0f} km2 of land"


RULES = {
    "default": Rule(),
    "sensitive": Rule(
        name="sensitive",
        limits=(*Rule().limits, Limit(magnitude=5.3, depth_km=15.0, land_km=20.0, mmi=7.0, shaken_km2=1.0)),
    ),
}


def rule_named(name: str) -> Rule:
    """Return a profile by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in RULES:
        raise ValueError(f"no rule {name!r}; there are {', '.join(RULES)}")
    return RULES[name]
