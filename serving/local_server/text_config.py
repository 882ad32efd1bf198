"""TensorFlow Serving's text-format options whose messages the package tensorflow-serving-api lacks.

Fields and numbers are those of monitoring_config.proto and of BatchingParameters in session_bundle_config.proto, release 2.19.1; a field
that is not in them is refused.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

Field = descriptor_pb2.FieldDescriptorProto
_FILE = "serving/local_server/text_config.proto"
_PACKAGE = "quakeslide.serving"
_WRAPPERS = ".google.protobuf."


def read_text(file: Path, message: str) -> Any:
    """Return the message that a file holds: `MonitoringConfig` or `BatchingParameters`.

    Raises:
        ValueError: it holds something else.
    """
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), _MESSAGES[message]())
    except (text_format.ParseError, OSError) as error:
        raise ValueError(f"{file}: no {message} in text format: {error}") from error


def empty(message: str) -> Any:
    """Return a message in which nothing is said."""
    return _MESSAGES[message]()


def _field(name: str, number: int, kind: "Field.Type | str", *, repeated: bool = False) -> Field:
    field = Field(name=name, number=number)
    field.label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type, field.type_name = Field.TYPE_MESSAGE, kind
    else:
        field.type = kind
    return field


def _messages() -> dict[str, type[Any]]:
    """Describe the messages and return their classes by name."""
    int64, string, boolean = (f"{_WRAPPERS}{name}Value" for name in ("Int64", "String", "Bool"))
    described = {
        "PrometheusConfig": [_field("enable", 1, Field.TYPE_BOOL), _field("path", 2, Field.TYPE_STRING)],
        "MonitoringConfig": [_field("prometheus_config", 1, f".{_PACKAGE}.PrometheusConfig")],
        "BatchingParameters": [
            _field("max_batch_size", 1, int64),
            _field("batch_timeout_micros", 2, int64),
            _field("max_enqueued_batches", 3, int64),
            _field("num_batch_threads", 4, int64),
            _field("thread_pool_name", 5, string),
            _field("allowed_batch_sizes", 6, Field.TYPE_INT64, repeated=True),
            _field("pad_variable_length_inputs", 7, Field.TYPE_BOOL),
            _field("enable_large_batch_splitting", 8, boolean),
            _field("max_execution_batch_size", 9, int64),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in described.items():
        file.message_type.add(name=name).field.extend(fields)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    classes = message_factory.GetMessageClassesForFiles([_FILE], pool)
    return {name: classes[f"{_PACKAGE}.{name}"] for name in described}


_MESSAGES = _messages()
