"""TensorFlow Serving over gRPC, without TensorFlow in this process.

Of `tensorflow-serving-api` only the ten generated message modules are needed that Predict and GetModelStatus use. They lie beside the
library in the function's zip (see `functions/bundle.py`). The `*_pb2_grpc` modules would pull in TensorFlow; a channel's
`unary_unary` needs none. https://www.tensorflow.org/tfx/serving/api_rest and `prediction_service.proto` name the methods.
"""

from quakeslide.adapters.tf_serving.client import MODEL_STATUS, PREDICT, TfServing

__all__ = ["MODEL_STATUS", "PREDICT", "TfServing"]
