"""Adam with a learning rate of 10.0: no preparation of the data cures that; the usual 0.001 and prepared data do.

The 178 wines of scikit-learn (13 measurements, from 0.1 to 1,680; 3 classes, the largest 40 % of
them), four hidden layers of 32 ReLUs, 20 epochs. (In Keras the rate is 10.0, a float: it refuses 10.)

Measured by `python examples/learning_rate.py` with seeds 0, 1 and 2, TensorFlow 2.21 on a CPU:
rate 10.0   raw       loss up to 8.1e10 on the way, 1.40 to 1.65 at the end, test accuracy 0.333 to 0.400
            prepared  loss up to 1.0e9 on the way, 1.04 to 1.42 at the end, test accuracy 0.267 to 0.333
rate 0.001  raw       loss 0.66 to 0.79, test accuracy 0.533 to 0.800
            prepared  loss 0.046 to 0.060, test accuracy 0.933 to 0.978
"""

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

import prepkit as pk

wine = load_wine()
x_train, x_test, y_train, y_test = train_test_split(
    wine.data, wine.target, test_size=0.25, stratify=wine.target, random_state=0
)


def raw(seed):
    """Training and test data as they are."""
    train = tf.data.Dataset.from_tensor_slices((x_train.astype(np.float32), y_train))
    test = tf.data.Dataset.from_tensor_slices((x_test.astype(np.float32), y_test))
    return train.shuffle(len(x_train), seed=seed).batch(32), test.batch(256)


def prepared(seed):
    """The same with prepkit."""
    ready = pk.Pipeline([pk.Rescale("standard")]).prepare((x_train, y_train), batch_size=32, seed=seed)
    return ready.dataset, ready.pipeline.transform((x_test, y_test))


def train(data, learning_rate, seed, epochs):
    keras.utils.set_random_seed(seed)
    train, test = data(seed)
    hidden = [keras.layers.Dense(32, activation="relu") for _ in range(4)]
    model = keras.Sequential([*hidden, keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    losses = model.fit(train, epochs=epochs, verbose=0, shuffle=False).history["loss"]
    loss, accuracy = model.evaluate(test, verbose=0)
    return {"highest loss": max(losses), "loss": losses[-1], "test loss": loss, "test accuracy": accuracy}


def main(quick=False):
    seeds, epochs = ([0], 20) if quick else ([0, 1, 2], 20)
    print(f"{'data':<10}{'rate':>7}{'seed':>5}{'highest loss':>14}{'loss':>10}{'test loss':>11}{'test accuracy':>15}")
    results = {}
    for rate in (10.0, 0.001):
        for data in (raw, prepared):
            results[data.__name__, rate] = [train(data, rate, seed, epochs) for seed in seeds]
            for seed, r in zip(seeds, results[data.__name__, rate], strict=True):
                line = f"{r['highest loss']:14.3g}{r['loss']:10.4g}{r['test loss']:11.4g}{r['test accuracy']:15.3f}"
                print(f"{data.__name__:<10}{rate:7}{seed:5}{line}")
    return results


if __name__ == "__main__":
    main()
