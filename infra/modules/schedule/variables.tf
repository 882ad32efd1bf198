variable "description" {
  description = "What the schedule is for."
  type        = string

  validation {
    condition     = length(var.description) <= 500
    error_message = "Cloud Scheduler takes descriptions of 500 characters."
  }
}

variable "every_s" {
  description = "Seconds from one run to the next: whole minutes that divide an hour, or whole hours that divide a day."
  type        = number

  validation {
    condition = (
      var.every_s >= 60 && var.every_s % 60 == 0 &&
      (var.every_s < 3600 ? 3600 % var.every_s == 0 : var.every_s % 3600 == 0 && 86400 % var.every_s == 0)
    )
    error_message = "every_s must be whole minutes that divide an hour or whole hours that divide a day."
  }
}

variable "http" {
  description = "Function to call: its address, the account that may call it, and how long it may take; null to publish instead."
  type = object({
    invoker_email = string
    timeout_s     = number
    uri           = string
  })
  default = null

  validation {
    condition     = var.http == null || (try(var.http.timeout_s, 0) >= 15 && try(var.http.timeout_s, 0) <= 1800)
    error_message = "Cloud Scheduler waits 15 to 1800 s for an answer."
  }
}

variable "message" {
  description = "Message to publish: topic id, data and attributes; null to call a function instead."
  type = object({
    attributes = map(string)
    data       = string
    topic_id   = string
  })
  default = null

  validation {
    condition     = (var.message == null) != (var.http == null)
    error_message = "Give exactly one of http and message."
  }
}

variable "name" {
  description = "Name of the schedule."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,500}$", var.name))
    error_message = "name must have letters, digits, dash and underscore only."
  }
}

variable "project" {
  description = "Project that owns the schedule."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "region" {
  description = "Region of the schedule."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a single region such as europe-west1."
  }
}
