# A bucket with who may use it and whom it tells. Access is by IAM only; nothing is public unless asked for.

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:Access logs are for public readers; who wants every read turns on Data Access audit logs for the whole project, at a cost of their own.
  #checkov:skip=CKV_GCP_114:Prevention is enforced unless `public` is asked for, which only the results bucket can be (public_results, off by default).

  name                        = var.name
  project                     = var.project
  location                    = var.location
  labels                      = var.labels
  force_destroy               = var.force_destroy
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = var.public ? "inherited" : "enforced"

  # An object deleted by mistake can be had back for a week where no versions are kept.
  soft_delete_policy {
    retention_duration_seconds = var.versioned == null ? 604800 : 0
  }

  versioning {
    enabled = var.versioned != null
  }

  dynamic "lifecycle_rule" {
    for_each = var.expire_days

    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
        with_state     = "LIVE"
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.versioned[*]

    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value.keep_days
        with_state                 = "ARCHIVED"
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

# storage.buckets.get, which no object role has: clients ask whether the bucket is there.
resource "google_storage_bucket_iam_member" "sees_bucket" {
  for_each = var.readers

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

resource "google_storage_bucket_iam_member" "public" {
  #checkov:skip=CKV_GCP_28:Made only where `public` is asked for (public_results, off by default): maps of landslides may be for everybody.

  count = var.public ? 1 : 0

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = "allUsers"
}

# Creating a notification makes Cloud Storage check that its agent may publish, so the permission comes first.
resource "google_pubsub_topic_iam_member" "storage_publishes" {
  for_each = var.notifications

  project = var.project
  topic   = each.value.topic_id
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${var.storage_agent}"
}

resource "google_storage_notification" "this" {
  for_each = var.notifications

  bucket             = google_storage_bucket.this.name
  event_types        = each.value.events
  object_name_prefix = each.value.prefix
  payload_format     = "JSON_API_V1"
  topic              = each.value.topic_id

  depends_on = [google_pubsub_topic_iam_member.storage_publishes]
}
