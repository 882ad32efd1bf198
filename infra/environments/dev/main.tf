# A system to try things on: its products say EXERCISE, and it can be destroyed with all it holds.

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

  data_notice    = "EXERCISE: made by a test system."
  force_destroy  = true
  labels         = { environment = "dev" }
  monthly_budget = 50

  model_server = {
    image         = var.model_server_image
    max_instances = 2
  }
}

output "quakeslide" {
  description = "Everything the system says of itself."
  value       = module.quakeslide
}
