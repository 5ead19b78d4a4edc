"""vCPUs that come and go: VMIDs, flushes, and memory that stays each VM's own whatever the machine has of them."""
import json

import pytest

from machines import batch, guest

LINE = "framed batch script loglevel=warn"


def documents(text: str) -> list:
    """The JSON documents that a script's commands printed one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


@pytest.fixture
def run(tmp_path):
    """Run a script in --batch beside VMs, on two harts. vmid_bits: as on a machine that has no more."""
    def start(script, *files, vmid_bits=None):
        path = tmp_path / "script.txt"
        path.write_text("\n".join(script))
        narrow = [] if vmid_bits is None else ["--qemu-arg=-append", f"--qemu-arg={LINE} vmid-bits={vmid_bits}"]
        result = batch("--script", path, *files, "--harts", "2", *narrow)
        assert result.status == 0, result.err + result.text[-2000:]
        return result

    return start


def total(rows, what) -> int:
    return sum(row[what] for row in rows)


@pytest.mark.parametrize("bits", [0, 1, 2, None])
def test_each_vm_keeps_its_memory_with_few_vmids(run, toml, bits):
    """Eight VMs on two harts move pages all the time; their guest-physical addresses are the same."""
    files = [toml(f"vm{n}", kernel=guest("probe"), append=f"test=translate rounds=60 seed={n + 1}", cpus=1 + n % 2,
                  memory="16M") for n in range(8)]
    result = run([*(f"wait vm{n} ended" for n in range(8)), "world --json"], *files, vmid_bits=bits)
    for n in range(8):
        assert f"[vm{n}] PASS translate" in result.text
    (rows,) = documents(result.err)
    assert total(rows, "loads") > 200  # how many depends on the machine
    flushes = total(rows, "flushes")
    if bits is None:
        assert flushes == 0
    else:
        # One when all numbers are given out, for all that come after; none before.
        assert flushes == sum(max(row["vmids"] - 1, 0) >> bits for row in rows)
        assert flushes > (100 if bits == 0 else 5)


def test_nothing_is_flushed_in_the_steady_state(run, toml):
    """VMs bound to a hart each, more than one vCPU of each among them: switches cost neither flushes nor VMIDs."""
    files = [toml(f"vm{n}", kernel=guest("probe"), append=f"test=translate rounds=1000000 seed={n + 1}", cpus=2,
                  memory="16M", harts=[n % 2]) for n in range(4)]
    result = run(["sleep 3", "world --json", "sleep 2", "world --json", "poweroff"], *files)
    before, after = documents(result.err)
    assert total(after, "loads") - total(before, "loads") > 100  # fewer on a machine that is busy
    assert total(after, "flushes") == 0
    assert total(after, "vmids") == total(before, "vmids") == 8


def test_fp_registers_are_nobody_elses(run, toml):
    """On each hart VMs that change their FP registers all the time, and some that never do: these find zeros."""
    users = [toml(f"user{n}", kernel=guest("probe"), append="test=fp-harts rounds=400", cpus=2, memory="16M")
             for n in range(2)]
    others = [toml(f"other{n}", kernel=guest("probe"), append="test=fp-untouched", memory="16M") for n in range(2)]
    names = ["user0", "user1", "other0", "other1"]
    result = run([f"wait {name} ended" for name in names], *users, *others)
    for name in names:
        assert f"[{name}] PASS fp-" in result.text


def test_vms_come_and_go_with_few_vmids(run, toml):
    """One is made and deleted all the time beside others that look at their memory; it gives back what it had."""
    files = [toml(f"vm{n}", kernel=guest("probe"), append=f"test=translate rounds=150 seed={n + 1}", cpus=2, memory="16M")
             for n in range(3)]
    files.append(toml("guest", kernel=guest("probe"), append="test=translate rounds=10 seed=9", memory="16M"))
    life = ["wait guest ended", "vm delete guest", "wait guest deleted", "vm create guest", "vm start guest"]
    script = [*life * 15, "wait guest ended", *(f"wait vm{n} ended" for n in range(3)), "world --json"]
    result = run(script, *files, vmid_bits=2)
    assert result.text.count("[guest] PASS translate") == 16
    for n in range(3):
        assert f"[vm{n}] PASS translate" in result.text
    (rows,) = documents(result.err)
    assert total(rows, "flushes") == sum(max(row["vmids"] - 1, 0) >> 2 for row in rows)


def test_H10_fences_of_vcpus_that_do_not_run_interrupt_nobody(run, toml):
    """Four vCPUs share a hart: three are fenced 600 times each, and are never in the guest meanwhile."""
    vm = toml("vm", kernel=guest("probe"), append="test=translate rounds=300 seed=1", cpus=4, memory="16M", harts=[1])
    result = run(["wait vm running", "hart --json", "wait vm ended 200", "hart --json", "world --json"], vm)
    assert result.text.endswith("PASS translate\n")
    before, after, worlds = documents(result.err)
    # What the sleeping monitor's task and the console take.
    assert total(after, "ipis_sent") - total(before, "ipis_sent") < 50
    assert total(after, "ipis") <= total(after, "ipis_sent")
    assert total(worlds, "flushes") == 0


def test_guests_that_use_no_fp_registers_move_none(run, toml):
    """One that does, beside two that do not: those that do not are saved never, and loaded with nobody's but once."""
    def start(*tests):
        files = [toml(f"vm{n}", kernel=guest("probe"), append=test, memory="16M", harts=[1]) for n, test in enumerate(tests)]
        result = run([*(f"wait vm{n} ended 200" for n in range(len(tests))), "world --json"], *files)
        assert result.text.count("] PASS ") == len(tests)
        return documents(result.err)[0][1]

    without = start(*["test=translate rounds=1000"] * 3)
    assert without["fp_saves"] == 0 and without["fp_loads"] <= 1 < 50 < without["loads"]
    other = start(*["test=translate rounds=1000"] * 2, "test=fp-harts rounds=300")
    assert 0 < other["fp_saves"] <= other["fp_loads"] <= other["loads"]
