# A schedule that calls a function as its invoker, or publishes a message. It does not retry: the next run comes soon, and misses nothing.

locals {
  minutes = var.every_s / 60
  hours   = var.every_s / 3600
  cron    = var.every_s < 3600 ? (local.minutes == 1 ? "* * * * *" : "*/${local.minutes} * * * *") : (local.hours == 1 ? "0 * * * *" : local.hours == 24 ? "0 0 * * *" : "0 */${local.hours} * * *")
}

resource "google_cloud_scheduler_job" "this" {
  name             = var.name
  project          = var.project
  region           = var.region
  description      = var.description
  schedule         = local.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = var.http == null ? null : "${var.http.timeout_s}s"

  retry_config {
    retry_count = 0
  }

  dynamic "http_target" {
    for_each = var.http[*]

    content {
      http_method = "POST"
      uri         = http_target.value.uri

      oidc_token {
        audience              = http_target.value.uri
        service_account_email = http_target.value.invoker_email
      }
    }
  }

  dynamic "pubsub_target" {
    for_each = var.message[*]

    content {
      topic_name = pubsub_target.value.topic_id
      data       = base64encode(pubsub_target.value.data)
      attributes = pubsub_target.value.attributes
    }
  }
}
