"""What a model is worth: measures, their spread, calibration, detections on a map, and the tables of the paper beside ours."""
