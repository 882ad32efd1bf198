# The modules of a topic, a bucket and a schedule.

mock_provider "google" {}

run "dead_letter_is_kept" {
  command = plan

  module {
    source = "./modules/topic"
  }

  variables {
    name         = "watches"
    dead_letter  = "watches-dead-letter"
    project      = "quakeslide-test"
    pubsub_agent = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
  }

  assert {
    condition     = google_pubsub_subscription.dead_letter[0].name == "watches-dead-letter-inspect"
    error_message = "A dead-letter topic without a subscription keeps nothing."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letter[0].expiration_policy[0].ttl == "" && google_pubsub_subscription.dead_letter[0].message_retention_duration == "2678400s"
    error_message = "A dead letter must be kept as long as Pub/Sub allows."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.dead_letter_by_pubsub[0].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.dead_letter_by_pubsub[0].topic == "watches-dead-letter"
    error_message = "Pub/Sub may not publish to the dead letter: undeliverable messages would be tried for ever."
  }
}

run "schema" {
  command = plan

  module {
    source = "./modules/topic"
  }

  variables {
    name         = "alerts"
    project      = "quakeslide-test"
    pubsub_agent = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    schema       = { type = "AVRO", definition = "{\"type\": \"record\", \"name\": \"Alert\", \"fields\": []}" }
  }

  assert {
    condition     = google_pubsub_topic.this.schema_settings[0].encoding == "JSON" && length(google_pubsub_topic.dead_letter) == 0
    error_message = "The schema is not applied."
  }
}

run "notification" {
  command = apply

  module {
    source = "./modules/bucket"
  }

  variables {
    name          = "quakeslide-test-composites"
    project       = "quakeslide-test"
    location      = "europe-west1"
    expire_days   = { "shards/" = 180 }
    storage_agent = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"

    notifications = {
      composite-shards = {
        events   = ["OBJECT_FINALIZE"]
        prefix   = "shards/"
        topic_id = "projects/quakeslide-test/topics/composite-shards"
      }
    }
  }

  assert {
    condition     = google_pubsub_topic_iam_member.storage_publishes["composite-shards"].member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "Cloud Storage may not publish its notifications."
  }

  assert {
    condition     = google_storage_notification.this["composite-shards"].object_name_prefix == "shards/" && google_storage_notification.this["composite-shards"].payload_format == "JSON_API_V1"
    error_message = "Only finished shards are notified."
  }

  assert {
    condition     = one(one(google_storage_bucket.this.lifecycle_rule).condition).age == 180
    error_message = "Shards must expire."
  }

  assert {
    condition     = google_storage_bucket.this.force_destroy == false
    error_message = "A bucket must not be destroyed with what it holds unless asked."
  }
}

run "state_keeps_versions" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name          = "quakeslide-test-state"
    project       = "quakeslide-test"
    location      = "europe-west1"
    storage_agent = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    versioned     = { keep_days = 30 }
  }

  assert {
    condition     = google_storage_bucket.this.versioning[0].enabled
    error_message = "A state document overwritten by mistake must be had back."
  }

  assert {
    condition     = alltrue([for rule in google_storage_bucket.this.lifecycle_rule : one(rule.condition).with_state == "ARCHIVED"])
    error_message = "A rule deletes current objects, though none was asked for."
  }
}

run "every_minute" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name        = "poll-earthquakes"
    description = "poll"
    every_s     = 60
    project     = "quakeslide-test"
    region      = "europe-west1"
    http        = { invoker_email = "poll-earthquakes-invoke@quakeslide-test.iam.gserviceaccount.com", timeout_s = 120, uri = "https://function.example" }
  }

  assert {
    condition     = google_cloud_scheduler_job.this.schedule == "* * * * *" && google_cloud_scheduler_job.this.time_zone == "Etc/UTC"
    error_message = "The poller runs every minute, UTC."
  }

  assert {
    condition     = google_cloud_scheduler_job.this.http_target[0].oidc_token[0].service_account_email == "poll-earthquakes-invoke@quakeslide-test.iam.gserviceaccount.com"
    error_message = "The schedule must identify itself."
  }
}

run "every_hour" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name        = "sweep-watches"
    description = "sweep"
    every_s     = 3600
    project     = "quakeslide-test"
    region      = "europe-west1"
    message     = { attributes = { kind = "sweep" }, data = "{\"kind\":\"sweep\"}", topic_id = "projects/quakeslide-test/topics/watches" }
  }

  assert {
    condition     = google_cloud_scheduler_job.this.schedule == "0 * * * *" && base64decode(google_cloud_scheduler_job.this.pubsub_target[0].data) == "{\"kind\":\"sweep\"}"
    error_message = "The sweep goes out on the hour."
  }
}

run "refuses_seven_minutes" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name        = "odd"
    description = "odd"
    every_s     = 420
    project     = "quakeslide-test"
    region      = "europe-west1"
    http        = { invoker_email = "a@b.c", timeout_s = 120, uri = "https://function.example" }
  }

  expect_failures = [var.every_s]
}

run "refuses_nine_cpus" {
  command = plan

  module {
    source = "./modules/model_server"
  }

  variables {
    name     = "model-server"
    project  = "quakeslide-test"
    region   = "europe-west1"
    image    = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    invokers = {}
    cpu      = 8
    metrics  = { image = "example/sidecar:1.3.0", path = "/monitoring/prometheus/metrics" }
  }

  expect_failures = [var.cpu]
}

run "refuses_sidecar_by_a_tag_that_moves" {
  command = plan

  module {
    source = "./modules/model_server"
  }

  variables {
    name     = "model-server"
    project  = "quakeslide-test"
    region   = "europe-west1"
    image    = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    invokers = {}
    metrics  = { image = "example/sidecar:latest", path = "/monitoring/prometheus/metrics" }
  }

  expect_failures = [var.metrics]
}
