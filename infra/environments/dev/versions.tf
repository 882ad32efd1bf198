terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Bucket and prefix come from `make plan PROJECT=...`: -backend-config=bucket=PROJECT-terraform-state
  backend "gcs" {}
}
