"""Limits of control groups, in folders that look like those of Linux."""

import math

import pytest

from kerasft import arrays, threads
from kerasft.control_groups import free_group_memory, group_cores, group_memory

STEP = "system.slice/slurmstepd.scope/job_7/step_0/user"
NONE = 9223372036854771712  # of version 1


@pytest.fixture
def system(tmp_path):
    """Returns a function that writes files of the system and returns its root."""

    def make(groups, files):
        files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
        for name, text in {"proc/self/cgroup": groups, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return make


def memory(folder, limit, used=0, cached=0):
    stat = f"anon {used - cached}\ninactive_file {cached}\nactive_file 0"
    files = {"memory.max": limit, "memory.current": used, "memory.stat": stat}
    return {f"{folder}{name}": text for name, text in files.items()}


def memory_of_version_1(folder, limit, used=0, cached=0):
    stat = f"inactive_file 0\ntotal_inactive_file {cached}"
    files = {
        "memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat,
    }  # fmt: skip
    return {f"memory/{folder}{name}": text for name, text in files.items()}


def test_a_system_without_groups_has_no_limits(tmp_path):
    assert group_memory(tmp_path) == free_group_memory(tmp_path) == math.inf
    assert group_cores(tmp_path) == math.inf


def test_a_container_sees_its_group_as_the_root(system):
    root = system("0::/", {**memory("", 1000, 400, 100), "cpu.max": "150000 100000"})
    assert (group_memory(root), free_group_memory(root), group_cores(root)) == (1000, 700, 1.5)


def test_the_smallest_limit_of_a_step_of_slurm_and_of_the_groups_above_counts(system):
    job = "system.slice/slurmstepd.scope/job_7/"
    files = {
        **memory(f"{STEP}/task_0/", "max", 50),
        **memory(f"{STEP}/", 3000, 50),
        **memory(job, 2000, 1900, 600),
        **memory("system.slice/", 5000, 2000),
        **memory("other.slice/", 10, 10),
        f"{STEP}/cpu.max": "400000 100000",
        f"{job}cpu.max": "300000 100000",
        "system.slice/cpu.max": "max 100000",
        "other.slice/cpu.max": "100 100000",
    }
    root = system(f"0::/{STEP}/task_0", files)
    assert (group_memory(root), free_group_memory(root), group_cores(root)) == (2000, 700, 3)


def test_memory_above_which_a_group_is_slowed_down_is_not_free(system):
    root = system("0::/", {**memory("", "max", 400), "memory.high": 500})
    assert (group_memory(root), free_group_memory(root)) == (500, 100)


def test_more_than_the_limit_leaves_no_memory(system):
    assert free_group_memory(system("0::/", memory("", 1000, 1200))) == 0


GROUPS = "9:name=systemd:/\n4:memory:/slurm/job_7\n2:cpu,cpuacct:/slurm/job_7\n0::/slurm"


def test_groups_of_version_1_have_a_folder_for_each_controller(system):
    quota = {"cpu.cfs_quota_us": 250_000, "cpu.cfs_period_us": 100_000}
    files = {
        **memory_of_version_1("", NONE, 9000),
        **memory_of_version_1("slurm/", 4000, 3500, 200),
        **memory_of_version_1("slurm/job_7/", 1000, 100),
        "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100_000,
        **{f"cpu/slurm/job_7/{name}": number for name, number in quota.items()},
    }
    root = system(GROUPS, files)
    assert (group_memory(root), free_group_memory(root), group_cores(root)) == (1000, 700, 2.5)


def test_limits_of_both_versions_count_where_both_are_used(system):
    files = {**memory_of_version_1("", 4000), **memory("unified/slurm/", 300, 100)}
    assert free_group_memory(system(GROUPS, files)) == 200


def test_a_container_that_shows_the_name_of_its_group_outside_has_the_limits_of_its_root(system):
    root = system("4:memory:/docker/5f2e", memory_of_version_1("", 1000, 300))
    assert free_group_memory(root) == 700
    (root / "proc/self/cgroup").write_text("0::/../../init.scope\n")
    files = memory("", 800, 300) | {"../../proc/memory.max": 1}
    assert free_group_memory(system("0::/../../proc", files)) == 500


@pytest.mark.parametrize(("allowed", "used"), [(0.5, 1), (1.2, 2), (8, 8), (math.inf, 8)])
def test_threads_are_for_the_cores_that_the_groups_allow(monkeypatch, allowed, used):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(threads, "group_cores", lambda: allowed)
    assert threads.cores() == used


def test_data_are_mapped_above_a_quarter_of_the_memory_that_the_groups_have_left(monkeypatch):
    monkeypatch.setattr(arrays, "free_group_memory", lambda: 1000)
    assert (arrays.free_memory(), arrays.memory_limit()) == (1000, 250)
    monkeypatch.setattr(arrays, "free_group_memory", lambda: math.inf)
    assert arrays.free_memory() > 1000
