# The whole system in one project, wired by the topology.json that the local stack reads too.

data "google_project" "this" {
  project_id = var.project
}

# Asking for Cloud Storage's service agent also makes it.
data "google_storage_project_service_account" "this" {
  project = var.project
}

locals {
  topology      = jsondecode(file("${path.module}/topology.json"))
  bucket_prefix = coalesce(var.bucket_prefix, var.project)
  bundle_folder = coalesce(var.bundle_folder, "${path.module}/../build/bundles")
  model_folder  = coalesce(var.model_folder, "${path.module}/../build/models")
  labels        = merge({ system = "quakeslide" }, var.labels)

  number        = data.google_project.this.number
  pubsub_agent  = "service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  storage_agent = data.google_storage_project_service_account.this.email_address
}
