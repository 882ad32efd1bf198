variable "build_service_account" {
  description = "Full id of the account that builds the function, projects/P/serviceAccounts/A."
  type        = string

  validation {
    condition     = var.build_service_account != ""
    error_message = "build_service_account must not be empty."
  }
}

variable "bundle" {
  description = "Path of the function's zip."
  type        = string

  validation {
    condition     = endswith(var.bundle, ".zip") && fileexists(var.bundle)
    error_message = "bundle must be a zip that is there; run `make bundle`."
  }
}

variable "concurrency" {
  description = "Requests that one instance answers at a time."
  type        = number
  default     = 1

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000
    error_message = "An instance answers 1 to 1000 requests at a time."
  }
}

variable "docker_repository" {
  description = "Full id of the repository for the built image; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.docker_repository == null || var.docker_repository != ""
    error_message = "docker_repository must not be empty; null for Google's own."
  }
}

variable "entry_point" {
  description = "Name of the Python function in main.py."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.entry_point))
    error_message = "entry_point must be the name of a Python function."
  }
}

variable "environment" {
  description = "Settings. Secrets do not belong here, and the functions have none."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !contains(["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "FUNCTION_TARGET"], name)])
    error_message = "Settings have names of A-Z, 0-9 and underscore, and none of Cloud Run's own."
  }
}

variable "ingress" {
  description = "Who may reach the function at all; Pub/Sub and Scheduler of the same project count as internal."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"

  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.ingress)
    error_message = "ingress must be ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB; a function is never open to all."
  }
}

variable "kms_key" {
  description = "Key that encrypts source and image; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must look like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels of the function."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have keys and values of a-z, 0-9, dash and underscore, 63 at most; a key starts with a letter."
  }
}

variable "max_instances" {
  description = "Instances at most; what is over them is redelivered."
  type        = number

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100
    error_message = "max_instances must be 1 to 100."
  }
}

variable "memory_mb" {
  description = "Memory of an instance in MiB."
  type        = number

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 32768
    error_message = "A function has 256 to 32768 MiB."
  }
}

variable "name" {
  description = "Name of the function, and the start of its accounts' names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,20}[a-z0-9]$", var.name))
    error_message = "name must have 6 to 22 characters of a-z, 0-9 and dash: accounts NAME and NAME-invoke are named after it, 30 characters at most."
  }
}

variable "project" {
  description = "Project that owns the function."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "publishes" {
  description = "Full ids of the topics to which the function may publish, by a name known before apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id in values(var.publishes) : id != ""])
    error_message = "publishes must be full ids of topics."
  }
}

variable "pubsub_agent" {
  description = "Address of the project's Pub/Sub service agent, which signs pushes and takes undeliverable messages."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.gserviceaccount\\.com$", var.pubsub_agent))
    error_message = "pubsub_agent must be the address of a service agent, ...gserviceaccount.com."
  }
}

variable "reads" {
  description = "Buckets whose objects the function may read and list, by a name known before apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for bucket in values(var.reads) : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", bucket))])
    error_message = "reads must be names of buckets."
  }
}

variable "region" {
  description = "Region of the function."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a single region such as europe-west1."
  }
}

variable "source_bucket" {
  description = "Bucket for the function's zip."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.source_bucket))
    error_message = "source_bucket must be the name of a bucket."
  }
}

variable "subscriptions" {
  description = "Pushes to the function, by subscription name."
  type = map(object({
    ack_deadline_s = number
    dead_letter_id = string
    filter         = optional(string, "")
    max_attempts   = number
    max_backoff_s  = number
    min_backoff_s  = number
    topic_id       = string
    topic_name     = string
  }))
  default = {}

  validation {
    condition = alltrue([
      for wanted in var.subscriptions :
      wanted.ack_deadline_s >= 10 && wanted.ack_deadline_s <= 600 && wanted.ack_deadline_s > var.timeout_s
    ])
    error_message = "A push waits 10 to 600 s for its answer, and must wait longer than the function's timeout_s, or work is delivered twice."
  }

  validation {
    condition     = alltrue([for wanted in var.subscriptions : wanted.max_attempts >= 5 && wanted.max_attempts <= 100])
    error_message = "Pub/Sub allows 5 to 100 delivery attempts before the dead letter."
  }

  validation {
    condition = alltrue([
      for wanted in var.subscriptions :
      0 <= wanted.min_backoff_s && wanted.min_backoff_s <= wanted.max_backoff_s && wanted.max_backoff_s <= 600
    ])
    error_message = "Pub/Sub allows pauses of 0 to 600 s between attempts, the least not over the most."
  }
}

variable "timeout_s" {
  description = "Seconds after which a request is ended."
  type        = number

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 3600
    error_message = "An HTTP function runs 1 to 3600 s."
  }
}

variable "vpc" {
  description = "Serverless VPC connector and what goes through it (PRIVATE_RANGES_ONLY or ALL_TRAFFIC); null for none."
  type = object({
    connector = string
    egress    = string
  })
  default = null

  validation {
    condition     = var.vpc == null || contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], try(var.vpc.egress, ""))
    error_message = "vpc.egress must be PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "writes" {
  description = "Buckets whose objects the function may read, list, write and delete, by a name known before apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.reads), keys(var.writes))) == 0
    error_message = "A bucket is either read or written."
  }
}
