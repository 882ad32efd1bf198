# Three functions, each from its zip, with settings of its own (functions/quakeslide/settings.py).

locals {
  dead_letters = join(",", [for topic, dead in local.topology.dead_letters : "${topic}=${dead}"])

  environment = {
    poll_earthquakes = merge(
      { RULE = var.rule },
      { for name, value in { FEED_URL = var.feed_url } : name => value if value != null },
    )
    export_composites = {
      BACKSCATTER          = var.backscatter
      DATA_NOTICE          = var.data_notice
      EECU_HOURS_PER_DAY   = tostring(var.eecu_hours_per_day)
      EECU_HOURS_PER_EVENT = tostring(var.eecu_hours_per_event)
      MASK_BUFFER_M        = tostring(var.mask_buffer_m)
      STAGES               = var.stages
    }
    detect_landslides = {
      MODEL_LABEL  = var.model_label
      MODEL_SERVER = module.model_server.uri
    }
  }

  # Only the detector needs the network to reach the model server; it talks to nothing but Google's services.
  egress = { detect_landslides = "ALL_TRAFFIC" }

  topic_ids = merge(
    { for topic in local.topology.topics : topic => module.topic[topic].id },
    { for topic, dead in local.topology.dead_letters : dead => module.topic[topic].dead_letter_id },
  )

  subscriptions = merge(local.topology.subscriptions, var.retiring_subscriptions)
}

module "function" {
  source   = "./modules/function"
  for_each = local.topology.functions

  name                  = replace(each.key, "_", "-")
  entry_point           = each.key
  project               = var.project
  region                = var.region
  bundle                = "${local.bundle_folder}/${each.key}.zip"
  source_bucket         = module.sources.name
  build_service_account = google_service_account.build.id
  docker_repository     = google_artifact_registry_repository.images.id
  kms_key               = one(google_kms_crypto_key_iam_member.functions[*].crypto_key_id)
  labels                = local.labels
  concurrency           = each.value.concurrency
  max_instances         = each.value.max_instances
  memory_mb             = each.value.memory_mb
  timeout_s             = each.value.timeout_s
  pubsub_agent          = local.pubsub_agent

  vpc = var.vpc_connector == null ? null : {
    connector = var.vpc_connector
    egress    = lookup(local.egress, each.key, "PRIVATE_RANGES_ONLY")
  }

  environment = merge(
    { PROJECT = var.project, DEAD_LETTERS = local.dead_letters },
    { for short in each.value.buckets : "${upper(short)}_BUCKET" => "${local.bucket_prefix}-${short}" },
    local.environment[each.key],
  )

  reads     = { for short in each.value.reads : short => module.bucket[short].name }
  writes    = { for short in setsubtract(each.value.buckets, each.value.reads) : short => module.bucket[short].name }
  publishes = { for topic in each.value.publishes : topic => local.topic_ids[topic] }

  subscriptions = {
    for name, wanted in local.subscriptions : name => {
      ack_deadline_s = local.topology.delivery.ack_deadline_s
      dead_letter_id = module.topic[wanted.topic].dead_letter_id
      filter         = try(wanted.filter, "")
      max_attempts   = local.topology.delivery.max_attempts
      max_backoff_s  = local.topology.delivery.max_backoff_s
      min_backoff_s  = local.topology.delivery.min_backoff_s
      topic_id       = module.topic[wanted.topic].id
      topic_name     = wanted.topic
    } if wanted.function == each.key
  }
}

module "model_server" {
  source = "./modules/model_server"

  name          = "model-server"
  project       = var.project
  region        = var.region
  image         = var.model_server.image
  cpu           = var.model_server.cpu
  gpu           = var.model_server.gpu
  memory_gb     = var.model_server.memory_gb
  min_instances = var.model_server.min_instances
  max_instances = var.model_server.max_instances
  internal_only = var.vpc_connector != null
  kms_key       = one(google_kms_crypto_key_iam_member.run[*].crypto_key_id)
  labels        = local.labels
  invokers      = { detect_landslides = module.function["detect_landslides"].member }

  metrics = var.model_server.metrics_image == "" ? null : {
    image = var.model_server.metrics_image
    path  = one(regex("path: \"([^\"]+)\"", file("${path.module}/../serving/monitoring.config")))
  }
}

module "schedule" {
  source   = "./modules/schedule"
  for_each = local.topology.schedules

  name        = each.key
  project     = var.project
  region      = var.region
  every_s     = each.value.every_s
  description = "Quakeslide: ${each.key}"

  http = try(each.value.function, null) == null ? null : {
    invoker_email = module.function[each.value.function].invoker_email
    timeout_s     = local.topology.functions[each.value.function].timeout_s
    uri           = module.function[each.value.function].uri
  }
  message = try(each.value.topic, null) == null ? null : {
    attributes = each.value.attributes
    data       = jsonencode(each.value.data)
    topic_id   = module.topic[each.value.topic].id
  }
}
