# A function with its own identity, the one identity that may call it, and its push subscriptions. It is deployed for HTTP and decorated
# as a CloudEvent function: an Eventarc trigger would offer no dead letter.

locals {
  runtime = "python312"
}

resource "google_service_account" "runtime" {
  account_id   = var.name
  project      = var.project
  display_name = "${var.name}: runs the function"
}

resource "google_service_account" "invoker" {
  account_id   = "${var.name}-invoke"
  project      = var.project
  display_name = "${var.name}: may only call the function"
}

# What the function may touch: single buckets and single topics. An update to an existing object is a write of a new generation, which
# needs delete too: objectUser is the least role with it.
resource "google_storage_bucket_iam_member" "writes" {
  for_each = var.writes

  bucket = each.value
  role   = "roles/storage.objectUser"
  member = google_service_account.runtime.member
}

resource "google_storage_bucket_iam_member" "reads" {
  for_each = var.reads

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.runtime.member
}

# storage.buckets.get, which no object role has: who finds an object missing asks whether the bucket is there, and so does Earth Engine
# before it exports.
resource "google_storage_bucket_iam_member" "sees_bucket" {
  for_each = merge(var.reads, var.writes)

  bucket = each.value
  role   = "roles/storage.legacyBucketReader"
  member = google_service_account.runtime.member
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = var.publishes

  project = var.project
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = google_service_account.runtime.member
}

# Named by content: an unchanged bundle deploys nothing, a changed one never replaces what an older revision was made from.
resource "google_storage_bucket_object" "bundle" {
  name         = "functions/${var.entry_point}-${filesha256(var.bundle)}.zip"
  bucket       = var.source_bucket
  source       = var.bundle
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloudfunctions2_function" "this" {
  name         = var.name
  project      = var.project
  location     = var.region
  description  = "Quakeslide: ${var.entry_point}"
  kms_key_name = var.kms_key
  labels       = var.labels

  build_config {
    docker_repository = var.docker_repository
    entry_point       = var.entry_point
    runtime           = local.runtime
    service_account   = var.build_service_account

    source {
      storage_source {
        bucket = google_storage_bucket_object.bundle.bucket
        object = google_storage_bucket_object.bundle.name
      }
    }
  }

  service_config {
    all_traffic_on_latest_revision   = true
    available_cpu                    = "1"
    available_memory                 = "${var.memory_mb}Mi"
    environment_variables            = var.environment
    ingress_settings                 = var.ingress
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = var.concurrency
    min_instance_count               = 0
    service_account_email            = google_service_account.runtime.email
    timeout_seconds                  = var.timeout_s
    vpc_connector                    = one(var.vpc[*].connector)
    vpc_connector_egress_settings    = one(var.vpc[*].egress)
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = google_service_account.invoker.member
}

# Projects older than April 2021 need it said; in newer ones Pub/Sub's agent may do so anyway.
resource "google_service_account_iam_member" "pubsub_signs" {
  count = length(var.subscriptions) == 0 ? 0 : 1

  service_account_id = google_service_account.invoker.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:${var.pubsub_agent}"
}

# A new name makes a new subscription before the old one goes; what the old one still held is checked by `infra.deploy` (plan_guard.py).
resource "google_pubsub_subscription" "push" {
  for_each = var.subscriptions

  name                       = each.key
  project                    = var.project
  topic                      = each.value.topic_id
  ack_deadline_seconds       = each.value.ack_deadline_s
  filter                     = each.value.filter
  labels                     = var.labels
  message_retention_duration = "604800s" # 7 days: longer than a hundred attempts take

  # Without this Pub/Sub deletes a subscription after 31 days without a delivery, and strong earthquakes may be rarer.
  expiration_policy {
    ttl = ""
  }

  push_config {
    # The function learns the topic from the end of the address.
    push_endpoint = "${google_cloudfunctions2_function.this.service_config[0].uri}/projects/${var.project}/topics/${each.value.topic_name}"

    oidc_token {
      audience              = google_cloudfunctions2_function.this.service_config[0].uri
      service_account_email = google_service_account.invoker.email
    }
  }

  retry_policy {
    minimum_backoff = "${each.value.min_backoff_s}s"
    maximum_backoff = "${each.value.max_backoff_s}s"
  }

  dead_letter_policy {
    dead_letter_topic     = each.value.dead_letter_id
    max_delivery_attempts = each.value.max_attempts
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}

# Moving a message to the dead letter means acknowledging it here.
resource "google_pubsub_subscription_iam_member" "pubsub_acknowledges" {
  for_each = var.subscriptions

  project      = var.project
  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${var.pubsub_agent}"
}
