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
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Region or multi-region of the bucket."
  type        = string
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
}

variable "project" {
  description = "Project that owns the bucket."
  type        = string
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
}

variable "storage_agent" {
  description = "Address of the project's Cloud Storage service agent, which publishes the notifications."
  type        = string
}

variable "versioned" {
  description = "How long replaced or deleted objects are kept; null keeps none."
  type        = object({ keep_days = number })
  default     = null
}

