"""Prediction of a data-parallel fit on many devices, from steps timed on one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any

import keras

from kerasft.catalog import recipe_module
from kerasft.checks.needs import bytes_of
from kerasft.checks.phase_times import BatchTime, PhaseSizes, PhaseTime
from kerasft.checks.plan import time_fit
from kerasft.config import Config, with_keywords
from kerasft.data import load_recipe_data
from kerasft.display import shows_progress
from kerasft.distribution.devices import check_batch, devices_class
from kerasft.modalities import settled
from kerasft.planning.interconnect import (
    Link,
    link_between_devices,
    link_between_hosts,
    on_accelerator,
    sent_bytes,
)
from kerasft.planning.ranges import check_counts, check_positive
from kerasft.planning.worthwhile import doubled, largest_worthwhile
from kerasft.seeds import set_seed
from kerasft.training.phases import steps_per_epoch


@dataclass(frozen=True)
class Scale:
    """A phase of a fit on a number of devices.

    Attributes:
        hosts: Number of hosts.
        devices: Number of devices of all hosts.
        rows: Examples of a batch on each device.
        compute_seconds: Time of a training step, measured on one device with these rows.
        communication_seconds: Computed time in which the gradients of a step are summed.
        sent_bytes: Bytes that each device sends in a step.
        epoch_seconds: Computed time of an epoch, validation included.
        speedup: Times as fast as one device.
    """

    hosts: int
    devices: int
    rows: int
    compute_seconds: float
    communication_seconds: float
    sent_bytes: float
    epoch_seconds: float
    speedup: float


@dataclass(frozen=True)
class PhasePlan:
    """A phase of a fit on more and more devices.

    Attributes:
        phase: Name of the phase.
        epochs: Number of epochs.
        steps: Training steps of an epoch.
        gradient_bytes: Size of the gradients.
        scales: Predictions, fewest devices first.
    """

    phase: str
    epochs: int
    steps: int
    gradient_bytes: int
    scales: tuple[Scale, ...]

    @property
    def worthwhile(self) -> int:
        """Largest worthwhile number of devices; see `largest_worthwhile`."""
        return largest_worthwhile({each.devices: each.epoch_seconds for each in self.scales})


@dataclass(frozen=True)
class FitPlan:
    """Prediction of a fit on many devices.

    Attributes:
        phases: Predictions by phase.
        seconds: Time of the fit on all devices, without early stopping.
        seconds_on_one: The same on one device.
        seconds_on_worthwhile: The same on the worthwhile devices of the last phase.
        device_memory: Memory of each device, in bytes by what needs it, without activations.
        device_link: Link between the devices of a host; None with one.
        host_link: Link between hosts; None with one.
    """

    phases: tuple[PhasePlan, ...]
    seconds: float
    seconds_on_one: float
    seconds_on_worthwhile: float
    device_memory: dict[str, int]
    device_link: Link | None
    host_link: Link | None

    def __repr__(self) -> str:
        last = self.phases[-1].scales[-1]
        return f"<FitPlan: {last.devices} devices, {last.speedup:.1f} times as fast as one>"


@shows_progress
def plan_fit(  # noqa: PLR0913 (public)
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    devices: int = 1,
    hosts: int = 1,
    bandwidth: float | None = None,
    device_bandwidth: float | None = None,
    progress: bool = True,
    **settings: Any,
) -> FitPlan:
    """Predict the time of a data-parallel fit on many devices, without training.

    A few steps are timed here for every number of rows that a device gets of a batch. Every device
    is taken to be as fast as the one here. Communication is computed for a ring that does not
    overlap with the backward pass. Two processes of a CPU were 1.1 to 1.4 times slower than
    predicted (`python -m tests.benchmarks.fit_plan`).

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; its defaults where None. `batch_size` is that of all
            devices together.
        devices: Devices of each host.
        hosts: Number of hosts.
        bandwidth: Bandwidth between hosts in GB/s; by default 1.25, typical of Ethernet.
        device_bandwidth: Bandwidth between the devices of a host in GB/s; by default measured
            between two threads here, or 25 for GPUs, typical of PCI Express.
        progress: Whether to write progress to stderr.
        **settings: Settings by name, which replace those of `config`.

    Raises:
        SettingError: A setting is unknown or out of range, there are more devices than examples
            in a batch, or the backend trains on one device.
        DataError: The data cannot be read.

    Example:
        >>> kerasft.plan_fit("resnet_digits", devices=4).phases[-1].worthwhile
    """
    module = recipe_module(recipe)
    config = settled(with_keywords(module.Config, config, settings, signature(plan_fit).parameters))
    check_counts(devices=devices, hosts=hosts)
    check_positive(bandwidth=bandwidth, device_bandwidth=device_bandwidth)
    sizes = cluster_sizes(devices, hosts)
    _check_shares(config, devices * hosts)
    links = (
        link_between_devices(device_bandwidth) if devices > 1 else None,
        link_between_hosts(bandwidth) if hosts > 1 else None,
    )
    set_seed(config.seed)
    data = load_recipe_data(module, config)
    rows = {-(-config.batch_size // (h * d)) for h, d in sizes} - {config.batch_size}
    context, timed = time_fit(module, config, data, sorted(rows, reverse=True))
    validating = steps_per_epoch(data.validation, config.batch_size)
    phases = tuple(
        _phase_plan(phase, size, validating, sizes, links)
        for phase, size in zip(timed.phases, timed.sizes, strict=True)
    )
    memory = {
        "parameters": bytes_of(context.model.weights),
        "gradients": max(size.gradients for size in timed.sizes),
        "optimizer": timed.optimizer_bytes,
    }
    features = sum(phase.feature_seconds for phase in timed.phases)
    times = {}
    for index, (count, each) in enumerate(sizes):
        # Features in files are not shared.
        sharing = feature_processes(each, count) if timed.feature_bytes else 1
        training = sum(plan.epochs * plan.scales[index].epoch_seconds for plan in phases)
        times[count * each] = training + features / sharing
    worthwhile = times[phases[-1].worthwhile]
    return FitPlan(phases, times[devices * hosts], times[1], worthwhile, memory, *links)


def cluster_sizes(devices: int, hosts: int) -> list[tuple[int, int]]:
    """Return the (hosts, devices of each) that are predicted: one host first, then all devices.

    Example:
        >>> cluster_sizes(4, 3)
        [(1, 1), (1, 2), (1, 4), (2, 4), (3, 4)]
    """
    return [(1, n) for n in doubled(devices)] + [(n, devices) for n in doubled(hosts)[1:]]


def feature_processes(devices: int, hosts: int) -> int:
    """Return the number of processes that share the computation of frozen features.

    On JAX all processes share it: one for each host with GPUs, one for each device of a CPU.
    """
    if keras.backend.backend() != "jax":
        return 1
    return hosts if on_accelerator() else hosts * devices


def _slowest(links: tuple[Link | None, Link | None], hosts: int) -> Link | None:
    """Return the link that bounds a ring through all devices of some hosts."""
    found = [link for link in links[: 1 + (hosts > 1)] if link is not None]
    return min(found, key=lambda link: link.bandwidth, default=None)


def _check_shares(config: Config, devices: int) -> None:
    if devices > 1:
        devices_class()  # refuses a backend that has one device
    check_batch(config.batch_size, devices)


def _phase_plan(
    phase: PhaseTime,
    size: PhaseSizes,
    validating: int,
    sizes: Iterable[tuple[int, int]],
    links: tuple[Link | None, Link | None],
) -> PhasePlan:
    """Return the predictions of a phase.

    Args:
        phase: Times on one device.
        size: Times by the rows of a device, and the size of the gradients.
        validating: Batches of the validation split.
        sizes: Hosts and devices of each, one device first.
        links: Links between the devices of a host, and between hosts.
    """
    scales: list[Scale] = []
    whole = size.batches[0]
    by_rows = {batch.rows: batch for batch in size.batches}
    for hosts, devices in sizes:
        count = hosts * devices
        batch: BatchTime = by_rows[-(-whole.rows // count)]
        link = _slowest(links, hosts)
        communication = link.reduce_seconds(size.gradients, count) if link is not None else 0.0
        epoch = phase.steps * (batch.training + communication) + validating * batch.validation
        first = scales[0].epoch_seconds if scales else epoch
        scales.append(
            Scale(
                hosts, count, batch.rows, batch.training, communication,
                sent_bytes(size.gradients, count), epoch, first / epoch,
            )
        )  # fmt: skip
    return PhasePlan(phase.phase, phase.epochs, phase.steps, size.gradients, tuple(scales))
