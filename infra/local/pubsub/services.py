"""The gRPC services Publisher and Subscriber, from the message types of the client library, without generated stubs."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from infra.local.pubsub import names
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.refusal import Refused, not_found, out_of_range
from infra.local.pubsub.streaming import Stream, check_pull, received

_PULL_WAIT_S = 10.0  # longest wait of a Pull for a first message, if the client's own deadline is not earlier
_TICK_S = 0.1

log = logging.getLogger(__name__)
Handler = Callable[[Any, grpc.ServicerContext], Any]


def page(found: list[Any], size: int, token: str, name_of: Callable[[Any], str]) -> tuple[list[Any], str]:
    """One page of a list in order of names, and the token of the next; a token is the last name before it."""
    ordered = sorted((item for item in found if name_of(item) > token), key=name_of)
    if size < 0:
        raise out_of_range("page_size", size, minimum=0)
    part = ordered[: size or None]
    return part, name_of(part[-1]) if len(part) < len(ordered) else ""


class PubSub(grpc.GenericRpcHandler):
    """Answers every call: the methods of the table, StreamingPull, and a refusal by name for all others."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        publisher: dict[str, tuple[type, Handler]] = {
            "CreateTopic": (types.Topic, lambda r, _: broker.create_topic(r)),
            "GetTopic": (types.GetTopicRequest, lambda r, _: broker.topic(r.topic)),
            "UpdateTopic": (types.UpdateTopicRequest, lambda r, _: broker.update_topic(r.topic, r.update_mask.paths)),
            "ListTopics": (types.ListTopicsRequest, self._list_topics),
            "DeleteTopic": (types.DeleteTopicRequest, lambda r, _: broker.delete_topic(r.topic)),
            "ListTopicSubscriptions": (types.ListTopicSubscriptionsRequest, self._list_topic_subscriptions),
            "Publish": (types.PublishRequest, self._publish),
        }
        subscriber: dict[str, tuple[type, Handler]] = {
            "CreateSubscription": (types.Subscription, lambda r, _: broker.create_subscription(r)),
            "GetSubscription": (types.GetSubscriptionRequest, lambda r, _: broker.backlog(r.subscription).config),
            "UpdateSubscription": (
                types.UpdateSubscriptionRequest,
                lambda r, _: broker.update_subscription(r.subscription, r.update_mask.paths),
            ),
            "ListSubscriptions": (types.ListSubscriptionsRequest, self._list_subscriptions),
            "DeleteSubscription": (
                types.DeleteSubscriptionRequest,
                lambda r, _: broker.delete_subscription(r.subscription),
            ),
            "ModifyPushConfig": (
                types.ModifyPushConfigRequest,
                lambda r, _: broker.modify_push(r.subscription, r.push_config),
            ),
            "Pull": (types.PullRequest, self._pull),
            "Acknowledge": (types.AcknowledgeRequest, lambda r, _: broker.acknowledge(r.subscription, r.ack_ids)),
            "ModifyAckDeadline": (
                types.ModifyAckDeadlineRequest,
                lambda r, _: broker.extend(r.subscription, r.ack_ids, r.ack_deadline_seconds),
            ),
        }
        self._handlers = {
            f"/google.pubsub.v1.{service}/{method}": _unary(request, handler)
            for service, table in (("Publisher", publisher), ("Subscriber", subscriber))
            for method, (request, handler) in table.items()
        }
        self._handlers["/google.pubsub.v1.Subscriber/StreamingPull"] = grpc.stream_stream_rpc_method_handler(
            self._stream, types.StreamingPullRequest.deserialize, types.StreamingPullResponse.serialize
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The handler of a method."""
        method = handler_call_details.method
        return self._handlers.get(method) or grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"The local Pub/Sub does not have the method {method}."
            )
        )

    def _publish(self, request: types.PublishRequest, _: grpc.ServicerContext) -> types.PublishResponse:
        size = types.PublishRequest.pb(request).ByteSize()
        return types.PublishResponse(message_ids=self._broker.publish(request.topic, list(request.messages), size))

    def _list_topics(self, request: types.ListTopicsRequest, _: grpc.ServicerContext) -> types.ListTopicsResponse:
        names.check_project(request.project)
        with self._broker.changed:
            found = [t for n, t in self._broker.topics.items() if n.startswith(f"{request.project}/")]
            part, token = page(found, request.page_size, request.page_token, lambda topic: topic.name)
            return types.ListTopicsResponse(topics=part, next_page_token=token)

    def _list_topic_subscriptions(
        self, request: types.ListTopicSubscriptionsRequest, _: grpc.ServicerContext
    ) -> types.ListTopicSubscriptionsResponse:
        with self._broker.changed:
            self._broker.topic(request.topic)
            found = [n for n, b in self._broker.backlogs.items() if b.config.topic == request.topic]
        part, token = page(found, request.page_size, request.page_token, str)
        return types.ListTopicSubscriptionsResponse(subscriptions=part, next_page_token=token)

    def _list_subscriptions(
        self, request: types.ListSubscriptionsRequest, _: grpc.ServicerContext
    ) -> types.ListSubscriptionsResponse:
        names.check_project(request.project)
        with self._broker.changed:
            found = [b.config for n, b in self._broker.backlogs.items() if n.startswith(f"{request.project}/")]
            part, token = page(found, request.page_size, request.page_token, lambda config: config.name)
            return types.ListSubscriptionsResponse(subscriptions=part, next_page_token=token)

    def _pull(self, request: types.PullRequest, context: grpc.ServicerContext) -> types.PullResponse:
        if request.max_messages < 1:
            raise out_of_range("max_messages", request.max_messages, minimum=1)
        check_pull(self._broker, request.subscription)
        remaining = context.time_remaining()
        wait = 0.0 if request.return_immediately else min(_PULL_WAIT_S, (remaining or _PULL_WAIT_S) - 0.2)
        end = time.monotonic() + wait
        with self._broker.changed:
            while not (leased := self._broker.lease(request.subscription, min(request.max_messages, 1000))):
                if time.monotonic() >= end or not context.is_active():
                    break
                self._broker.changed.wait(_TICK_S)
                if request.subscription not in self._broker.backlogs:
                    raise not_found(request.subscription)
            with_attempt = "dead_letter_policy" in self._broker.backlog(request.subscription).config
        return types.PullResponse(received_messages=[received(a, entry, with_attempt) for a, entry in leased])

    def _stream(
        self, requests: Iterator[types.StreamingPullRequest], context: grpc.ServicerContext
    ) -> Iterator[types.StreamingPullResponse]:
        try:
            yield from Stream(self._broker, requests, context).responses()
        except Refused as refused:
            context.abort(refused.code, refused.text)


def _unary(request: type, handler: Handler) -> grpc.RpcMethodHandler:
    def answer(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(message, context)
        except Refused as refused:
            log.info("%s refused: %s %s", request.__name__, refused.code.name, refused.text)
            context.abort(refused.code, refused.text)

    def serialize(response: Any) -> bytes:
        return empty_pb2.Empty().SerializeToString() if response is None else type(response).serialize(response)

    return grpc.unary_unary_rpc_method_handler(answer, request.deserialize, serialize)
