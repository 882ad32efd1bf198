"""A noisy image with gaps, the constants of the networks that score it, and the operations that stock TensorFlow Serving knows."""

import re

import numpy as np

MEAN, STD = [-9.0, -16.0, 0.0, 0.0], [4.0, 4.5, 2.0, 2.5]
FILL_DB = [-9.5, -16.5, 0.0, 0.25]


def scene(height, width, seed=0):
    """A noisy dB image with missing pixels: a corner, a single band, scattered ones and a stripe; float32 [H, W, 4]."""
    rng = np.random.default_rng(seed)
    image = rng.normal(MEAN, STD, (height, width, 4)).astype(np.float32)
    image[: height // 3, : width // 4] = np.nan
    image[height // 2 :: 7, width // 2 :: 5, 1] = np.nan  # one band missing: the pixel is missing
    image[:, width - 3] = np.nan
    return image


# Operations of TensorFlow's core that the model server's release knows. Another one may not load in a server older than the
# TensorFlow that wrote the graph: look before adding it here.
STOCK = set(
    re.findall(
        r"\w+",
        """
        AddV2 All Any Assert AssignVariableOp AvgPool BiasAdd Cast ConcatV2 Const Conv2D DisableCopyOnRead Equal FloorDiv FloorMod
        GreaterEqual Identity IsNan Less LessEqual LogicalAnd LogicalNot MatMul Max MaxPool Maximum Mean MergeV2Checkpoints Minimum
        Mul NoOp Pack Pad Placeholder PlaceholderWithDefault ReadVariableOp RealDiv Relu Reshape ResizeBilinear RestoreV2 Rsqrt
        SaveV2 Select SelectV2 Shape ShardedFilename Sigmoid Size Sqrt Squeeze StatefulPartitionedCall StatelessIf StatelessWhile
        StaticRegexFullMatch StridedSlice StringJoin Sub Sum TensorListReserve TensorListSetItem TensorListStack Transpose
        VarHandleOp
        """,
    )
)
