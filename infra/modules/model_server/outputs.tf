output "name" {
  description = "Name of the Cloud Run service."
  value       = google_cloud_run_v2_service.this.name
}

output "uri" {
  description = "Address of the server, https; gRPC on port 443 with an identity token for this audience."
  value       = google_cloud_run_v2_service.this.uri
}

output "ingress" {
  description = "Who may reach the server."
  value       = google_cloud_run_v2_service.this.ingress
}

output "invokers" {
  description = "Who may call the server, by name."
  value       = toset(keys(google_cloud_run_v2_service_iam_member.invoker))
}

output "limits" {
  description = "CPUs, memory and GPU of an instance."
  value       = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits
}

output "metrics" {
  description = "What the sidecar is, waits for and reads, and the roles of the server's account; null without one."
  value = var.metrics == null ? null : {
    # The provider marks what lies in a secret; this is none.
    config     = nonsensitive(sensitive(yamldecode(google_secret_manager_secret_version.metrics[0].secret_data)))
    depends_on = google_cloud_run_v2_service.this.template[0].containers[1].depends_on
    image      = google_cloud_run_v2_service.this.template[0].containers[1].image
    mounted    = google_cloud_run_v2_service.this.template[0].containers[1].volume_mounts[0].mount_path
    reads      = google_secret_manager_secret_iam_member.metrics[0].role
    writes     = google_project_iam_member.metrics[0].role
  }
}

output "port" {
  description = "Port and protocol of the container."
  value = {
    container_port = google_cloud_run_v2_service.this.template[0].containers[0].ports[0].container_port
    name           = google_cloud_run_v2_service.this.template[0].containers[0].ports[0].name
  }
}
