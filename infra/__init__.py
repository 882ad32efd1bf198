"""Infrastructure: Terraform for the cloud and, in `infra.local`, the same topology as ordinary processes."""
