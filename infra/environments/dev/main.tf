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
  backscatter            = var.backscatter
  billing_account        = var.billing_account
  eecu_hours_per_day     = var.eecu_hours_per_day
  eecu_hours_per_event   = var.eecu_hours_per_event
  feed_url               = var.feed_url
  kms_key                = var.kms_key
  mask_buffer_m          = var.mask_buffer_m
  model_label            = var.model_label
  public_results         = var.public_results
  result_readers         = var.result_readers
  retiring_subscriptions = var.retiring_subscriptions
  rule                   = var.rule
  shard_days             = var.shard_days
  stages                 = var.stages
  vpc_connector          = var.vpc_connector

  data_notice    = "EXERCISE: made by a test system."
  force_destroy  = true
  labels         = { environment = "dev" }
  monthly_budget = 50

  model_server = merge(var.model_server_size, { image = var.model_server_image })
}

output "quakeslide" {
  description = "Everything the system says of itself."
  value       = module.quakeslide
}
