"""Focal loss (Lin et al. 2017, arXiv:1708.02002) as the released tool uses it."""

from typing import Any

import keras
from keras import ops

from training.architectures import Architecture


class FocalLoss(keras.losses.Loss):
    """`alpha * (1 - p_t)**gamma * -log(p_t)` per sample, p_t the probability given to the true class.

    PARITY: `alpha` scales both classes alike, as in the released tool, where Lin et al. weigh positives with alpha and
    negatives with 1 - alpha. It changes the size of the loss and nothing else.

    Labels are 0 or 1, float or integer, [n, 1] or [n]; predictions are sigmoid outputs, [n, 1] or [n].
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25) -> None:
        super().__init__(name="focal_loss")
        self.gamma, self.alpha = gamma, alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, float [n].

        Keras remembers the logits on the tensor that a sigmoid layer returns: from them the loss is exact however
        saturated the sigmoid is. A plain probability is first kept Keras' epsilon, 1e-7, away from 0 and 1.
        """
        logits = getattr(y_pred, "_keras_logits", None)
        if logits is None:
            probability = ops.clip(y_pred, keras.config.epsilon(), 1.0 - keras.config.epsilon())
            logits = ops.log(probability) - ops.log1p(-probability)
        # [n] beside [n, 1] would broadcast to [n, n] and average over the batch unnoticed.
        logits = ops.reshape(logits, (-1,))
        sign = 2.0 * ops.cast(ops.reshape(y_true, (-1,)), logits.dtype) - 1.0
        margin = sign * logits
        # 1 - sigmoid(m) = exp(-softplus(m)) and -log(sigmoid(m)) = softplus(-m): finite, with finite gradients.
        return self.alpha * ops.exp(-self.gamma * ops.softplus(margin)) * ops.softplus(-margin)


def loss_for(architecture: Architecture) -> keras.losses.Loss:
    """Return the loss that the paper trains a network with: binary cross-entropy for the residual one (A1), focal loss for the others."""
    return keras.losses.BinaryCrossentropy() if architecture == "resnet" else FocalLoss()
