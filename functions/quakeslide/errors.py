"""Every error Quakeslide raises on purpose, with what it means and what to do.

Two families decide what the queue does (see `telemetry.invocation`): a TransientError is raised out of the function and
redelivered; a PermanentError is recorded under `state/problems/` and acknowledged. A MalformedMessage goes to the topic's
dead-letter topic. `functions/README.md` prints this catalogue.
"""

from typing import ClassVar


class QuakeslideError(Exception):
    """Base of all errors raised on purpose; its text names what is wrong and where.

    Attributes:
        code: stable name of the error in logs, problem records and the catalogue.
        remedy: what an operator does about it.
    """

    code: ClassVar[str] = "error"
    remedy: ClassVar[str] = ""


class TransientError(QuakeslideError):
    """Trying again may help: the message is redelivered with back-off and at last dead-lettered."""

    code = "transient"
    remedy = "Nothing at first; if it lasts, look at the named service."


class FeedUnavailable(TransientError):
    """The USGS feed or a product of it could not be read."""

    code = "feed_unavailable"
    remedy = "Check earthquake.usgs.gov; polling goes on by itself and loses nothing."


class StoreUnavailable(TransientError):
    """Cloud Storage did not answer, or the bucket is not there."""

    code = "store_unavailable"
    remedy = "Check that the named bucket exists and the function's service account may use it."


class BusUnavailable(TransientError):
    """Pub/Sub did not take a message."""

    code = "bus_unavailable"
    remedy = "Check that the named topic exists and the function's service account may publish to it."


class LostRace(TransientError):
    """Somebody else changed the document meanwhile; the redelivered message starts from the new one."""

    code = "lost_race"
    remedy = "Nothing: the redelivery settles it."


class NewerDocument(TransientError):
    """A stored document was written by a later release than this one; it was left as it is."""

    code = "newer_document"
    remedy = "Deploy that release, or a later one, again: messages are redelivered until then, and nothing is lost."


class DamagedDocument(TransientError):
    """A stored document cannot be read, though no later release wrote it; it was left as it is."""

    code = "damaged_document"
    remedy = (
        "Restore an earlier generation of the named object (the bucket keeps them for 30 days); the redelivery goes on."
    )


class EarthEngineUnavailable(TransientError):
    """Earth Engine did not answer or refused for now."""

    code = "earth_engine_unavailable"
    remedy = "Check Earth Engine's status page and the project's quota."


class ExportQueueFull(TransientError):
    """Earth Engine's task queue is full; the sweep tries again."""

    code = "export_queue_full"
    remedy = "Nothing at first; if it lasts, raise the batch quota or close old watches."


class ModelUnavailable(TransientError):
    """The model server did not answer, was overloaded, or answered for another version."""

    code = "model_unavailable"
    remedy = "Check the model server's health, its memory and its number of instances."


class PermanentError(QuakeslideError):
    """Trying again will not help: written once under `state/problems/`, shown in the event's status, acknowledged."""

    code = "permanent"
    remedy = "Read the text, mend the cause, then re-trigger the event by a manual message."


class UnusableComposite(PermanentError):
    """A composite has the wrong bands, units, CRS, size or grid, or nothing to judge."""

    code = "unusable_composite"
    remedy = "Compare the file with its manifest; export again with `quakeslide trigger EVENT --force`."


class LyingManifest(PermanentError):
    """A manifest contradicts itself or the shards it lists."""

    code = "lying_manifest"
    remedy = "Delete the manifest and its shards, then re-trigger the event."


class ModelMissing(PermanentError):
    """The model asked for is not served, or has no card."""

    code = "model_missing"
    remedy = "Export the model into the models bucket and add it to models.config, then send a rescan."


class TileTooLarge(PermanentError):
    """The model server takes no message as large as one tile."""

    code = "tile_too_large"
    remedy = "Raise the model server's limit of a message to 4 MB or more, then send a rescan."


class UnusableModelCard(PermanentError):
    """A model card lacks a field, contradicts the model, or does not fit the composite."""

    code = "unusable_model_card"
    remedy = "Export the model again; the card is written beside it."


class ExportFailed(PermanentError):
    """Earth Engine finished an export with an error that a retry will not heal, or too many attempts failed."""

    code = "export_failed"
    remedy = "Read Earth Engine's message; after mending the cause re-trigger with `--force`."


class ImpossibleRequest(PermanentError):
    """A manual message asks for what cannot be: an unknown event without an area, a stage that does not exist."""

    code = "impossible_request"
    remedy = "Send the manual message again, corrected; `quakeslide trigger --help` shows the form."


class MalformedMessage(QuakeslideError):
    """A message that is no message of ours: put on the dead-letter topic with the reason, then acknowledged."""

    code = "malformed_message"
    remedy = "Look at the dead-letter subscription; mend the sender."


class UnreadableInput(QuakeslideError):
    """A file given on the command line cannot be used."""

    code = "unreadable_input"
    remedy = "Check the file against `quakeslide detect --help`."


def catalogue() -> list[type[QuakeslideError]]:
    """Return every error class, parents before children, in a fixed order."""
    found: list[type[QuakeslideError]] = []

    def walk(parent: type[QuakeslideError]) -> None:
        for child in sorted(parent.__subclasses__(), key=lambda cls: cls.__name__):
            found.append(child)
            walk(child)

    walk(QuakeslideError)
    return found
