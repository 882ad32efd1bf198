"""TensorFlow Serving's gRPC and REST API over the same SavedModels, for machines without `tensorflow_model_server`.

Behaviour and error texts follow the sources of TensorFlow Serving (github.com/tensorflow/serving, tensorflow_serving/...).
What it does not do is refused by name: Classify, Regress, MultiInference, configuration reload, string tensors in JSON.
"""
