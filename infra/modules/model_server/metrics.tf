# TensorFlow Serving's own metrics, read from its REST port by Google's sidecar and written to Cloud Monitoring. Cloud Run lets only one port
# be reached from outside, and that is gRPC's. The sidecar takes its configuration from a secret, though there is nothing secret in it.

locals {
  metrics_count = var.metrics == null ? 0 : 1

  metrics_config = {
    apiVersion = "monitoring.googleapis.com/v1beta"
    kind       = "RunMonitoring"
    metadata   = { name = var.name }
    spec = {
      endpoints = [{
        port     = "8501"
        path     = try(var.metrics.path, null)
        interval = "30s"
      }]
    }
  }
}

resource "google_secret_manager_secret" "metrics" {
  count = local.metrics_count

  project   = var.project
  secret_id = "${var.name}-metrics"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "metrics" {
  count = local.metrics_count

  secret      = google_secret_manager_secret.metrics[0].id
  secret_data = yamlencode(local.metrics_config)
}

resource "google_secret_manager_secret_iam_member" "metrics" {
  count = local.metrics_count

  project   = var.project
  secret_id = google_secret_manager_secret.metrics[0].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

# Cloud Monitoring knows no smaller place than the project.
resource "google_project_iam_member" "metrics" {
  count = local.metrics_count

  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.this.member
}
