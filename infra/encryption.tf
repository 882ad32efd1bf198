# With a key of your own every service's agent may use it, and only it: encrypt and decrypt on this one key.

locals {
  has_key        = var.kms_key == null ? 0 : 1
  key_role       = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  agent_at       = "iam.gserviceaccount.com"
  run_agent      = "serviceAccount:service-${local.number}@serverless-robot-prod.${local.agent_at}"
  gcf_agent      = "serviceAccount:service-${local.number}@gcf-admin-robot.${local.agent_at}"
  registry_agent = "serviceAccount:service-${local.number}@gcp-sa-artifactregistry.${local.agent_at}"
}

resource "google_kms_crypto_key_iam_member" "storage" {
  count = local.has_key

  crypto_key_id = var.kms_key
  role          = local.key_role
  member        = "serviceAccount:${local.storage_agent}"
}

resource "google_kms_crypto_key_iam_member" "pubsub" {
  count = local.has_key

  crypto_key_id = var.kms_key
  role          = local.key_role
  member        = "serviceAccount:${local.pubsub_agent}"
}

resource "google_kms_crypto_key_iam_member" "functions" {
  count = local.has_key

  crypto_key_id = var.kms_key
  role          = local.key_role
  member        = local.gcf_agent
}

resource "google_kms_crypto_key_iam_member" "run" {
  count = local.has_key

  crypto_key_id = var.kms_key
  role          = local.key_role
  member        = local.run_agent
}

resource "google_kms_crypto_key_iam_member" "registry" {
  count = local.has_key

  crypto_key_id = var.kms_key
  role          = local.key_role
  member        = local.registry_agent
}
