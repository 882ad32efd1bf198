# Copy to terraform.tfvars (not in version control) and fill in what you want; project, region and image come from make.
alert_emails    = ["on-call@example.org"]
billing_account = "012345-6789AB-CDEF01"
result_readers  = ["group:responders@example.org"]
# rule               = "sensitive"                        # smaller and deeper earthquakes too
# eecu_hours_per_day = 100                                # Earth Engine compute time; variables.tf has the rest
# model_server_size  = { max_instances = 4 }
