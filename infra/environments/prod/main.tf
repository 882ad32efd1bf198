# The system that people rely on: `destroy` does not delete what its buckets hold, and a large event gets more model servers.

provider "google" {
  project               = var.project
  region                = var.region
  user_project_override = true
  billing_project       = var.project
}

module "quakeslide" {
  source = "../.."

  project                = var.project
  region                 = var.region
  alert_emails           = var.alert_emails
  billing_account        = var.billing_account
  result_readers         = var.result_readers
  retiring_subscriptions = var.retiring_subscriptions

  labels         = { environment = "prod" }
  monthly_budget = 300

  model_server = {
    image         = var.model_server_image
    max_instances = 8
  }
}

output "quakeslide" {
  description = "Everything the system says of itself."
  value       = module.quakeslide
}
