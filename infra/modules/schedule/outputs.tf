output "cron" {
  description = "The schedule in cron's form, UTC."
  value       = google_cloud_scheduler_job.this.schedule
}
