# TensorFlow Serving on Cloud Run, gRPC over HTTP/2. Its account may do nothing but what the sidecar needs (metrics.tf): models are in the
# image. Nobody may call it but the members named; Cloud Run asks each call for an identity token whatever the network setting.

resource "google_service_account" "this" {
  account_id   = var.name
  project      = var.project
  display_name = "${var.name}: serves models, writes metrics"
}

resource "google_cloud_run_v2_service" "this" {
  name                 = var.name
  project              = var.project
  location             = var.region
  labels               = var.labels
  deletion_protection  = false # it holds nothing
  ingress              = var.internal_only ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : "INGRESS_TRAFFIC_ALL"
  invoker_iam_disabled = false

  template {
    encryption_key                   = var.kms_key
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    gpu_zonal_redundancy_disabled    = var.gpu == null ? null : true
    max_instance_request_concurrency = 2 * var.cpu # tiles wait better in Cloud Run's queue than on one another's cores
    service_account                  = google_service_account.this.email
    timeout                          = "120s" # twice the detector's own deadline

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    dynamic "node_selector" {
      for_each = var.gpu[*]

      content {
        accelerator = node_selector.value
      }
    }

    containers {
      name  = "server"
      image = var.image

      # h2c: Cloud Run ends TLS and passes HTTP/2 on, without which there is no gRPC.
      ports {
        name           = "h2c"
        container_port = 8500
      }

      resources {
        cpu_idle          = var.gpu == null
        startup_cpu_boost = true
        limits = merge(
          { cpu = tostring(var.cpu), memory = "${var.memory_gb}Gi" },
          var.gpu == null ? {} : { "nvidia.com/gpu" = "1" },
        )
      }

      # TensorFlow Serving opens its port once all models are loaded, and has no gRPC health service.
      startup_probe {
        failure_threshold = 60
        period_seconds    = 5
        timeout_seconds   = 5

        tcp_socket {
          port = 8500
        }
      }
    }

    dynamic "containers" {
      for_each = var.metrics[*]

      content {
        name       = "metrics"
        image      = containers.value.image
        depends_on = ["server"] # there is nothing to read before the models are loaded

        # Whether CPU is there between calls is a setting of the instance: the same for both.
        resources {
          cpu_idle          = var.gpu == null
          startup_cpu_boost = true
          limits            = { cpu = "1", memory = "512Mi" }
        }

        # The sidecar answers five seconds late, and meanwhile has the CPU to send what it read.
        liveness_probe {
          period_seconds  = 30
          timeout_seconds = 30

          http_get {
            path = "/liveness"
            port = 13133
          }
        }

        volume_mounts {
          name       = "metrics"
          mount_path = "/etc/rungmp"
        }
      }
    }

    dynamic "volumes" {
      for_each = google_secret_manager_secret_version.metrics

      content {
        name = "metrics"

        secret {
          secret = google_secret_manager_secret.metrics[0].secret_id

          items {
            path    = "config.yaml"
            version = volumes.value.version # by number: another configuration is another revision
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.metrics, google_project_iam_member.metrics]
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
