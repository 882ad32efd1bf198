output "dead_letter_id" {
  description = "Full id of the dead-letter topic once Pub/Sub may publish there; null where there is none."
  value       = one(google_pubsub_topic.dead_letter[*].id)
  depends_on  = [google_pubsub_topic_iam_member.dead_letter_by_pubsub]
}

output "dead_letter_subscription" {
  description = "Name of the subscription that holds dead letters; null where there is none."
  value       = one(google_pubsub_subscription.dead_letter[*].name)
}

output "id" {
  description = "Full id of the topic, projects/P/topics/T."
  value       = google_pubsub_topic.this.id
}

output "name" {
  description = "Name of the topic."
  value       = google_pubsub_topic.this.name
}

output "kms_key" {
  description = "Key that encrypts messages; null for Google's own."
  value       = google_pubsub_topic.this.kms_key_name
}
