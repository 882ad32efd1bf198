# What the whole system must keep, on mocked values: `terraform test` needs no cloud and no credentials.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }

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
  project       = "quakeslide-test"
  region        = "europe-west1"
  bundle_folder = "tests/bundles"
  model_folder  = "tests/models"

  model_server = {
    image = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

run "private_unless_asked" {
  command = plan

  assert {
    condition     = length(module.bucket["results"].public_members) == 0
    error_message = "The results bucket is public though nobody asked."
  }

  assert {
    condition     = alltrue([for short, made in module.bucket : made.public_access_prevention == "enforced"])
    error_message = "A bucket does not prevent public access."
  }

  assert {
    condition     = alltrue([for short, made in module.bucket : made.is_uniform]) && module.sources.is_uniform
    error_message = "A bucket allows access lists of single objects."
  }

  assert {
    condition     = alltrue([for name, made in module.function : made.ingress == "ALLOW_INTERNAL_ONLY"])
    error_message = "A function can be reached from anywhere."
  }

  assert {
    condition     = length(google_billing_budget.this) == 0
    error_message = "A budget was made without a billing account."
  }
}

run "results_public_when_asked" {
  command = plan

  variables {
    public_results = true
  }

  assert {
    condition     = module.bucket["results"].public_members == toset(["allUsers"])
    error_message = "public_results does not open the results bucket."
  }

  assert {
    condition = alltrue([
      for short, made in module.bucket : made.public_access_prevention == "enforced" if short != "results"
    ])
    error_message = "public_results opens another bucket too."
  }
}

run "least_privilege" {
  command = plan

  # google_project_iam_member is for what no single resource can grant.
  assert {
    condition = toset([
      google_project_iam_member.earth_engine.role,
      google_project_iam_member.earth_engine_billing.role,
      google_project_iam_member.build_logs.role,
      google_project_iam_member.build_source.role,
      ]) == toset([
      "roles/earthengine.writer", "roles/serviceusage.serviceUsageConsumer", "roles/logging.logWriter", "roles/storage.objectViewer",
    ])
    error_message = "A role over the whole project changed."
  }

  assert {
    condition     = strcontains(google_project_iam_member.build_source.condition[0].expression, "buckets/gcf-v2-sources-123456789012-")
    error_message = "Builds may read buckets that are not Cloud Functions' own."
  }

  assert {
    condition     = keys(module.function["poll_earthquakes"].bucket_roles) == ["state"]
    error_message = "The poller may use more than the state bucket."
  }

  assert {
    condition     = module.function["detect_landslides"].bucket_roles["composites"] == "roles/storage.objectViewer"
    error_message = "The detector may write composites."
  }

  assert {
    condition     = module.function["detect_landslides"].bucket_roles["models"] == "roles/storage.objectViewer"
    error_message = "The detector may write models."
  }

  assert {
    condition     = module.function["poll_earthquakes"].publishes == toset(["earthquakes"])
    error_message = "The poller may publish elsewhere."
  }

  assert {
    condition     = module.model_server.invokers == toset(["detect_landslides"])
    error_message = "Someone else than the detector may call the model server."
  }
}

run "model_server" {
  command = plan

  variables {
    model_server = {
      image     = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
      gpu       = "nvidia-l4"
      cpu       = 4
      memory_gb = 16
    }
  }

  assert {
    condition     = module.model_server.port == { container_port = 8500, name = "h2c" }
    error_message = "gRPC needs HTTP/2 to the container on TensorFlow Serving's port."
  }

  assert {
    condition     = module.model_server.limits["nvidia.com/gpu"] == "1"
    error_message = "The GPU was asked for and is not given."
  }
}

run "model_server_metrics" {
  command = plan

  assert {
    condition = module.model_server.metrics.config.spec.endpoints == [
      { interval = "30s", path = "/monitoring/prometheus/metrics", port = "8501" }
    ]
    error_message = "The sidecar does not read TensorFlow Serving's own metrics."
  }

  assert {
    condition     = module.model_server.metrics.mounted == "/etc/rungmp" && module.model_server.metrics.depends_on == tolist(["server"])
    error_message = "The sidecar finds no configuration, or starts before the server it reads."
  }

  assert {
    condition     = module.model_server.metrics.writes == "roles/monitoring.metricWriter" && module.model_server.metrics.reads == "roles/secretmanager.secretAccessor"
    error_message = "The model server's account may do something else than write metrics and read the sidecar's configuration."
  }
}

run "model_server_without_metrics" {
  command = plan

  variables {
    model_server = {
      image         = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
      cpu           = 8
      metrics_image = ""
    }
  }

  assert {
    condition     = module.model_server.metrics == null
    error_message = "A sidecar was made though none was asked for."
  }
}

run "network" {
  command = plan

  variables {
    vpc_connector = "projects/quakeslide-test/locations/europe-west1/connectors/quakeslide"
  }

  assert {
    condition     = module.model_server.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "With a network of its own the model server must be internal."
  }

  assert {
    condition     = module.function["detect_landslides"].egress == "ALL_TRAFFIC"
    error_message = "The detector must reach the internal model server through the network."
  }
}

run "own_key" {
  command = plan

  variables {
    kms_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = alltrue([for short, made in module.bucket : made.kms_key == var.kms_key]) && alltrue([for name, made in module.topic : made.kms_key == var.kms_key])
    error_message = "A bucket or topic does not use the key."
  }
}

run "alerts" {
  command = plan

  assert {
    condition     = alltrue([for name, policy in google_monitoring_alert_policy.this : strcontains(policy.documentation[0].content, "section `${name}`")])
    error_message = "An alert does not lead to its section of the runbook."
  }

  assert {
    condition = alltrue([
      for name in ["poller-heartbeat", "sweep-heartbeat"] :
      google_monitoring_alert_policy.this[name].conditions[0].condition_threshold[0].evaluation_missing_data == "EVALUATION_MISSING_DATA_ACTIVE"
    ])
    error_message = "A heartbeat that has stopped altogether would go unnoticed."
  }

  assert {
    condition     = google_monitoring_alert_policy.this["poller-heartbeat"].conditions[0].condition_threshold[0].aggregations[0].alignment_period == "600s"
    error_message = "The poller's silence must show after ten minutes."
  }
}

run "budget" {
  command = plan

  variables {
    billing_account = "012345-6789AB-CDEF01"
    alert_emails    = ["on-call@example.org"]
  }

  assert {
    condition     = google_billing_budget.this[0].amount[0].specified_amount[0].units == "100"
    error_message = "The budget is not the one asked for."
  }

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 1
    error_message = "Nobody is told."
  }
}

run "retiring_subscription_stays" {
  command = plan

  variables {
    retiring_subscriptions = { watches-old = { topic = "watches", function = "export_composites" } }
  }

  assert {
    condition     = contains(keys(module.function["export_composites"].subscriptions), "watches-old")
    error_message = "A retiring subscription is gone, and with it what it held."
  }

  assert {
    condition     = module.function["export_composites"].subscriptions["watches-old"].max_attempts == 100
    error_message = "A retiring subscription must be delivered as any other."
  }
}

run "refuses_image_by_tag" {
  command = plan

  variables {
    model_server = { image = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving:latest" }
  }

  expect_failures = [var.model_server]
}

run "refuses_multi_region" {
  command = plan

  variables {
    region = "EU"
  }

  expect_failures = [var.region]
}

run "refuses_everybody_as_reader" {
  command = plan

  variables {
    result_readers = ["allUsers"]
  }

  expect_failures = [var.result_readers]
}

run "refuses_shards_gone_before_the_last_stage" {
  command = plan

  variables {
    shard_days = 30
  }

  expect_failures = [var.shard_days]
}

run "refuses_no_model" {
  command = plan

  variables {
    model_folder = "tests/bundles"
  }

  expect_failures = [output.model_cards]
}
