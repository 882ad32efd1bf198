"""The state of the service: topics, subscriptions, and every message's way from one to the other, under one lock."""

import itertools
import threading
import time
from collections.abc import Sequence

from google.pubsub_v1 import types

from infra.local.clock import Clock
from infra.local.pubsub import checks, filter_grammar, filters, names
from infra.local.pubsub.backlog import Backlog, Entry
from infra.local.pubsub.dead_letter import dead_letter
from infra.local.pubsub.faults import Fault
from infra.local.pubsub.refusal import already_exists, invalid, not_found


class Broker:
    """Topics and subscriptions of all projects.

    All methods may be called from any thread; all raise `Refused`.

    Attributes:
        changed: notified, its lock held, whenever there may be something new to deliver.
        faults: the faults in force.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self.faults: list[Fault] = []
        self.topics: dict[str, types.Topic] = {}
        self.backlogs: dict[str, Backlog] = {}
        self._filters: dict[str, filters.Filter] = {}
        self._message_ids = itertools.count(1)
        self._sequences = itertools.count(1)

    # --- topics ---------------------------------------------------------------------------------------------------
    def create_topic(self, topic: types.Topic) -> types.Topic:
        """Add a topic."""
        names.check_topic(topic.name)
        checks.check_fields(topic, checks.TOPIC_FIELDS, "Topic")
        with self.changed:
            if topic.name in self.topics:
                raise already_exists(topic.name)
            self.topics[topic.name] = topic
        return topic

    def topic(self, name: str) -> types.Topic:
        """The topic of this name."""
        names.check_topic(name)
        with self.changed:
            if name not in self.topics:
                raise not_found(name)
            return self.topics[name]

    def update_topic(self, wanted: types.Topic, mask: Sequence[str]) -> types.Topic:
        """Change a topic's labels."""
        with self.changed:
            topic = self.topic(wanted.name)
            checks.check_mask(mask, wanted, {"labels"})
            topic.labels = wanted.labels
            return topic

    def delete_topic(self, name: str) -> None:
        """Remove a topic; its subscriptions stay, with what they hold, without a topic."""
        with self.changed:
            self.topic(name)
            del self.topics[name]
            for backlog in self.backlogs.values():
                if backlog.config.topic == name:
                    backlog.config.topic = names.DELETED_TOPIC

    def publish(self, topic: str, messages: Sequence[types.PubsubMessage], size: int) -> list[str]:
        """Stamp messages and hand them to every subscription of the topic; returns their ids."""
        with self.changed:
            self.topic(topic)
            checks.check_publish(messages, size)
            return [self._publish(topic, message) for message in messages]

    def _publish(self, topic: str, message: types.PubsubMessage) -> str:
        message.message_id = str(next(self._message_ids))
        message.publish_time = self.clock.now()
        attributes = dict(message.attributes)
        for name, backlog in self.backlogs.items():
            if backlog.config.topic == topic and (name not in self._filters or self._filters[name].matches(attributes)):
                self._arrive(backlog, message)
        self.changed.notify_all()
        return message.message_id

    def _arrive(self, backlog: Backlog, message: types.PubsubMessage) -> None:
        name, instant = backlog.config.name, time.monotonic()
        struck = {action: self._strike(action, name) for action in ("duplicate", "delay", "shuffle")}
        copies = int(struck["duplicate"].options["copies"]) if struck["duplicate"] else 1
        start = instant + struck["delay"].options["seconds"] if struck["delay"] else 0.0
        # Shuffling messages of a key would break the order that the subscription promises.
        ordered = backlog.config.enable_message_ordering and message.ordering_key
        for _ in range(copies):
            if struck["shuffle"] and not ordered:
                options = struck["shuffle"].options
                backlog.hold(message, max(start, instant + options["window"]), options["seed"])
            else:
                backlog.add(message, start)

    def _strike(self, action: str, subscription: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.strikes(action, subscription)), None)

    # --- subscriptions --------------------------------------------------------------------------------------------
    def create_subscription(self, config: types.Subscription) -> types.Subscription:
        """Add a subscription; it receives what is published from now on."""
        names.check_subscription(config.name)
        names.check_topic(config.topic)
        config = checks.completed(config)
        with self.changed:
            if config.name in self.backlogs:
                raise already_exists(config.name)
            self.topic(config.topic)
            self._check_dead_letter_topic(config)
            self.backlogs[config.name] = Backlog(config, self._sequences)
            if config.filter:
                self._filters[config.name] = filter_grammar.parse(config.filter)
        return config

    def _check_dead_letter_topic(self, config: types.Subscription) -> None:
        if "dead_letter_policy" in config:
            self.topic(config.dead_letter_policy.dead_letter_topic)

    def backlog(self, name: str) -> Backlog:
        """The subscription of this name, with its messages; read it with `changed` held."""
        names.check_subscription(name)
        with self.changed:
            if name not in self.backlogs:
                raise not_found(name)
            return self.backlogs[name]

    def update_subscription(self, wanted: types.Subscription, mask: Sequence[str]) -> types.Subscription:
        """Change the fields that the mask names; the others stay."""
        with self.changed:
            backlog = self.backlog(wanted.name)
            checks.check_mask(mask, wanted, checks.UPDATABLE)
            changed = types.Subscription(backlog.config)
            for path in mask:
                pb, new = types.Subscription.pb(changed), types.Subscription.pb(wanted)
                pb.ClearField(path)
                if path in {descriptor.name for descriptor, _ in new.ListFields()}:
                    setattr(changed, path, getattr(wanted, path))
            changed = checks.completed(changed)
            if "dead_letter_policy" in mask:
                self._check_dead_letter_topic(changed)
            backlog.config = changed
            self.changed.notify_all()
            return changed

    def modify_push(self, name: str, push: types.PushConfig) -> None:
        """Turn a subscription to another endpoint, or to pull with an empty configuration."""
        self.update_subscription(types.Subscription(name=name, push_config=push), ["push_config"])

    def delete_subscription(self, name: str) -> None:
        """Remove a subscription and what it holds."""
        with self.changed:
            self.backlog(name)
            del self.backlogs[name]
            self._filters.pop(name, None)
            self.changed.notify_all()

    # --- deliveries -----------------------------------------------------------------------------------------------
    def lease(self, name: str, limit: int, seconds: float | None = None) -> list[tuple[str, Entry]]:
        """Hand out up to `limit` messages with their ack ids, for `seconds` or the subscription's ack deadline."""
        with self.changed:
            backlog = self.backlog(name)
            self.expire(backlog)
            length = seconds or backlog.config.ack_deadline_seconds
            leased = backlog.lease(limit, self.clock.now(), time.monotonic(), length)
            return [(backlog.ack_id(entry), entry) for entry in leased]

    def acknowledge(self, name: str, ack_ids: Sequence[str]) -> None:
        """End deliveries well; one that is already over is passed over in silence, as without exactly-once delivery."""
        with self.changed:
            backlog = self.backlog(name)
            for entry in self._held(backlog, ack_ids):
                if entry.leased_until is not None:  # not if named twice in one request
                    backlog.acknowledge(entry)
            self.changed.notify_all()

    def push_ended(self, name: str, ack_id: str, is_accepted: bool) -> None:
        """End a push; a fault may have it that the endpoint's answer got lost."""
        with self.changed:
            if name not in self.backlogs:
                return
            if is_accepted and not self._strike("drop_ack", name):
                self.acknowledge(name, [ack_id])
            else:
                self.extend(name, [ack_id], 0)

    def extend(self, name: str, ack_ids: Sequence[str], seconds: int) -> None:
        """Let deliveries run `seconds` from now; 0 refuses the messages."""
        checks.check_deadline(seconds, "ack_deadline_seconds", minimum=0)
        with self.changed:
            backlog = self.backlog(name)
            for entry in self._held(backlog, ack_ids):
                if seconds:
                    entry.leased_until = time.monotonic() + seconds
                elif entry.leased_until is not None:
                    self._refuse(backlog, entry)
            self.changed.notify_all()

    def is_held(self, name: str, ack_id: str) -> bool:
        """Whether this delivery is still going on."""
        with self.changed:
            return self.backlog(name).held_by(ack_id) is not None

    def expire(self, backlog: Backlog) -> None:
        """Take back the messages of a subscription whose deadline has passed; call with `changed` held."""
        for entry in backlog.expired(time.monotonic()):
            if entry.leased_until is not None:  # an earlier one of its key may have taken it back just now
                self._refuse(backlog, entry)

    @staticmethod
    def _held(backlog: Backlog, ack_ids: Sequence[str]) -> list[Entry]:
        if not ack_ids:
            raise invalid("No ack ids specified.")
        try:
            found = [backlog.held_by(ack_id) for ack_id in ack_ids]
        except ValueError as error:
            raise invalid(f"You have passed an invalid ack ID to the service (ack_id={error}).") from error
        return [entry for entry in found if entry is not None]

    def _refuse(self, backlog: Backlog, entry: Entry) -> None:
        policy = backlog.config.dead_letter_policy
        exhausted = policy.dead_letter_topic and entry.attempts >= policy.max_delivery_attempts
        # A dead-letter topic that is gone keeps the message here: losing it would be worse than trying it again.
        if exhausted and policy.dead_letter_topic in self.topics:
            backlog.drop(entry)
            self._publish(policy.dead_letter_topic, dead_letter(backlog.config, entry))
        else:
            backlog.refuse(entry, self.clock.now(), time.monotonic())
