variable "alert_emails" {
  description = "Addresses that are told when an alert opens."
  type        = set(string)
  default     = []
}

variable "backscatter" {
  description = "What composites hold: sigma0, or terrain-flattened gamma0_terrain_volume or gamma0_terrain_surface; published weights expect sigma0."
  type        = string
  default     = null # the system's own default
}

variable "billing_account" {
  description = "Billing account under which a budget is made; none is made where null."
  type        = string
  default     = null
}

variable "eecu_hours_per_day" {
  description = "Earth Engine compute time, in EECU hours, that all exports started on one day may use; an alert opens at 80 % of it."
  type        = number
  default     = null # the system's own default
}

variable "eecu_hours_per_event" {
  description = "Earth Engine compute time, in EECU hours, that the exports of one event may use; later ones wait for a person."
  type        = number
  default     = null # the system's own default
}

variable "feed_url" {
  description = "USGS summary feed, one magnitude step below the threshold; the function's default where null."
  type        = string
  default     = null # the system's own default
}

variable "kms_key" {
  description = "Key in the same region that encrypts buckets, topics, functions and model server; Google's own where null."
  type        = string
  default     = null # the system's own default
}

variable "mask_buffer_m" {
  description = "Pixels within so many metres of layover or shadow count as such."
  type        = number
  default     = null # the system's own default
}

variable "model_label" {
  description = "Which version of a model is asked: stable or canary, as in serving/models.config; the newest if empty."
  type        = string
  default     = null # the system's own default
}

variable "model_server_image" {
  description = "TensorFlow Serving image with the project's models, by digest; `make deploy` builds it and fills this in."
  type        = string
}

variable "model_server_size" {
  description = "CPUs, GiB, GPU or null, instances and metrics' sidecar of the model server, as in ../../variables.tf."
  type = object({
    cpu           = optional(number, 4)
    gpu           = optional(string)
    max_instances = optional(number, 8)
    memory_gb     = optional(number, 4)
    metrics_image = optional(string)
    min_instances = optional(number, 0)
  })
  default = {}
}

variable "project" {
  description = "Project that holds everything."
  type        = string
}

variable "public_results" {
  description = "Whether anyone may read the results bucket."
  type        = bool
  default     = null # the system's own default
}

variable "region" {
  description = "Region of everything."
  type        = string
}

variable "result_readers" {
  description = "Members that may read results and subscribe to them."
  type        = set(string)
  default     = []
}

variable "retiring_subscriptions" {
  description = "Former subscriptions that still push what they hold, until they are empty."
  type = map(object({
    filter   = optional(string, "")
    function = string
    topic    = string
  }))
  default = {}
}

variable "rule" {
  description = "Which earthquakes are taken: default, or sensitive (smaller and deeper ones too)."
  type        = string
  default     = null # the system's own default
}

variable "shard_days" {
  description = "Days for which composites' shards are kept; a stage can be scored anew so long."
  type        = number
  default     = null # the system's own default
}

variable "stages" {
  description = "Ladder of stages, comma separated."
  type        = string
  default     = null # the system's own default
}

variable "vpc_connector" {
  description = "Serverless VPC connector for outgoing traffic, projects/P/locations/L/connectors/C; makes the model server internal. Null for none."
  type        = string
  default     = null # the system's own default
}
