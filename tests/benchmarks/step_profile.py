"""The operations on which a training step of all-MiniLM-L6-v2 spends its time.

TensorFlow's profiler records ten steps of a batch of texts of one length, with one operation at a
time on all cores, so that the times of the operations add up. The parts are those of step_parts.
"""

from __future__ import annotations

import argparse
import collections
import os
import tempfile
from pathlib import Path

from tests.benchmarks.step_parts import PARTS, make

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

STEPS = 10


def read_times(folder: str) -> collections.Counter[str]:
    """Return the milliseconds of each kind of operation in a step."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    times: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            operation, _, kind = name.rpartition(":")
            # An event of an operation is `name:Kind`; those of functions contain others.
            if operation and "::" not in name and "inference" not in kind:
                times[kind] += event.duration_ps / 1e9 / STEPS
    return times


def main() -> None:
    """Profiles and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=tuple(PARTS), default="step")
    parser.add_argument("--policy", default="mixed_bfloat16")
    parser.add_argument("--width", type=int, default=16, help="tokens of every text")
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()

    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    run, _ = make(arguments.part, arguments.policy, arguments.width, arguments.batch_size)
    for _ in range(3):
        run()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(STEPS):
                run()
        times = read_times(folder)
    print(f"{sum(times.values()):8.1f} ms per step, of which")
    for kind, milliseconds in times.most_common(20):
        print(f"{milliseconds:8.1f} ms  {kind}")


if __name__ == "__main__":
    main()
