"""The focal loss agrees with float64 arithmetic, through logits and without, and stays finite."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.fitting.losses import FocalLoss, loss_for


def reference(logits, labels, gamma=2.0, alpha=0.25):
    """`alpha * (1 - p_t)**gamma * -log p_t` in float64; log1p(exp) keeps it exact for the sizes used here."""
    z = np.where(labels == 1, logits, -logits).astype(np.float64)
    return alpha * np.exp(-gamma * np.logaddexp(0, z)) * np.logaddexp(0, -z)


def one_layer_model():
    """A sigmoid layer that returns exactly `sigmoid(logit)` of its input, so that Keras remembers the logit."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=FocalLoss())
    return model


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_plain_probabilities_match_the_formula(gamma):
    logits = np.linspace(-8, 8, 33)
    labels = (np.arange(33) % 2).astype(np.float32)
    probabilities = tf.constant(1 / (1 + np.exp(-logits)), tf.float32)
    loss = FocalLoss(gamma=gamma, alpha=0.25).call(labels, probabilities)
    np.testing.assert_allclose(loss, reference(logits, labels, gamma), rtol=2e-3, atol=1e-7)


def test_training_sees_the_logits_of_a_saturated_sigmoid():
    logits = np.array([[120.0], [-120.0], [3.0]], np.float32)
    labels = np.array([[0.0], [1.0], [1.0]], np.float32)
    model = one_layer_model()
    expected = reference(logits, labels).mean()  # about 20; a clipped probability could not give more than 4
    assert model.evaluate(logits, labels, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(logits, labels, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_alpha_scales_both_classes_alike():
    labels, probabilities = tf.constant([0.0, 1.0]), tf.constant([0.3, 0.7])
    negative, positive = FocalLoss(alpha=0.25).call(labels, probabilities).numpy()
    assert negative == pytest.approx(positive, rel=1e-6)
    doubled = FocalLoss(alpha=0.5).call(labels, probabilities).numpy()
    assert doubled == pytest.approx([2 * negative, 2 * positive], rel=1e-6)


def test_label_vectors_do_not_broadcast():
    labels, probabilities = np.array([0.0, 1.0, 1.0]), np.array([[0.2], [0.9], [0.6]], np.float32)
    loss = FocalLoss()
    assert float(loss(labels, probabilities)) == pytest.approx(float(loss(labels[:, None], probabilities)), rel=1e-6)


def test_certain_mistakes_have_finite_loss_and_gradient():
    probabilities = tf.Variable([0.0, 1.0, 0.0, 1.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(FocalLoss().call(tf.constant([0.0, 1.0, 1.0, 0.0]), probabilities))
    assert np.isfinite(loss.numpy())
    assert np.isfinite(tape.gradient(loss, probabilities).numpy()).all()


def test_published_call_is_harmless_on_a_sigmoid_layer_and_wrong_on_a_plain_tensor():
    """Trap T2: the released tool says from_logits=True of sigmoid outputs. Keras finds the true logits behind the layer's output."""

    def as_published(y_true, y_pred):
        entropy = keras.ops.binary_crossentropy(y_true, y_pred, from_logits=True)
        return 0.25 * (1 - keras.ops.exp(-entropy)) ** 2 * entropy

    logits = np.linspace(-3, 3, 12, dtype=np.float32)[:, None]
    labels = (np.arange(12) % 2).astype(np.float32)[:, None]
    model = one_layer_model()
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=as_published)
    truth = reference(logits, labels).mean()
    with pytest.warns(UserWarning, match="produced by a Sigmoid"):
        assert model.evaluate(logits, labels, verbose=0) == pytest.approx(truth, rel=1e-5)
    plain = tf.constant(1 / (1 + np.exp(-logits)))
    assert abs(float(tf.reduce_mean(as_published(labels, plain))) - truth) > 0.05
    assert float(FocalLoss()(labels, plain)) == pytest.approx(truth, rel=1e-5)


def test_each_network_is_trained_with_the_loss_of_the_paper():
    assert isinstance(loss_for("resnet"), keras.losses.BinaryCrossentropy)
    assert all(isinstance(loss_for(name), FocalLoss) for name in ("cnn", "cbam"))
