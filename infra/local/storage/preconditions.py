"""Generation and metageneration preconditions, the one thing that makes concurrent writers safe.

Reference: https://cloud.google.com/storage/docs/request-preconditions
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.storage.errors import StorageError, invalid
from infra.local.storage.resources import StoredObject

DESTINATION = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")
SOURCE = tuple(name.replace("if", "ifSource", 1) for name in DESTINATION)
METAGENERATION = DESTINATION[2:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of the live object for a request to go on; None = not asked for.

    Attributes:
        generation_match: 0 means that no live object may exist.
        generation_not_match: fails where no live object exists; 0 means that one must exist.
        metageneration_match: fails where no live object exists.
        metageneration_not_match: fails where no live object exists.
    """

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def from_query(cls, parameters: Mapping[str, str], names: tuple[str, ...] = DESTINATION) -> "Preconditions":
        """Read the four parameters (`names`: those of the destination or of the source of a copy).

        Raises:
            StorageError: 400, a value is no whole number.
        """
        values = []
        for name in names:
            text = parameters.get(name)
            if text is not None and not (text.isascii() and text.isdigit()):
                raise invalid(f"Invalid value for {name}: {text!r} is no whole number.")
            values.append(None if text is None else int(text))
        return cls(
            generation_match=values[0],
            generation_not_match=values[1],
            metageneration_match=values[2],
            metageneration_not_match=values[3],
        )

    def check_object(self, live: StoredObject | None, *, reading: bool) -> None:
        """Check the live object, None where there is none; see `check`."""
        if live is None:
            self.check(None, None, reading=reading)
        else:
            self.check(live.generation, live.metageneration, reading=reading)

    def check(self, generation: int | None, metageneration: int | None, *, reading: bool) -> None:
        """Let the request go on or refuse it.

        Args:
            generation: that of the live object, None where there is none.
            metageneration: likewise.
            reading: a failed NotMatch is 304 when reading, 412 when writing.

        Raises:
            StorageError: 412 `conditionNotMet`, or 304 `notModified`.
        """
        if self.generation_match is not None and self.generation_match != (generation or 0):
            raise _failed()
        if self.metageneration_match is not None and self.metageneration_match != metageneration:
            raise _failed()
        pairs = ((self.generation_not_match, generation), (self.metageneration_not_match, metageneration))
        # `current is None`: documented for the generation; for the metageneration the documentation is silent
        if any(unwanted is not None and current in (None, unwanted) for unwanted, current in pairs):
            raise StorageError(304, "notModified", "Not Modified") if reading else _failed()


def _failed() -> StorageError:
    return StorageError(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
