variable "dead_letter" {
  description = "Name of the topic for what could not be delivered, with a subscription of its own; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter == null || can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,246}$", var.dead_letter))
    error_message = "dead_letter must be a topic's name of at most 247 characters: its subscription is called NAME-inspect."
  }
}

variable "kms_key" {
  description = "Key that encrypts messages; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must look like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels of topics and subscriptions."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have keys and values of a-z, 0-9, dash and underscore, 63 at most; a key starts with a letter."
  }
}

variable "name" {
  description = "Name of the topic."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.name)) && !startswith(var.name, "goog")
    error_message = "A topic's name starts with a letter, has 3 to 255 characters and does not start with goog."
  }
}

variable "project" {
  description = "Project that owns the topic."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "pubsub_agent" {
  description = "Address of the project's Pub/Sub service agent, which moves undeliverable messages to the dead letter."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.gserviceaccount\\.com$", var.pubsub_agent))
    error_message = "pubsub_agent must be the address of a service agent, ...gserviceaccount.com."
  }
}

variable "regions" {
  description = "Regions in which messages may be stored; wherever the organisation allows where empty."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for region in var.regions : can(regex("^[a-z]+-[a-z]+[0-9]+$", region))])
    error_message = "regions must be single regions such as europe-west1."
  }
}

variable "retention_days" {
  description = "Days for which the topic keeps all messages, so that a new subscription can be wound back."
  type        = number
  default     = 7

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 31
    error_message = "Pub/Sub keeps messages for 1 to 31 days (10 minutes at least; we take days)."
  }
}

variable "schema" {
  description = "Schema that every message must fit, or null. A topic that carries several kinds, or storage notifications, has none."
  type = object({
    definition = string
    encoding   = optional(string, "JSON")
    type       = string
  })
  default = null

  validation {
    condition     = var.schema == null || contains(["AVRO", "PROTOCOL_BUFFER"], try(var.schema.type, ""))
    error_message = "schema.type must be AVRO or PROTOCOL_BUFFER."
  }

  validation {
    condition     = var.schema == null || contains(["JSON", "BINARY"], try(var.schema.encoding, ""))
    error_message = "schema.encoding must be JSON or BINARY."
  }
}

variable "subscribers" {
  description = "Members that may attach subscriptions of their own to the topic, by a name known before apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.subscribers) : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "subscribers must be members such as group:responders@example.org, never everybody."
  }
}
