output "name" {
  description = "Name of the bucket."
  value       = google_storage_bucket.this.name
}

output "notifications" {
  description = "Notifications made, by topic name: prefix and events."
  value = {
    for topic, made in google_storage_notification.this :
    topic => { events = made.event_types, prefix = made.object_name_prefix }
  }
}

output "is_uniform" {
  description = "Whether access is by IAM only."
  value       = google_storage_bucket.this.uniform_bucket_level_access
}

output "kms_key" {
  description = "Key that encrypts new objects; null for Google's own."
  value       = one(google_storage_bucket.this.encryption[*].default_kms_key_name)
}

output "public_access_prevention" {
  description = "Whether public access is prevented: enforced or inherited."
  value       = google_storage_bucket.this.public_access_prevention
}

output "public_members" {
  description = "Members of the public that may read."
  value       = toset(google_storage_bucket_iam_member.public[*].member)
}
