"""One version of a model, loaded and run as TensorFlow Serving does: the SavedModel's graph in a session."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.local_server.batching import Batching
from serving.local_server.errors import CODES_BY_NUMBER, Refusal

SERVE_TAG = "serve"
SIGNATURE_METHODS = {"tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress"}


class Servable:
    """A loaded version.

    Attributes:
        name, version: what it is served under.
        signatures: the SavedModel's, by name.
        warm_up_requests: how many were run after loading.
        is_batched: whether requests may wait for others to run with.
    """

    def __init__(self, name: str, version: int, path: Path, parallelism: int, batching: Batching | None = None) -> None:
        """Load a SavedModel.

        Args:
            name: of the model.
            version: of the model.
            path: the folder of `saved_model.pb`.
            parallelism: threads of the session, 0 for one per core.
            batching: says whether its requests are joined; None: they are not.

        Raises:
            ValueError: the version's parameters of batching cannot be used.
        """
        self.name = name
        self.version = version
        self.warm_up_requests = 0
        threads = config_pb2.ConfigProto(
            intra_op_parallelism_threads=parallelism, inter_op_parallelism_threads=parallelism
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=threads)
        with self._session.graph.as_default():
            # Not `tf.saved_model.load`: TensorFlow Serving, too, sees nothing but graph, variables and signatures.
            meta = tf.compat.v1.saved_model.loader.load(self._session, [SERVE_TAG], str(path))
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = {
            key: value for key, value in meta.signature_def.items() if value.method_name in SIGNATURE_METHODS
        }
        self._all_signatures = meta.signature_def
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], object] = {}
        self._lock = threading.Lock()
        self._batches = batching.session(path, self._run) if batching is not None else None
        self.is_batched = self._batches is not None

    @property
    def signature_defs(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """Every signature of the SavedModel, as metadata lists them."""
        return self._all_signatures

    def run(self, feeds: Mapping[str, NDArray[np.generic]], fetches: Sequence[str]) -> list[NDArray[np.generic]]:
        """Run the graph, alone or joined with other requests.

        Args:
            feeds: array by tensor name; shapes are not compared with the signature, as in TensorFlow Serving.
            fetches: tensor names.

        Raises:
            Refusal: TensorFlow's own code and text, or that of batching.
        """
        run = self._run if self._batches is None else self._batches.run
        return run(feeds, fetches)

    def _run(self, feeds: Mapping[str, NDArray[np.generic]], fetches: Sequence[str]) -> list[NDArray[np.generic]]:
        names = tuple(sorted(feeds))
        key = (names, tuple(fetches))
        with self._lock:
            if key not in self._callables:
                options = config_pb2.CallableOptions(feed=names, fetch=fetches)
                # `Session.run` and `make_callable` compare shapes first; TensorFlow Serving does not.
                self._callables[key] = self._session._make_callable_from_options(options)
            call = self._callables[key]
        try:
            return list(call(*(feeds[name] for name in names)))  # type: ignore[operator]
        except tf.errors.OpError as error:
            raise Refusal(CODES_BY_NUMBER[error.error_code], error.message) from error
