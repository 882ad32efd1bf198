variable "cpu" {
  description = "vCPUs of an instance; a GPU wants 4 at least."
  type        = number
  default     = 4

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.cpu)
    error_message = "Cloud Run gives 1, 2, 4, 6 or 8 vCPUs."
  }

  validation {
    condition     = var.metrics == null || var.cpu < 8
    error_message = "An instance has 8 vCPUs at most and the metrics' sidecar takes one of them: cpu = 6, or metrics = null."
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

  validation {
    condition     = alltrue([for member in values(var.invokers) : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "invokers must be members such as group:responders@example.org, never everybody."
  }
}

variable "kms_key" {
  description = "Key that encrypts the deployed image; Google's own where null."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must look like projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels of the service."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have keys and values of a-z, 0-9, dash and underscore, 63 at most; a key starts with a letter."
  }
}

variable "max_instances" {
  description = "Instances at most."
  type        = number
  default     = 4

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100
    error_message = "max_instances must be 1 to 100."
  }
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

variable "metrics" {
  description = "Image of the sidecar that collects metrics and the path it reads, as in serving/monitoring.config; none where null."
  type = object({
    image = string
    path  = string
  })
  default = null

  validation {
    condition     = var.metrics == null || can(regex("^[a-z0-9./_-]+(:[0-9][0-9.]*|@sha256:[0-9a-f]{64})$", var.metrics.image))
    error_message = "metrics.image must name a version or a digest, never latest."
  }

  validation {
    condition     = var.metrics == null || can(regex("^/[a-z/_-]+$", var.metrics.path))
    error_message = "metrics.path must be a path such as /monitoring/prometheus/metrics."
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

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.name))
    error_message = "name must have 6 to 30 characters of a-z, 0-9 and dash: a service account is named so too."
  }
}

variable "project" {
  description = "Project that owns the service."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 characters of a-z, 0-9 and dash."
  }
}

variable "region" {
  description = "Region of the service."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a single region such as europe-west1."
  }
}
