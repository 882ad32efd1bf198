"""The model server: TensorFlow Serving, and a local server that speaks the same API."""
