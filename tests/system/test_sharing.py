"""H9: harts shared by VMs: weights, caps, changes while they run, vCPUs that wait for each other.

Work is counted by the guests (guests/share) between two times of the machine, under --icount with 8 ns to an
instruction, so that the counts repeat. With more harts QEMU advances them in turn, and the counts are less even.
"""
import re

import pytest

from machines import batch, guest
from prompt import Monitor

COUNTED = ("--qemu-arg", "-icount", "--qemu-arg", "shift=3,sleep=off")
FROM, UNTIL = 200, 1200


def work(toml, vms: list[dict], *words, harts: int = 1, do: str = "count") -> list[list[int]]:
    """Run these VMs side by side; for each the counts of its vCPUs."""
    append = f"do={do} from={FROM} until={UNTIL}"
    files = [toml(f"vm{i}", kernel=guest("share"), append=append, memory="8M", **keys) for i, keys in enumerate(vms)]
    result = batch(*COUNTED, "--harts", harts, *words, *files)
    assert result.status == 0, result.err
    found = [[0] * keys.get("cpus", 1) for keys in vms]
    for vm, hart, count in re.findall(r"^(?:\[vm(\d)\] )?hart (\d) work (\d+)$", result.text, re.MULTILINE):
        found[int(vm or 0)][int(hart)] = int(count)
    assert all(all(counts) for counts in found), "every vCPU gets on"
    return found


def assert_shares(found: list[list[int]], weights: list[int], within: float = 0.10) -> None:
    """Each VM has its weight's part of the whole, within a tenth of it."""
    total = sum(map(sum, found))
    shares = [sum(counts) / total for counts in found]
    for share, weight in zip(shares, weights):
        assert abs(share / (weight / sum(weights)) - 1) < within, shares


@pytest.mark.parametrize("n", [2, 4, 8])
def test_H9_equal_vms_have_equal_parts_of_a_hart(toml, n):
    assert_shares(work(toml, [{}] * n), [1] * n)


@pytest.mark.parametrize("weights", [(100, 300), (50, 100, 150, 200), (1000, 10000)], ids=str)
def test_H9_parts_are_as_the_weights(toml, weights):
    assert_shares(work(toml, [{"weight": weight} for weight in weights]), list(weights))


def test_H9_more_vcpus_bring_no_more_of_a_hart(toml):
    found = work(toml, [{"cpus": 4}, {"cpus": 1}])
    assert_shares(found, [1, 1])
    assert max(found[0]) < 1.2 * min(found[0]), "siblings are equal"


@pytest.mark.parametrize("cpus", [2, 8])
def test_H9_vcpus_of_a_vm_have_equal_parts_of_a_hart(toml, cpus):
    counts = work(toml, [{"cpus": cpus}])[0]
    assert max(counts) < 1.1 * min(counts)


def test_H9_equal_vms_bound_to_two_harts(toml):
    """Each hart for itself: how far QEMU lets the one get before the other is the machine's affair."""
    found = work(toml, [{"harts": [i % 2], "weight": 100 * (1 + i // 2)} for i in range(4)], harts=2)
    for hart in (0, 1):
        assert_shares(found[hart::2], [1, 2], within=0.25)


@pytest.mark.parametrize("cpus, cap", [(1, 25), (2, 25), (1, 80)])
def test_H9_cap(toml, cpus, cap):
    """Of what it gets done without one, alone on the hart."""
    free = sum(work(toml, [{"cpus": cpus}])[0])
    capped = sum(work(toml, [{"cpus": cpus, "cap": cap}])[0])
    assert abs(capped / free / (cap / 100) - 1) < 0.10


def test_H9_what_a_capped_vm_leaves_the_others_have(toml):
    assert_shares(work(toml, [{"cap": 10}, {}]), [1, 9])


@pytest.mark.parametrize("do, least", [("lock", 500), ("ipi", 2000)])
def test_H9_eight_vcpus_that_wait_for_each_other_on_one_hart(toml, do, least):
    """Without a directed yield each waits until seven others have used their slices up: 50 turns a second."""
    assert min(work(toml, [{"cpus": 8}], do=do)[0]) > least


def test_H9_a_bound_vcpu_says_where_it_begins(toml, tmp_path):
    """Started by main, which runs on hart 0."""
    log = tmp_path / "log"
    work(toml, [{"harts": [1], "cpus": 2}], "--log", log, harts=2)
    begun = re.findall(r"vm0: vCPU (\d) begins on hart (\d), bound to (\w+)", log.read_text())
    assert sorted(begun) == [("0", "1", "2"), ("1", "1", "2")]


@pytest.fixture
def monitor(spawn, toml):
    """Two VMs that spin on one hart, and the prompt."""
    files = [toml(name, kernel=guest("probe"), append="test=spin", memory="8M") for name in ("one", "two")]
    child = spawn("run", "--harts", "1", *files)
    child.expect("spinning|PASS|test spin")
    return Monitor(child)


def test_H9_vm_set(monitor):
    for line in ("vm set one weight 300", "vm set one cap 40", "vm set one harts 0"):
        assert monitor(line) == ""
    stats = monitor("vm stats one")
    assert re.search(r"weight +300\b", stats) and re.search(r"cap .* 40\b", stats) and re.search(r"^harts +0\r*$", stats, re.M)
    assert int(re.search(r"times at the cap +(\d+)", monitor("vm stats one"))[1]) > 0
    assert monitor("vm set one cap none") == "" and monitor("vm set one harts all") == ""
    assert re.search(r"cap .* 0\b", monitor("vm stats one"))


@pytest.mark.parametrize("words, said", [
    ("one weight 0", "'0' is not a number from 1 to 10000"), ("one weight 10001", "not a number from 1 to 10000"),
    ("one weight -1", "not a number"), ("one weight 99999999999999999999", "not a number"), ("one weight", "VALUE is missing"),
    ("one cap 0", "'0' is not a number from 1 to 100"), ("one cap 101", "'101' is not a number from 1 to 100"),
    ("one cap 1.5", "not a number"), ("one cap 5 6", "one word too many"), ("one", "is missing"),
    ("one speed 3", "'speed' is not weight"), ("one harts 1", "last one is hart 0"), ("one harts 0-", "no list of harts"),
    ("one harts 64", "no list of harts"), ("one harts 0,", "no list of harts"), ("one harts x", "no list of harts"),
    ("three weight 5", "no VM 'three'"),
])
def test_H9_vm_set_refuses(monitor, words, said):
    assert said in monitor(f"vm set {words}")
    assert re.search(r"weight +100\b", monitor("vm stats one"))
