"""Pixels from 0 to 255: a small network stays at ln 10, its ReLUs dead; scaled to 0-1 it learns.

The 1,797 digits of scikit-learn as uint8 images, two hidden layers of 32 ReLUs, plain SGD with
learning rate 0.03. The first steps on raw pixels throw the weights so far that no unit of a layer is
positive for any image: no gradient passes, and what is left to learn are ten biases.

Measured by `python examples/unscaled_images.py` with seeds 0, 1 and 2, TensorFlow 2.21 on a CPU:
raw       loss 2.303 (ln 10 is 2.303), test accuracy 0.102, 77 to 100 % of the ReLUs dead
prepared  loss 0.212 to 0.233, test accuracy 0.900 to 0.931, 5 to 9 % dead
"""

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import prepkit as pk

digits = load_digits()
images = (digits.images * 255 / 16).astype(np.uint8)  # (1797, 8, 8)
x_train, x_test, y_train, y_test = train_test_split(
    images, digits.target, test_size=0.25, stratify=digits.target, random_state=0
)


def raw(seed):
    """Training and test data as they are."""
    train = tf.data.Dataset.from_tensor_slices((x_train.astype(np.float32), y_train))
    test = tf.data.Dataset.from_tensor_slices((x_test.astype(np.float32), y_test))
    return train.shuffle(len(x_train), seed=seed).batch(32), test.batch(256)


def prepared(seed):
    """The same with prepkit."""
    pipeline = pk.Pipeline([pk.Rescale("unit")])
    ready = pipeline.prepare((x_train, y_train), batch_size=32, seed=seed)
    return ready.dataset, ready.pipeline.transform((x_test, y_test))


def train(data, seed, epochs):
    keras.utils.set_random_seed(seed)
    train, test = data(seed)
    hidden = [keras.layers.Dense(32, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.layers.Flatten(), *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, epochs=epochs, verbose=0, shuffle=False).history
    return {
        "loss": history["loss"][-1],
        "test accuracy": model.evaluate(test, verbose=0)[1],
        "dead ReLUs": dead_share(model, test),
    }


def dead_share(model, test):
    """Share of the hidden units that are 0 for every test image."""
    x = np.concatenate([x for x, _ in test])
    flatten, first, second, _ = model.layers
    one = first(flatten(x))
    units = np.concatenate([one, second(one)], axis=1)
    return float(np.mean(units.max(axis=0) == 0))


def main(quick=False):
    seeds, epochs = ([0], 10) if quick else ([0, 1, 2], 20)
    print(f"{'data':<10}{'seed':>5}{'loss':>8}{'test accuracy':>15}{'dead ReLUs':>12}    ln 10 = {np.log(10):.3f}")
    results = {}
    for data in (raw, prepared):
        results[data.__name__] = [train(data, seed, epochs) for seed in seeds]
        for seed, r in zip(seeds, results[data.__name__], strict=True):
            line = f"{r['loss']:8.3f}{r['test accuracy']:15.3f}{r['dead ReLUs']:12.0%}"
            print(f"{data.__name__:<10}{seed:5}{line}")
    return results


if __name__ == "__main__":
    main()
