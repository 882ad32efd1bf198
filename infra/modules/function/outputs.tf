output "invoker_email" {
  description = "Address of the account that may call the function."
  value       = google_service_account.invoker.email
}

output "member" {
  description = "The function's own account as an IAM member."
  value       = google_service_account.runtime.member
}

output "name" {
  description = "Name of the function and of the Cloud Run service behind it."
  value       = google_cloudfunctions2_function.this.name
}

output "timeout_s" {
  description = "Seconds after which a request is ended."
  value       = google_cloudfunctions2_function.this.service_config[0].timeout_seconds
}

output "uri" {
  description = "Address of the function."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
}

output "bucket_roles" {
  description = "Roles on buckets, by the buckets' short names."
  value = merge(
    { for short, made in google_storage_bucket_iam_member.writes : short => made.role },
    { for short, made in google_storage_bucket_iam_member.reads : short => made.role },
  )
}

output "egress" {
  description = "What goes through the VPC connector; null for none."
  value       = google_cloudfunctions2_function.this.service_config[0].vpc_connector_egress_settings
}

output "ingress" {
  description = "Who may reach the function."
  value       = google_cloudfunctions2_function.this.service_config[0].ingress_settings
}

output "publishes" {
  description = "Topics to which the function may publish."
  value       = toset(keys(google_pubsub_topic_iam_member.publishes))
}

output "subscriptions" {
  description = "Push subscriptions, by name: attempts and waiting time."
  value = {
    for name, made in google_pubsub_subscription.push : name => {
      ack_deadline_s = made.ack_deadline_seconds
      max_attempts   = made.dead_letter_policy[0].max_delivery_attempts
    }
  }
}
