"""The processes of a training, read from environment variables."""

import json

import pytest

import kerasft
from kerasft.distribution.ranks import Ranks, find_ranks, first_host

KERAS = {
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "3",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "one:8000, two:8000,three:8000",
}
JAX = {"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "0", "JAX_COORDINATOR_ADDRESS": "first:1234"}
SLURM = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_JOB_ID": "12345",
    "SLURM_STEP_NODELIST": "gpu[003-004,7]",
}
CLUSTER = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def test_one_process_where_no_variable_says_otherwise():
    assert find_ranks({}) == Ranks()
    # A batch script of Slurm sees the tasks of its job, but is not one of them.
    assert find_ranks({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}).number == 1
    assert find_ranks({**SLURM, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}).number == 1


@pytest.mark.parametrize(
    "environment, rank, number, coordinator",
    [
        (KERAS, 1, 3, "one:8000"),
        (JAX, 0, 2, "first:1234"),
        (SLURM, 3, 4, "gpu003:61497"),
        ({"TF_CONFIG": json.dumps(CLUSTER)}, 1, 2, "a:1"),
    ],
    ids=["keras", "jax", "slurm", "tensorflow"],
)
def test_each_launcher_is_understood(environment, rank, number, coordinator):
    found = find_ranks(environment)
    assert (found.rank, found.number, found.coordinator) == (rank, number, coordinator)
    assert found.source in environment


def test_an_indexed_job_of_kubernetes_gives_the_index():
    job = {name: value for name, value in KERAS.items() if not name.endswith("PROCESS_ID")}
    assert find_ranks({**job, "JOB_COMPLETION_INDEX": "2"}).rank == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "3"}, "PROCESS_ID must be from 0 to 2"),
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "one"}, "KERAS_DISTRIBUTION_PROCESS_ID must be a whole"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": ""}, "JOB_ADDRESSES must be HOST:PORT of the first"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": "one"}, "JOB_ADDRESSES must be HOST:PORT"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": "one:1,two:1"}, "2 addresses"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": "one:port"}, "must be HOST:PORT"),
        ({"KERAS_DISTRIBUTION_JOB_ADDRESSES": ":1234"}, "must be HOST:PORT"),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": "0"}, "must be at least 1"),
    ],
)
def test_contradictions_are_named(change, message):
    with pytest.raises(kerasft.SettingError, match=message):
        find_ranks({**KERAS, **change})


@pytest.mark.parametrize(
    "config", ['{"environment": "cloud"}', '{"cluster": {}}', '{"cluster": {"chief": ["a:1"]}}']
)
def test_a_task_on_its_own_is_one_process(config):
    assert find_ranks({"TF_CONFIG": config}) == Ranks()


@pytest.mark.parametrize(
    "config",
    [
        *("{", "[]", '{"cluster": {"worker": 3}}'),
        '{"cluster": {"worker": "a:1,b:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": [1, 2]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_damaged_tf_config_is_named(config):
    with pytest.raises(kerasft.SettingError, match="TF_CONFIG must be JSON"):
        find_ranks({"TF_CONFIG": config})


def test_a_missing_index_is_named():
    job = {name: value for name, value in KERAS.items() if not name.endswith("PROCESS_ID")}
    with pytest.raises(kerasft.SettingError, match="KERAS_DISTRIBUTION_PROCESS_ID is not set"):
        find_ranks(job)


def test_only_workers_are_given_by_tf_config():
    with_chief = {"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": CLUSTER["task"]}
    evaluator = {**CLUSTER, "task": {"type": "evaluator", "index": 0}}
    for config in (with_chief, evaluator):
        with pytest.raises(kerasft.SettingError, match="Give workers alone"):
            find_ranks({"TF_CONFIG": json.dumps(config)})
    negative = {**CLUSTER, "task": {"type": "worker", "index": -1}}
    with pytest.raises(kerasft.SettingError, match="must be from 0 to 1"):
        find_ranks({"TF_CONFIG": json.dumps(negative)})


def test_one_process_of_keras_is_no_task_of_slurm():
    alone = {**SLURM, "KERAS_DISTRIBUTION_NUM_PROCESSES": "1"}
    assert find_ranks(alone) == Ranks()
    assert find_ranks({**alone, "KERAS_DISTRIBUTION_PROCESS_ID": "0"}) == Ranks()


@pytest.mark.parametrize(
    "nodes, first",
    [
        ("cpu1", "cpu1"),
        ("cpu1,cpu2", "cpu1"),
        ("n[01-12]", "n01"),
        ("n[7,9],m1", "n7"),
        ("", ""),
        ("rack[1-2]n[01-04]", "rack1n01"),
        ("node[1-2]-ib,m1", "node1-ib"),
    ],
)
def test_the_first_host_of_a_slurm_list(nodes, first):
    assert first_host(nodes) == first
