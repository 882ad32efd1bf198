"""What `export_composites` does with each kind of message."""

from quakeslide.errors import MalformedMessage
from quakeslide.messages import Announced, Cancelled, Envelope, Manual, Merged, Message, Sweep, WatchDue
from quakeslide.settings import ExportSettings
from quakeslide.usecases.advance_watch import advance_watch
from quakeslide.usecases.delivery import CloudEventLike, deliver
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.heed_request import heed_request
from quakeslide.usecases.link_shocks import link_shocks
from quakeslide.usecases.open_watch import heed_announcement, heed_cancellation, heed_merger
from quakeslide.usecases.render_status import render_status
from quakeslide.usecases.sweep import sweep

__all__ = ["Exporting", "bring_on", "deliver_export_message", "handle_export_message"]


def deliver_export_message(event: CloudEventLike, settings: ExportSettings, using: Exporting) -> None:
    """Handle one delivery; errors go where they belong and show in the event's status."""

    def render(event_id: str) -> None:
        render_status(event_id, state=using.state, composites=using.composites, results=using.results)

    deliver(
        event,
        lambda message, envelope: handle_export_message(message, envelope, using),
        state=using.state,
        bus=using.bus,
        dead_letter_topic=settings.dead_letter_topic,
        on_problem=render,
    )


def handle_export_message(message: Message, envelope: Envelope, using: Exporting) -> None:
    """Do what a message of topic `earthquakes` or `watches` asks for; a watch that changed is looked at at once.

    Raises:
        MalformedMessage: a kind that is not for this function.
        PermanentError, TransientError: as the use cases say.
    """
    match message:
        case Sweep():
            sweep(using.state, using.bus)
            return
        case Announced():
            heed_announcement(message, envelope, state=using.state)
        case Cancelled():
            heed_cancellation(message, envelope, state=using.state)
        case Merged():
            heed_merger(message, envelope, state=using.state)
            bring_on_with_its_shocks(message.into, envelope, using)
        case Manual():
            heed_request(message, envelope, state=using.state)
        case WatchDue():
            bring_on(message.event_id, envelope, using)
            return
        case _:
            raise MalformedMessage(f"{type(message).__name__} is not for export_composites")
    bring_on_with_its_shocks(message.event_id, envelope, using)


def bring_on_with_its_shocks(event_id: str, envelope: Envelope, using: Exporting) -> None:
    """Link what belongs together now, then look at the watch and at every other one that this concerns."""
    others = link_shocks(event_id, using.state)
    for concerned in (event_id, *others):
        bring_on(concerned, envelope, using)


def bring_on(event_id: str, envelope: Envelope, using: Exporting) -> None:
    """Look at a watch and render its status."""
    advance_watch(event_id, envelope.publish_time, envelope.message_id, using)
    render_status(event_id, state=using.state, composites=using.composites, results=using.results)
