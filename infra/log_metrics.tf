# Numbers from the functions' JSON log lines. Every `message` is a constant of the code (tests/contract/test_operations.py holds
# the two together); `code` is an error's code in functions/quakeslide/errors.py.

locals {
  from_functions = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for name in sort(keys(local.topology.functions)) : "\"${replace(name, "_", "-")}\""])})"

  log_metrics = {
    polls = {
      what   = "Successful polls of the earthquake feed"
      filter = "jsonPayload.message=\"poll\""
      labels = []
    }
    feed_errors = {
      what = "Polls that failed because the USGS feed could not be read"
      # The error's name, wherever it stands: in a field of a line, or in a traceback.
      filter = "resource.labels.service_name=\"poll-earthquakes\" AND \"FeedUnavailable\""
      labels = []
    }
    sweeps = {
      what   = "Sweeps over the open watches"
      filter = "jsonPayload.message=\"sweep\""
      labels = []
    }
    announcements = {
      what   = "Earthquakes announced, revised, cancelled"
      filter = "jsonPayload.message=\"told\""
      labels = ["kind"]
    }
    exports_started = {
      what   = "Exports started in Earth Engine"
      filter = "jsonPayload.message=\"export started\""
      labels = ["stage"]
    }
    exports_failed = {
      what   = "Exports that Earth Engine ended without success; three attempts are made"
      filter = "jsonPayload.message=\"export ended\" AND jsonPayload.state!=\"succeeded\""
      labels = ["state"]
    }
    exports_given_up = {
      what   = "Composites that Earth Engine will not make, after all attempts or by refusal"
      filter = "jsonPayload.message=\"export given up\""
      labels = []
    }
    exports_deferred = {
      what   = "Exports put off because the event's or the day's share of compute time is used up"
      filter = "jsonPayload.message=\"export deferred\""
      labels = []
    }
    export_queue_full = {
      what   = "Exports put off because Earth Engine's queue is full"
      filter = "jsonPayload.message=\"export queue is full\""
      labels = []
    }
    cells_scored = {
      what   = "Cells scored by the model server"
      filter = "jsonPayload.message=\"cell scored\""
      labels = []
    }
    detections_written = {
      what   = "Maps of landslides written"
      filter = "jsonPayload.message=\"detections written\""
      labels = []
    }
    redrives = {
      what   = "Exported composites without products after 15 minutes, asked for again"
      filter = "jsonPayload.message=\"products are missing: rescan sent\""
      labels = []
    }
    stuck = {
      what   = "Exported composites whose products never came"
      filter = "jsonPayload.message=\"products are stuck\""
      labels = []
    }
    watches_overdue = {
      what   = "Looks at watches that should have ended two days ago or earlier"
      filter = "jsonPayload.message=\"watch overdue\""
      labels = []
    }
    permanent_errors = {
      what   = "Errors that no retry will heal"
      filter = "jsonPayload.message=\"permanent error\""
      labels = ["code"]
    }
    documents_unreadable = {
      what   = "Stored documents that were met and could not be read"
      filter = "jsonPayload.code=(\"newer_document\" OR \"damaged_document\")"
      labels = ["code"]
    }
    malformed_messages = {
      what   = "Messages put on a dead-letter topic by the functions themselves"
      filter = "jsonPayload.message=\"malformed message\""
      labels = []
    }
    transient_errors = {
      what   = "Errors that are retried"
      filter = "jsonPayload.message=\"transient error\""
      labels = ["code"]
    }
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  name             = "quakeslide/${each.key}"
  project          = var.project
  description      = each.value.what
  filter           = "${local.from_functions} AND ${each.value.filter}"
  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = each.value.what

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }
}
