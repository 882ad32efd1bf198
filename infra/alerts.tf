# Alert policies. Each key is a section of the runbook in README.md: what it means and what to do.

locals {
  runbook = "Runbook: infra/README.md, section"

  # Log-based metric names go through the resource, so that an alert waits for its metric.
  log_metric = { for name, made in google_logging_metric.this : name => "logging.googleapis.com/user/${made.name}" }

  of_revision = "resource.type=\"cloud_run_revision\""

  counted = { for name, type in local.log_metric : name => {
    filter  = "metric.type=\"${type}\" AND ${local.of_revision}"
    aligner = "ALIGN_DELTA"
    reducer = "REDUCE_SUM"
  } }

  # period_s: over how long values are gathered; for_s: how long the condition must hold; missing: what no data means.
  alerts = {
    poller-heartbeat = {
      severity   = "CRITICAL"
      says       = "No successful poll of the earthquake feed for ten minutes."
      series     = local.counted["polls"]
      comparison = "COMPARISON_LT"
      threshold  = 1
      period_s   = 600
      for_s      = 60
      missing    = "EVALUATION_MISSING_DATA_ACTIVE"
    }
    feed-down = {
      severity   = "WARNING"
      says       = "The USGS feed could not be read in half of the polls of 15 minutes."
      series     = local.counted["feed_errors"]
      comparison = "COMPARISON_GT"
      threshold  = 7
      period_s   = 900
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    sweep-heartbeat = {
      severity   = "CRITICAL"
      says       = "No sweep over the open watches for three hours: nothing is followed up."
      series     = local.counted["sweeps"]
      comparison = "COMPARISON_LT"
      threshold  = 1
      period_s   = 10800
      for_s      = 60
      missing    = "EVALUATION_MISSING_DATA_ACTIVE"
    }
    watch-overdue = {
      severity   = "WARNING"
      says       = "A watch is still open two days after its last stage froze."
      series     = local.counted["watches_overdue"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 7200
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    delivery-overdue = {
      severity = "CRITICAL"
      says     = "A message has waited for two hours to be handled: a watch or a composite is overdue."
      series = {
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(",", [for name in sort(keys(local.subscriptions)) : "\"${name}\""])})"
        aligner = "ALIGN_MAX"
        reducer = "REDUCE_MAX"
      }
      comparison = "COMPARISON_GT"
      threshold  = 7200
      period_s   = 300
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    dead-letter = {
      severity = "ERROR"
      says     = "A message was given up, or was malformed: a dead-letter subscription is not empty."
      series = {
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(",", [for dead in sort(values(local.topology.dead_letters)) : "\"${dead}-inspect\""])})"
        aligner = "ALIGN_MAX"
        reducer = "REDUCE_SUM"
      }
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 300
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    permanent-error = {
      severity   = "ERROR"
      says       = "Something about an event will not heal by itself: an export, a composite, a model or a request."
      series     = local.counted["permanent_errors"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 300
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    unreadable-document = {
      severity   = "CRITICAL"
      says       = "A stored document is of a later release or damaged: what it is about waits, unchanged."
      series     = local.counted["documents_unreadable"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 300
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    export-failures = {
      severity   = "ERROR"
      says       = "A composite will not be made: Earth Engine refused it, or ended all its exports without success."
      series     = local.counted["exports_given_up"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 3600
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    export-deferred = {
      severity   = "WARNING"
      says       = "Exports wait because compute time for the event or the day is used up."
      series     = local.counted["exports_deferred"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 3600
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    export-queue-full = {
      severity   = "WARNING"
      says       = "Earth Engine has refused new exports for six hours because its queue is full."
      series     = local.counted["export_queue_full"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 3600
      for_s      = 21600
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    result-age = {
      severity   = "ERROR"
      says       = "Composites lie exported and their maps do not come: three or more were asked for again within two hours."
      series     = local.counted["redrives"]
      comparison = "COMPARISON_GT"
      threshold  = 2
      period_s   = 7200
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    stuck = {
      severity   = "ERROR"
      says       = "A composite lies exported and its map never came, though it was asked for five times."
      series     = local.counted["stuck"]
      comparison = "COMPARISON_GT"
      threshold  = 0
      period_s   = 3600
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    earth-engine-spend = {
      severity = "WARNING"
      says     = "Earth Engine computed 80 % of what exports may use in a day (eecu_hours_per_day)."
      series = {
        filter  = "metric.type=\"earthengine.googleapis.com/project/cpu/usage_time\" AND resource.type=\"earthengine.googleapis.com/Project\""
        aligner = "ALIGN_DELTA"
        reducer = "REDUCE_SUM"
      }
      comparison = "COMPARISON_GT"
      threshold  = var.eecu_hours_per_day * 3600 * 0.8
      period_s   = 86400
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    model-server-errors = {
      severity = "ERROR"
      says     = "The detector gave up calling the model server five times within 15 minutes."
      series = merge(local.counted["transient_errors"], {
        filter = "${local.counted["transient_errors"].filter} AND metric.labels.code=\"model_unavailable\""
      })
      comparison = "COMPARISON_GT"
      threshold  = 4
      period_s   = 900
      for_s      = 0
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
    model-server-latency = {
      severity = "WARNING"
      says     = "One in twenty calls of the model server took longer than 30 s, half of the detector's patience, for 15 minutes."
      series = {
        filter  = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.of_revision} AND resource.labels.service_name=\"${module.model_server.name}\""
        aligner = "ALIGN_PERCENTILE_95"
        reducer = "REDUCE_MAX"
      }
      comparison = "COMPARISON_GT"
      threshold  = 30000
      period_s   = 300
      for_s      = 900
      missing    = "EVALUATION_MISSING_DATA_INACTIVE"
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project
  display_name = "Quakeslide: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project
  display_name          = "quakeslide ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]
  user_labels           = local.labels

  conditions {
    display_name = each.value.says

    condition_threshold {
      filter                  = each.value.series.filter
      comparison              = each.value.comparison
      threshold_value         = each.value.threshold
      duration                = "${each.value.for_s}s"
      evaluation_missing_data = each.value.for_s < 60 ? null : each.value.missing # refused for shorter durations

      aggregations {
        alignment_period     = "${each.value.period_s}s"
        per_series_aligner   = each.value.series.aligner
        cross_series_reducer = each.value.series.reducer
      }
    }
  }

  # A heartbeat's series ends when the last instance does: an absent series is as bad as a low one.
  dynamic "conditions" {
    for_each = each.value.missing == "EVALUATION_MISSING_DATA_ACTIVE" ? [each.value] : []

    content {
      display_name = "${conditions.value.says} (nothing at all)"

      condition_absent {
        filter   = conditions.value.series.filter
        duration = "${conditions.value.period_s}s"

        aggregations {
          alignment_period     = "60s"
          per_series_aligner   = conditions.value.series.aligner
          cross_series_reducer = conditions.value.series.reducer
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Quakeslide: ${each.key}"
    content   = "${each.value.says}\n\n${local.runbook} `${each.key}`."
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_billing_budget" "this" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "quakeslide ${var.project}"

  amount {
    specified_amount {
      units = tostring(var.monthly_budget)
    }
  }

  budget_filter {
    projects = ["projects/${local.number}"]
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  dynamic "all_updates_rule" {
    for_each = length(var.alert_emails) == 0 ? [] : [true]

    content {
      monitoring_notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]
    }
  }
}
