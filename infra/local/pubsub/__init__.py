"""A local Pub/Sub: google.pubsub.v1 over gRPC for the unmodified client, with push, retry, dead letters, order and filters."""
