variable "alert_emails" {
  description = "Addresses that are told when an alert opens."
  type        = set(string)
  default     = []
}

variable "billing_account" {
  description = "Billing account under which a budget is made; none is made where null."
  type        = string
  default     = null
}

variable "model_server_image" {
  description = "TensorFlow Serving image with the project's models, by digest; `make deploy` builds it and fills this in."
  type        = string
}

variable "project" {
  description = "Project that holds everything."
  type        = string
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
    function = string
    topic    = string
  }))
  default = {}
}
