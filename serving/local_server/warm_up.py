"""Requests that lie in a SavedModel and are run when it is loaded, after saved_model_warmup.cc of TensorFlow Serving."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.local_server.binding import bind, output_aliases
from serving.local_server.errors import invalid
from serving.local_server.servable import Servable

FILE = Path("assets.extra/tf_serving_warmup_requests")
MAX_REQUESTS = 1000  # saved_model_warmup_util.h, WarmupConsts
DEFAULT_SIGNATURE = "serving_default"


def warm_up(servable: Servable, folder: Path) -> int:
    """Run the requests that lie in a SavedModel's folder; return how many there were.

    Raises:
        Refusal: a request is not Predict or fails, or they are too many; TensorFlow Serving, too, does not serve such a version.
    """
    file = folder / FILE
    if not file.is_file():
        return 0
    count = 0
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        count += 1
        if count > MAX_REQUESTS:
            raise invalid(f"Number of warmup records exceeds the maximum ({MAX_REQUESTS}) at {file}")
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.WhichOneof("log_type") != "predict_log":
            raise invalid(
                f"Unsupported log_type for warmup: {log.WhichOneof('log_type')}; this local server knows predict only"
            )
        request = log.predict_log.request
        key = request.model_spec.signature_name or DEFAULT_SIGNATURE
        if key not in servable.signatures:
            raise invalid(f'warmup request {count}: signature "{key}" not found')
        signature = servable.signatures[key]
        servable.run(
            bind(signature, request), [signature.outputs[alias].name for alias in output_aliases(signature, request)]
        )
    return count
