# From one plan to the next: tests/contract/test_topology.py reads what the second would delete, and the guard must stop it.

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

  # Behind every setting of a function a value that is not its default.
  backscatter          = "gamma0_terrain_volume"
  data_notice          = "EXERCISE"
  eecu_hours_per_day   = 11
  eecu_hours_per_event = 7
  feed_url             = "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/2.5_week.geojson"
  mask_buffer_m        = 20
  model_label          = "stable"
  rule                 = "sensitive"
  stages               = "60-12"

  model_server = {
    image = "europe-west1-docker.pkg.dev/quakeslide-test/quakeslide/serving@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

run "before" {
  command = apply

  variables {
    retiring_subscriptions = { watches-old = { topic = "watches", function = "export_composites" } }
  }

  assert {
    condition     = module.function["export_composites"].subscriptions["watches-old"].max_attempts == 100
    error_message = "A retiring subscription must be delivered as any other."
  }
}

# Nobody has looked whether it is empty.
run "dropped" {
  command = plan

  assert {
    condition     = !contains(keys(module.function["export_composites"].subscriptions), "watches-old")
    error_message = "The subscription was to go in this plan."
  }
}

# What a rename in topology.json comes to with the old name kept as retiring: the old one is not touched.
run "kept" {
  command = plan

  variables {
    retiring_subscriptions = { watches-old = { topic = "watches", function = "export_composites" } }
  }

  assert {
    condition     = contains(keys(module.function["export_composites"].subscriptions), "watches-old")
    error_message = "A retiring subscription is gone, and with it what it held."
  }
}

# A filter cannot be changed: with Google's own provider the plan is a replacement, which the mock must be told.
run "filter_changed" {
  command = plan

  plan_options {
    replace = [module.function["export_composites"].google_pubsub_subscription.push["watches-old"]]
  }

  variables {
    retiring_subscriptions = { watches-old = { topic = "watches", function = "export_composites", filter = "attributes.kind = \"watch\"" } }
  }
}

# The same change as a mock, or a provider that does not know better, plans it.
run "filter_changed_in_place" {
  command = plan

  variables {
    retiring_subscriptions = { watches-old = { topic = "watches", function = "export_composites", filter = "attributes.kind = \"watch\"" } }
  }
}

# The way that loses nothing: the new filter under a new name beside the old one.
run "filter_under_a_new_name" {
  command = plan

  variables {
    retiring_subscriptions = {
      watches-old = { topic = "watches", function = "export_composites" }
      watches-new = { topic = "watches", function = "export_composites", filter = "attributes.kind = \"watch\"" }
    }
  }

  assert {
    condition     = length(setsubtract(["watches-old", "watches-new"], keys(module.function["export_composites"].subscriptions))) == 0
    error_message = "Both must push until the old one is empty."
  }
}
