# The module of one function: delivery within Pub/Sub's limits, identity on every push.

mock_provider "google" {
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = {
        timeout_seconds = 1
        uri             = "https://function.example"
      }
    }
  }

  mock_resource "google_service_account" {
    defaults = {
      email  = "someone@quakeslide-test.iam.gserviceaccount.com"
      member = "serviceAccount:someone@quakeslide-test.iam.gserviceaccount.com"
      name   = "projects/quakeslide-test/serviceAccounts/someone@quakeslide-test.iam.gserviceaccount.com"
    }
  }
}

variables {
  name                  = "detect-landslides"
  entry_point           = "detect_landslides"
  project               = "quakeslide-test"
  region                = "europe-west1"
  bundle                = "tests/bundles/detect_landslides.zip"
  source_bucket         = "quakeslide-test-sources"
  build_service_account = "projects/quakeslide-test/serviceAccounts/build@quakeslide-test.iam.gserviceaccount.com"
  environment           = { PROJECT = "quakeslide-test" }
  max_instances         = 20
  memory_mb             = 2048
  timeout_s             = 540
  pubsub_agent          = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
  reads                 = { composites = "quakeslide-test-composites" }
  writes                = { state = "quakeslide-test-state" }

  subscriptions = {
    composite-shards-to-detect-landslides = {
      ack_deadline_s = 600
      dead_letter_id = "projects/quakeslide-test/topics/composite-shards-dead-letter"
      max_attempts   = 100
      max_backoff_s  = 600
      min_backoff_s  = 10
      topic_id       = "projects/quakeslide-test/topics/composite-shards"
      topic_name     = "composite-shards"
    }
  }
}

run "delivery" {
  command = apply

  module {
    source = "./modules/function"
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].push_config[0].push_endpoint == "https://function.example/projects/quakeslide-test/topics/composite-shards"
    error_message = "The function learns the topic from the end of the push address."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].push_config[0].oidc_token[0].audience == "https://function.example"
    error_message = "The identity token must be for the function's address without the path."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].push_config[0].oidc_token[0].service_account_email == google_service_account.invoker.email
    error_message = "Pushes must come as the invoker."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].dead_letter_policy[0].dead_letter_topic == "projects/quakeslide-test/topics/composite-shards-dead-letter"
    error_message = "What cannot be delivered must go to the topic's dead letter."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.push["composite-shards-to-detect-landslides"].retry_policy[0].maximum_backoff == "600s"
    error_message = "Retries pause 10 to 600 s."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].expiration_policy[0].ttl == ""
    error_message = "A subscription must not expire in a quiet month."
  }

  assert {
    condition     = google_pubsub_subscription.push["composite-shards-to-detect-landslides"].ack_deadline_seconds > google_cloudfunctions2_function.this.service_config[0].timeout_seconds
    error_message = "The push must wait longer than the function runs."
  }

  assert {
    condition     = google_pubsub_subscription_iam_member.pubsub_acknowledges["composite-shards-to-detect-landslides"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub cannot move a message to the dead letter."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.invoker.role == "roles/run.invoker" && google_cloud_run_v2_service_iam_member.invoker.member == google_service_account.invoker.member
    error_message = "Only the invoker may call the function."
  }

  assert {
    condition     = length(google_cloudfunctions2_function.this.event_trigger) == 0
    error_message = "An Eventarc trigger offers no dead letter."
  }

  assert {
    condition     = google_storage_bucket_object.bundle.name == "functions/detect_landslides-${filesha256("tests/bundles/detect_landslides.zip")}.zip"
    error_message = "The bundle must be named by its content."
  }

  assert {
    condition     = google_storage_bucket_iam_member.reads["composites"].role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.writes["state"].role == "roles/storage.objectUser"
    error_message = "Roles on buckets changed."
  }
}

run "refuses_a_function_that_outlasts_its_push" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    timeout_s = 600
  }

  expect_failures = [var.subscriptions]
}

run "refuses_more_attempts_than_pubsub_makes" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    subscriptions = {
      composite-shards-to-detect-landslides = {
        ack_deadline_s = 600
        dead_letter_id = "projects/quakeslide-test/topics/composite-shards-dead-letter"
        max_attempts   = 101
        max_backoff_s  = 600
        min_backoff_s  = 10
        topic_id       = "projects/quakeslide-test/topics/composite-shards"
        topic_name     = "composite-shards"
      }
    }
  }

  expect_failures = [var.subscriptions]
}

run "refuses_an_open_function" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    ingress = "ALLOW_ALL"
  }

  expect_failures = [var.ingress]
}
