# A topic with its schema, its dead letter and who may subscribe. The dead letter has a subscription: a topic without one keeps nothing.

resource "google_pubsub_schema" "this" {
  count = var.schema == null ? 0 : 1

  name       = var.name
  project    = var.project
  type       = var.schema.type
  definition = var.schema.definition
}

resource "google_pubsub_topic" "this" {
  name                       = var.name
  project                    = var.project
  kms_key_name               = var.kms_key
  labels                     = var.labels
  message_retention_duration = "${var.retention_days * 86400}s"

  dynamic "message_storage_policy" {
    for_each = length(var.regions) == 0 ? [] : [var.regions]

    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }

  dynamic "schema_settings" {
    for_each = google_pubsub_schema.this

    content {
      encoding = var.schema.encoding
      schema   = schema_settings.value.id
    }
  }
}

resource "google_pubsub_topic_iam_member" "subscriber" {
  for_each = var.subscribers

  project = var.project
  topic   = google_pubsub_topic.this.name
  role    = "roles/pubsub.subscriber"
  member  = each.value
}

resource "google_pubsub_topic" "dead_letter" {
  count = var.dead_letter == null ? 0 : 1

  name                       = var.dead_letter
  project                    = var.project
  kms_key_name               = var.kms_key
  labels                     = var.labels
  message_retention_duration = "2678400s" # 31 days, the most there is

  dynamic "message_storage_policy" {
    for_each = length(var.regions) == 0 ? [] : [var.regions]

    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }
}

# Named as the local stack names it. It never expires: an undelivered message must be found even after a quiet year.
resource "google_pubsub_subscription" "dead_letter" {
  count = var.dead_letter == null ? 0 : 1

  name                       = "${var.dead_letter}-inspect"
  project                    = var.project
  topic                      = google_pubsub_topic.dead_letter[0].id
  labels                     = var.labels
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_pubsub_topic_iam_member" "dead_letter_by_pubsub" {
  count = var.dead_letter == null ? 0 : 1

  project = var.project
  topic   = google_pubsub_topic.dead_letter[0].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${var.pubsub_agent}"
}

