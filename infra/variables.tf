variable "alert_emails" {
  description = "Addresses that are told when an alert opens."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails must be mail addresses."
  }
}

variable "backscatter" {
  description = "What composites hold: sigma0, or terrain-flattened gamma0_terrain_volume or gamma0_terrain_surface; published weights expect sigma0."
  type        = string
  default     = "sigma0"
  nullable    = false

  validation {
    condition     = contains(["sigma0", "gamma0_terrain_volume", "gamma0_terrain_surface"], var.backscatter)
    error_message = "backscatter must be sigma0, gamma0_terrain_volume or gamma0_terrain_surface."
  }
}

variable "billing_account" {
  description = "Billing account, 012345-6789AB-CDEF01, under which a budget is made; none is made where null."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account must look like 012345-6789AB-CDEF01."
  }
}

variable "bucket_prefix" {
  description = "Start of every bucket's name; the project's id where null."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_prefix == null || can(regex("^[a-z0-9][a-z0-9-]{1,50}$", var.bucket_prefix))
    error_message = "bucket_prefix must have 2 to 51 characters of a-z, 0-9 and dash."
  }
}

variable "bundle_folder" {
  description = "Folder with the functions' zips; build/bundles of the repository where null."
  type        = string
  default     = null

  validation {
    condition     = var.bundle_folder == null || try(length(fileset(coalesce(var.bundle_folder, "."), "*.zip")) > 0, false)
    error_message = "bundle_folder must hold the functions' zips; run `make bundle`."
  }
}

variable "data_notice" {
  description = "Sentence copied into every product, such as a test system's EXERCISE; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.data_notice) <= 300 && !strcontains(var.data_notice, "\n")
    error_message = "data_notice must be one line of at most 300 characters: it is drawn into every picture."
  }
}

variable "earth_engine_project_role" {
  description = "Role with which the exporter may use Earth Engine."
  type        = string
  default     = "roles/earthengine.writer"

  validation {
    condition     = startswith(var.earth_engine_project_role, "roles/earthengine.") || can(regex("^(projects|organizations)/[^/]+/roles/", var.earth_engine_project_role))
    error_message = "earth_engine_project_role must be one of roles/earthengine.* or a role of your own."
  }
}

variable "eecu_hours_per_day" {
  description = "Earth Engine compute time, in EECU hours, that all exports started on one day may use; an alert opens at 80 % of it."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.eecu_hours_per_day > 0
    error_message = "eecu_hours_per_day must be positive."
  }
}

variable "eecu_hours_per_event" {
  description = "Earth Engine compute time, in EECU hours, that the exports of one event may use; later ones wait for a person."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.eecu_hours_per_event > 0
    error_message = "eecu_hours_per_event must be positive."
  }
}

variable "feed_url" {
  description = "USGS summary feed, one magnitude step below the threshold; the function's default where null."
  type        = string
  default     = null

  validation {
    condition     = var.feed_url == null || startswith(coalesce(var.feed_url, "https://"), "https://")
    error_message = "feed_url must start with https://."
  }
}

variable "force_destroy" {
  description = "Whether `destroy` deletes buckets with what is in them. Only for systems whose results nobody needs."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "Key in the same region that encrypts buckets, topics, functions and model server; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must look like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels of everything that has labels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have keys and values of a-z, 0-9, dash and underscore, 63 at most; a key starts with a letter."
  }
}

variable "mask_buffer_m" {
  description = "Pixels within so many metres of layover or shadow count as such."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.mask_buffer_m >= 0 && var.mask_buffer_m <= 500 && floor(var.mask_buffer_m) == var.mask_buffer_m
    error_message = "mask_buffer_m must be a whole number of 0 to 500."
  }
}

variable "model_folder" {
  description = "Folder with SavedModels, NAME/VERSION/card.json; build/models of the repository where null. It must be what the image was made of."
  type        = string
  default     = null

  validation {
    condition     = var.model_folder == null || var.model_folder != ""
    error_message = "model_folder must not be empty; null for build/models."
  }
}

variable "model_label" {
  description = "Which version of a model is asked: stable or canary, as in serving/models.config; the newest if empty."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = contains(["", "stable", "canary"], var.model_label)
    error_message = "model_label must be stable, canary or empty."
  }
}

variable "model_server" {
  description = "The model server: image by digest, CPUs, GiB, GPU or null, instances, Google's sidecar for its metrics (empty for none)."
  type = object({
    cpu           = optional(number, 4)
    gpu           = optional(string)
    image         = string
    max_instances = optional(number, 4)
    memory_gb     = optional(number, 4)
    metrics_image = optional(string, "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.3.0")
    min_instances = optional(number, 0)
  })

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.model_server.image))
    error_message = "model_server.image must be given by digest, HOST/PROJECT/REPOSITORY/IMAGE@sha256:..., so that what runs is what was built."
  }
}

variable "monthly_budget" {
  description = "Whole units of the billing account's currency a month of which the budget tells 50, 90 and 100 %."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget >= 1 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "monthly_budget must be a whole number of at least 1."
  }
}

variable "project" {
  description = "Project that holds everything; one project holds one system, because topics have fixed names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "public_results" {
  description = "Whether anyone may read the results bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "region" {
  description = "Region of everything, such as europe-west1. Earth Engine reads and writes any; a GPU is offered in few."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a single region such as europe-west1: functions, schedules and the model server live in one."
  }
}

variable "result_readers" {
  description = "Members, such as group:responders@example.org, that may read results and subscribe to them."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.result_readers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "result_readers must be members such as group:responders@example.org; for everybody there is public_results."
  }
}

variable "retiring_subscriptions" {
  description = "Former subscriptions that still push what they hold, until they are empty: topic, function and filter as they were, by name. See README.md, Upgrades."
  type = map(object({
    filter   = optional(string, "")
    function = string
    topic    = string
  }))
  default = {}

  validation {
    condition     = length(setintersection(keys(var.retiring_subscriptions), keys(jsondecode(file("${path.module}/topology.json")).subscriptions))) == 0
    error_message = "A retiring subscription must not have the name of one in topology.json."
  }
}

variable "rule" {
  description = "Which earthquakes are taken: default, or sensitive (smaller and deeper ones too)."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = contains(["default", "sensitive"], var.rule)
    error_message = "rule must be default or sensitive."
  }
}

variable "shard_days" {
  description = "Days for which composites' shards are kept; a stage can be scored anew so long."
  type        = number
  default     = 180
  nullable    = false

  validation {
    condition     = var.shard_days >= 90
    error_message = "shard_days must be at least 90: the longest stage ends 60 days after the event and is frozen 14 days later."
  }
}

variable "stages" {
  description = "Ladder of stages, comma separated."
  type        = string
  default     = "60-12,60-24,60-48,60-60"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{1,3}-[0-9]{1,3}(,[0-9]{1,3}-[0-9]{1,3})*$", var.stages))
    error_message = "stages must look like 60-12,60-24."
  }
}

variable "vpc_connector" {
  description = "Serverless VPC connector for outgoing traffic, projects/P/locations/L/connectors/C; makes the model server internal. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_connector == null || can(regex("^projects/[^/]+/locations/[^/]+/connectors/[^/]+$", var.vpc_connector))
    error_message = "vpc_connector must look like projects/P/locations/L/connectors/C."
  }
}
