variable "expire_days" {
  description = "Days after which current objects under a prefix are deleted, by prefix. What is not named is kept."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for prefix, days in var.expire_days : endswith(prefix, "/") && days >= 1])
    error_message = "Each key of expire_days must be a prefix ending in / and each value at least one day."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket deletes what is in it."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "Key that encrypts new objects, projects/P/locations/L/keyRings/R/cryptoKeys/K; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must look like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have keys and values of a-z, 0-9, dash and underscore, 63 at most; a key starts with a letter."
  }
}

variable "location" {
  description = "Region or multi-region of the bucket."
  type        = string

  validation {
    condition     = can(regex("^([a-z]+-[a-z]+[0-9]+|US|EU|ASIA)$", var.location))
    error_message = "location must be a region such as europe-west1, or US, EU or ASIA."
  }
}

variable "name" {
  description = "Globally unique name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 characters of a-z, 0-9, dot, dash and underscore, and starts and ends with a letter or digit."
  }
}

variable "notifications" {
  description = "Messages about the bucket's objects, by topic name: the topic's full id, the prefix of the objects and which events."
  type = map(object({
    events   = set(string)
    prefix   = string
    topic_id = string
  }))
  default = {}

  validation {
    condition     = alltrue([for wanted in values(var.notifications) : endswith(wanted.prefix, "/") && length(setsubtract(wanted.events, ["OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"])) == 0])
    error_message = "A notification has a prefix ending in / and events of Cloud Storage such as OBJECT_FINALIZE."
  }
}

variable "project" {
  description = "Project that owns the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "public" {
  description = "Whether anyone may read the objects. The only way in which anything of this system becomes public."
  type        = bool
  default     = false
}

variable "readers" {
  description = "Members that may read and list objects, by a name known before apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.readers) : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "readers must be members such as group:responders@example.org, never everybody."
  }
}

variable "storage_agent" {
  description = "Address of the project's Cloud Storage service agent, which publishes the notifications."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.gserviceaccount\\.com$", var.storage_agent))
    error_message = "storage_agent must be the address of a service agent, ...gserviceaccount.com."
  }
}

variable "versioned" {
  description = "How long replaced or deleted objects are kept; null keeps none."
  type        = object({ keep_days = number })
  default     = null

  validation {
    condition     = var.versioned == null || try(var.versioned.keep_days, 0) >= 1
    error_message = "versioned.keep_days must be at least one day."
  }
}

