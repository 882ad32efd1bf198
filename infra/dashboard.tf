# One page from the feed to the map, in the order in which an event passes.

locals {
  charts = [
    { title = "Polls of the feed, and failures", series = [local.counted["polls"], local.counted["feed_errors"]] },
    { title = "Earthquakes told", series = [local.counted["announcements"]] },
    { title = "Sweeps", series = [local.counted["sweeps"]] },
    { title = "Oldest message waiting (s)", series = [local.alerts["delivery-overdue"].series] },
    { title = "Dead letters", series = [local.alerts["dead-letter"].series] },
    { title = "Exports started; queue full, deferred, failed", series = [local.counted["exports_started"], local.counted["export_queue_full"], local.counted["exports_deferred"], local.counted["exports_failed"]] },
    { title = "Earth Engine compute time (EECU s)", series = [local.alerts["earth-engine-spend"].series] },
    { title = "Cells scored; maps written", series = [local.counted["cells_scored"], local.counted["detections_written"]] },
    { title = "Products asked for again", series = [local.counted["redrives"]] },
    { title = "Model server: 95th percentile (ms)", series = [local.alerts["model-server-latency"].series] },
    { title = "Transient errors; unreadable documents", series = [local.counted["transient_errors"], local.counted["documents_unreadable"]] },
    { title = "Permanent errors; malformed messages", series = [local.counted["permanent_errors"], local.counted["malformed_messages"]] },
  ]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = "Quakeslide"
    mosaicLayout = {
      columns = 12
      tiles = [for index, chart in local.charts : {
        xPos   = index % 3 * 4
        yPos   = floor(index / 3) * 4
        width  = 4
        height = 4
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [for series in chart.series : {
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = series.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = series.aligner
                    crossSeriesReducer = series.reducer
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })
}
