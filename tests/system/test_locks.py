"""No exit that concerns one vCPU only takes a lock, and what vCPUs share takes those that are said (issue 7)."""
import pytest
from caisson import bench_locks, building


@pytest.mark.parametrize("cpu", ["rv64", "rv64,sstc=off"])
def test_an_exit_of_one_vcpu_takes_no_lock(cpu):
    building.build_guests()
    counts = bench_locks.measure(cpu)
    assert counts["device-interrupt"] > 1, "locks are not counted"
    assert not bench_locks.too_many(counts)
    assert sum(not row.locks for row in bench_locks.ROWS.values()) >= 16
