# One plan of the whole system; tests/contract/test_topology.py holds it against topology.json, item by item.

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

run "as_it_is" {
  command = plan

  assert {
    condition     = sort(keys(output.buckets)) == sort(local.topology.buckets)
    error_message = "A bucket of topology.json is missing."
  }

  assert {
    condition     = sort(keys(output.topics)) == sort(local.topology.topics)
    error_message = "A topic of topology.json is missing."
  }
}
