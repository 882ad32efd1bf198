"""What, beside card and weights, decides a served graph: TensorFlow, and the code that builds the graph.

It lies beside the graph, so that a graph is made anew when its code changed and left alone when nothing did.
"""

import hashlib
from pathlib import Path

import tensorflow as tf

ORIGIN = "origin.json"
GRAPH_SOURCES = (
    "served/batching.py",
    "networks/cnn.py",
    "networks/standardisation.py",
    "served/nine_maps.py",
    "served/precision.py",
    "served/shared_convolutions.py",
    "served/tile_graph.py",
)


def graph_origin() -> dict[str, str]:
    """Return the version of TensorFlow, and the SHA-256 of each source of the graph."""
    training = Path(__file__).parents[1]
    sources = {name: hashlib.sha256((training / name).read_bytes()).hexdigest() for name in GRAPH_SOURCES}
    return {"tensorflow": tf.__version__, **sources}
