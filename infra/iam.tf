# What no single bucket, topic or service can grant. Nothing here is an editor, and no key is ever made.

# Earth Engine knows only project-wide roles; the exporter is its only user.
resource "google_project_iam_member" "earth_engine" {
  project = var.project
  role    = var.earth_engine_project_role
  member  = module.function["export_composites"].member
}

resource "google_project_iam_member" "earth_engine_billing" {
  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = module.function["export_composites"].member
}

resource "google_service_account" "build" {
  account_id   = "function-builds"
  project      = var.project
  display_name = "function-builds: builds the functions' images"
}

resource "google_project_iam_member" "build_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# Cloud Functions puts the source of a build into a bucket of its own, made at the first build; no other bucket is meant.
resource "google_project_iam_member" "build_source" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "only Cloud Functions' own source buckets"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${local.number}-\")"
  }
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "quakeslide"
  description   = "Images of the functions and of the model server"
  format        = "DOCKER"
  kms_key_name  = one(google_kms_crypto_key_iam_member.registry[*].crypto_key_id)
  labels        = local.labels

  docker_config {
    immutable_tags = false # Cloud Functions moves its tag `latest`; what runs is named by digest
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "7776000s" # 90 days
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
