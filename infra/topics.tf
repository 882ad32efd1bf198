# Topics carry several kinds of message and storage notifications, and a malformed message must reach the dead letter with its reason
# instead of being refused to its sender: so none has a schema; functions/quakeslide/message_reader.py judges.

module "topic" {
  source   = "./modules/topic"
  for_each = toset(local.topology.topics)

  name         = each.key
  project      = var.project
  dead_letter  = lookup(local.topology.dead_letters, each.key, null)
  kms_key      = one(google_kms_crypto_key_iam_member.pubsub[*].crypto_key_id)
  labels       = local.labels
  pubsub_agent = local.pubsub_agent
  subscribers  = each.key == "landslide-results" ? { for member in var.result_readers : member => member } : {}
}
