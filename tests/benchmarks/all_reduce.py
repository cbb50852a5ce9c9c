"""The all-reduce of JAX between processes of this machine, beside the prediction of its time.

    python -m tests.benchmarks.all_reduce
    python -m tests.benchmarks.all_reduce --processes 4

Each process has one CPU device; gloo sums over the loopback, as in a fit of several processes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time

SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)  # bytes
_SECONDS = 3.0  # of each size
_LEAST, _MOST = 5, 200


def measure(port: int, processes: int, rank: int) -> None:
    """Prints the shortest time of an all-reduce of each size."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", processes, rank)
    mesh = jax.make_mesh((processes,), ("process",))
    sharding = NamedSharding(mesh, PartitionSpec("process"))

    @jax.jit
    def reduce(part: jax.Array) -> jax.Array:
        return jax.shard_map(
            lambda x: jax.lax.psum(x, "process"), mesh=mesh,
            in_specs=PartitionSpec("process"), out_specs=PartitionSpec(),
        )(part)  # fmt: skip

    best = {}
    for size in SIZES:
        local = jnp.ones((1, size // 4), "float32")
        part = jax.make_array_from_process_local_data(sharding, local)
        reduce(part).block_until_ready()
        count = int(max(_LEAST, min(_MOST, _SECONDS / _timed(reduce, part))))
        best[size] = min(_timed(reduce, part) for _ in range(_agreed(count)))
    if rank == 0:
        print(json.dumps(best))


def _agreed(count: int) -> int:
    """Return the count of rank 0, as all ranks must reduce equally often."""
    import numpy as np
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(count)))


def _timed(reduce: object, part: object) -> float:
    began = time.perf_counter()
    reduce(part).block_until_ready()  # type: ignore[operator]
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.rank is not None:
        measure(options.port, options.processes, options.rank)
        return
    from kerasft.planning.interconnect import measure_loopback

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.all_reduce", "--port", str(port)]
    command += ["--processes", str(options.processes), "--rank"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    ranks = [
        subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, env=environment)
        for rank in range(options.processes)
    ]
    found = [rank.communicate()[0] for rank in ranks]
    link = measure_loopback()
    print(f"loopback {link.bandwidth / 1e9:.2f} GB/s, {1e6 * link.latency:.0f} µs")
    for size, seconds in json.loads(found[0].splitlines()[-1]).items():
        predicted = link.reduce_seconds(int(size), options.processes)
        print(f"{int(size):>11,} bytes: {1e3 * seconds:.2f} ms, predicted {1e3 * predicted:.2f} ms")


if __name__ == "__main__":
    main()
