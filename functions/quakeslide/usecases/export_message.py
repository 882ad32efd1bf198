"""What `export_composites` does with each kind of message."""

from quakeslide.errors import MalformedMessage
from quakeslide.messages import Announced, Cancelled, Envelope, Manual, Merged, Message, Sweep, WatchDue
from quakeslide.settings import ExportSettings
from quakeslide.usecases.advance_watch import Exporting, advance_watch
from quakeslide.usecases.delivery import CloudEventLike, deliver
from quakeslide.usecases.open_watch import heed_announcement, heed_cancellation, heed_request
from quakeslide.usecases.render_status import render_status
from quakeslide.usecases.sweep import sweep

__all__ = ["Exporting", "deliver_export_message", "handle_export_message"]


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
        case Cancelled() | Merged():
            heed_cancellation(message, envelope, state=using.state)
        case Manual():
            heed_request(message, envelope, state=using.state)
        case WatchDue():
            pass
        case _:
            raise MalformedMessage(f"{type(message).__name__} is not for export_composites")
    advance_watch(message.event_id, envelope.publish_time, envelope.message_id, using)
    render_status(message.event_id, state=using.state, composites=using.composites, results=using.results)
