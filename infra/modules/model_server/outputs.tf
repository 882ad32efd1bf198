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

output "port" {
  description = "Port and protocol of the container."
  value = {
    container_port = google_cloud_run_v2_service.this.template[0].containers[0].ports[0].container_port
    name           = google_cloud_run_v2_service.this.template[0].containers[0].ports[0].name
  }
}
