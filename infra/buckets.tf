# What is kept how long. Shards can be exported again; state and results cannot be had back once lost, so old versions stay for a month.

locals {
  bucket_rules = {
    composites = { expire_days = { "shards/" = var.shard_days }, versioned = null }
    models     = { expire_days = {}, versioned = { keep_days = 365 } }
    results    = { expire_days = {}, versioned = { keep_days = 30 } }
    # An intent that is done is looked at again only while its message may still come; cells are read until a stage is frozen.
    state = { expire_days = { "outbox/" = 90, "cells/" = 365 }, versioned = { keep_days = 30 } }
  }
}

module "bucket" {
  source   = "./modules/bucket"
  for_each = toset(local.topology.buckets)

  name          = "${local.bucket_prefix}-${each.key}"
  project       = var.project
  location      = var.region
  labels        = local.labels
  expire_days   = local.bucket_rules[each.key].expire_days
  versioned     = local.bucket_rules[each.key].versioned
  force_destroy = var.force_destroy
  kms_key       = one(google_kms_crypto_key_iam_member.storage[*].crypto_key_id)
  public        = each.key == "results" && var.public_results
  storage_agent = local.storage_agent

  readers = each.key == "results" ? { for member in var.result_readers : member => member } : {}

  notifications = {
    for topic, wanted in local.topology.notifications : topic => {
      events   = toset(wanted.events)
      prefix   = wanted.prefix
      topic_id = module.topic[topic].id
    } if wanted.bucket == each.key
  }
}

# Zips of the functions. Cloud Functions copies them; this bucket is the record of what was deployed.
module "sources" {
  source = "./modules/bucket"

  name          = "${local.bucket_prefix}-sources"
  project       = var.project
  location      = var.region
  labels        = local.labels
  force_destroy = true # every zip can be built again, byte by byte
  kms_key       = one(google_kms_crypto_key_iam_member.storage[*].crypto_key_id)
  readers       = { build = google_service_account.build.member }
  storage_agent = local.storage_agent
}

# The detector reads the card of the version that the server answers with; both come from the same folder.
resource "google_storage_bucket_object" "model_card" {
  for_each = fileset(local.model_folder, "*/*/card.json")

  name         = each.key
  bucket       = module.bucket["models"].name
  source       = "${local.model_folder}/${each.key}"
  content_type = "application/json"
}
