"""What has to be set before TensorFlow is imported, and how property-based tests run."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # the same numbers in whatever order operations run
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from hypothesis import HealthCheck, Phase, settings

# Quick and the same every time: a failure is shown as it was found, for to shrink it takes minutes of fitting.
# HYPOTHESIS_PROFILE=thorough looks for more, and shrinks.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "quick",
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=SLOW,
)
settings.register_profile("thorough", max_examples=150, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
