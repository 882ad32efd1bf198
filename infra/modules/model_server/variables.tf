variable "cpu" {
  description = "vCPUs of an instance; a GPU wants 4 at least."
  type        = number
  default     = 4

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.cpu)
    error_message = "Cloud Run gives 1, 2, 4, 6 or 8 vCPUs."
  }
}

variable "gpu" {
  description = "Accelerator such as nvidia-l4, or null for CPU."
  type        = string
  default     = null

  validation {
    condition     = var.gpu == null || (var.cpu >= 4 && var.memory_gb >= 16)
    error_message = "An instance with a GPU needs at least 4 vCPUs and 16 GB."
  }
}

variable "image" {
  description = "TensorFlow Serving image with the project's models, by digest."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9./_-]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be given by digest, HOST/PROJECT/REPOSITORY/IMAGE@sha256:..., so that what runs is what was built."
  }
}

variable "internal_only" {
  description = "Whether only the project's own networks reach the server; the caller must then send its traffic through a VPC."
  type        = bool
  default     = false
}

variable "invokers" {
  description = "Members that may call the server, by a name known before apply."
  type        = map(string)
}

variable "kms_key" {
  description = "Key that encrypts the deployed image; Google's own where null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the service."
  type        = map(string)
  default     = {}
}

variable "max_instances" {
  description = "Instances at most."
  type        = number
  default     = 4
}

variable "memory_gb" {
  description = "Memory of an instance in GiB."
  type        = number
  default     = 4

  validation {
    condition     = var.memory_gb >= 2 && var.memory_gb <= 32
    error_message = "memory_gb must be 2 to 32."
  }
}

variable "min_instances" {
  description = "Instances kept running; 0 costs nothing between earthquakes and a start of some seconds at the first tile."
  type        = number
  default     = 0

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances
    error_message = "min_instances must be 0 to max_instances."
  }
}

variable "name" {
  description = "Name of the service and of its account."
  type        = string
}

variable "project" {
  description = "Project that owns the service."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}
