variable "dead_letter" {
  description = "Name of the topic for what could not be delivered, with a subscription of its own; null for none."
  type        = string
  default     = null
}

variable "kms_key" {
  description = "Key that encrypts messages; Google's own where null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of topics and subscriptions."
  type        = map(string)
  default     = {}
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
}

variable "pubsub_agent" {
  description = "Address of the project's Pub/Sub service agent, which moves undeliverable messages to the dead letter."
  type        = string
}

variable "regions" {
  description = "Regions in which messages may be stored; wherever the organisation allows where empty."
  type        = set(string)
  default     = []
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
}
