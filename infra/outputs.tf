output "alerts" {
  description = "Names of the alert policies."
  value       = sort([for policy in google_monitoring_alert_policy.this : policy.display_name])
}

output "buckets" {
  description = "Names of the buckets, by their short names."
  value       = { for short, made in module.bucket : short => made.name }
}

output "dashboard" {
  description = "Where the dashboard is."
  value       = "https://console.cloud.google.com/monitoring/dashboards/custom/${element(split("/", google_monitoring_dashboard.this.id), length(split("/", google_monitoring_dashboard.this.id)) - 1)}?project=${var.project}"
}

output "dead_letter_subscriptions" {
  description = "Subscriptions that hold what could not be delivered."
  value       = compact([for made in module.topic : made.dead_letter_subscription])
}

output "functions" {
  description = "Addresses of the functions. Only their invokers may call them."
  value       = { for name, made in module.function : name => made.uri }
}

output "model_cards" {
  description = "Model cards uploaded."
  value       = sort(keys(google_storage_bucket_object.model_card))

  precondition {
    condition     = length(google_storage_bucket_object.model_card) > 0
    error_message = "No NAME/VERSION/card.json in ${local.model_folder}: the detector would find no model. Run `make models`, or set model_folder."
  }
}

output "model_server" {
  description = "Address of the model server."
  value       = module.model_server.uri
}

output "topics" {
  description = "Full ids of the topics, by name."
  value       = { for name, made in module.topic : name => made.id }
}
