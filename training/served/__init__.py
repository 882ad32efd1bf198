"""From a model folder to what TensorFlow Serving loads: the graph of tiles and windows, its precision, batches and warm-up."""
