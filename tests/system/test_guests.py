"""The probe guest's tests: its own checks pass, and where nothing may differ it prints what it prints on bare QEMU."""
import re

import pytest

from machines import MEMORY, ROOT, assert_passed, bare, batch, guest, probe, run

NO_SSTC = "rv64,sstc=off"


def case(behaviour: str, test: str, cpus: int = 1, harts: int | None = None, cpu: str = "rv64"):
    """One guest test, named by the behaviour it is about."""
    name = f"{behaviour}-{test.split()[0]}-{cpus}cpu" + ("-no-sstc" if cpu == NO_SSTC else "")
    harts = cpus if harts is None else harts
    if harts != cpus:
        name += f"-on-{harts}"
    return pytest.param(test, cpus, harts, cpu, id=name)


SAME = [
    case("H10", "sbi"), case("H10", "sbi", 4), case("H10", "sbi", cpu=NO_SSTC), case("H10", "legacy"),
    case("H2", "regs"), case("H2", "fp"), case("H2", "csrs"),
    case("H4", "mem"), case("H4", "widths"), case("H4", "loads"), case("H4", "bytes"),
    case("H10", "timer"), case("H10", "timer", cpu=NO_SSTC), case("H10", "counters"),
    case("H11", "plic"), case("H11", "plic", cpu=NO_SSTC), case("H11", "plic-contexts", 4),
    case("H11", "smp"), case("H11", "smp", 2), case("H11", "smp", 4), case("H11", "smp", 4, cpu=NO_SSTC),
    case("H11", "smp fences=5", 8, harts=2), case("H9", "smp fences=5", 2, harts=1),
    case("H9", "smp fences=5", 4, harts=2),
    case("H9", "smp fences=5", 4, harts=1, cpu=NO_SSTC), case("H9", "plic-contexts", 4, harts=2),
    case("H2", "fp-harts", 2, harts=1), case("H2", "fp-harts", 4, harts=2),
]


@pytest.mark.parametrize("test, cpus, harts, cpu", SAME)
def test_same_as_bare(test, cpus, harts, cpu):
    vm = probe(test, "--cpus", cpus, "--harts", harts, "--memory", MEMORY, "--cpu", cpu)
    assert_passed(vm)
    there = bare("probe", f"test={test}", cpus=cpus, cpu=cpu)
    assert vm.out == there.out


VM_ONLY = [
    case("H10", "sbi-absurd"), case("H10", "sbi-absurd", 4), case("H4", "mem-odd"), case("H11", "plic-level"),
    case("H10", "suspend"), case("H10", "suspend", 2), case("H10", "suspend", cpu=NO_SSTC),
    case("H10", "counters-vm"), case("H10", "counters-vm", 2, harts=1), case("H10", "counters-vm", 2),
    case("H10", "features"), case("H10", "features", 2, harts=1),
    case("H12", "isa"), case("H12", "isa", cpu=NO_SSTC), case("H13", "zeroed"),
]


@pytest.mark.parametrize("test, cpus, harts, cpu", VM_ONLY)
def test_in_a_vm(test, cpus, harts, cpu):
    """Where bare QEMU does worse than the specification, or is another machine."""
    assert_passed(probe(test, "--cpus", cpus, "--harts", harts, "--memory", MEMORY, "--cpu", cpu))


@pytest.mark.parametrize("cpus", [1, 2])
def test_H10_stolen_time(cpus):
    assert_passed(probe("steal", "--cpus", cpus, "--harts", 1, "--icount"))


def test_H10_counters_leave_a_neighbour_out():
    result = probe("counters-vm", "--cpus", 2, "--harts", 1, "--icount")
    assert_passed(result)
    assert "ok the neighbour's instructions are not counted" in result.text


@pytest.mark.parametrize("cpu", ["rv64", NO_SSTC])
def test_H2_registers_survive_many_exits(cpu):
    assert_passed(probe("regs rounds=30000", "--cpu", cpu))


@pytest.mark.long
def test_H2_registers_survive_a_million_exits():
    assert_passed(probe("regs rounds=350000", timeout=600))


@pytest.mark.long
def test_H2_fp_registers_survive_many_switches():
    assert_passed(probe("fp-harts rounds=20000", "--cpus", "4", "--harts", "2", timeout=600))


@pytest.mark.long
def test_H10_many_more_calls_at_random():
    run(["make", "-f", "tests/unit/unit.mk", "build/unit/test_sbi_fuzz"], timeout=300, cwd=ROOT)
    result = run([ROOT / "build" / "unit" / "test_sbi_fuzz"], timeout=600, environment={"CAISSON_FUZZ": "50"})
    assert result.status == 0, result.text[-3000:] + result.err[-3000:]


@pytest.mark.parametrize("memory, cpus, harts", [
    ("2M", 1, 1), ("4M", 1, 1), ("64M", 2, 1), ("129M", 3, 2), ("1G", 8, 4),
])
def test_H4_machine_is_as_configured(memory, cpus, harts):
    result = probe("machine", "--memory", memory, "--cpus", cpus, "--harts", harts)
    size = int(memory[:-1]) << {"M": 20, "G": 30}[memory[-1]]
    if memory == "2M":  # the reserved range takes all of it: the kernel cannot fit
        assert result.status == 2 and "memory" in result.err
        return
    assert_passed(result)
    assert f"harts {cpus}\n" in result.text
    assert f"ram {size:x} at 80000000\n" in result.text
    assert "timebase 10000000\n" in result.text
    assert "boot hart 0\n" in result.text
    assert "bootargs 'test=machine'\n" in result.text
    assert "satp 0 sie 0 sstatus.sie 0\n" in result.text


def test_H4_bootargs_are_exactly_those_given():
    words = "test=machine   quiet  x='a b' ümläut \"q\""
    assert f"bootargs '{words}'\n" in batch("--kernel", guest("probe"), "--append", words).text
    assert batch("--kernel", guest("probe")).text == "no such test: ''\n"


def test_H13_reboot_zeroes_memory_and_reloads(spawn):
    child = spawn("run", "--batch", "--kernel", guest("probe"), "--append", "test=dirty", "--memory", "32M")
    for _ in range(5):
        child.expect(r"words that were not zero: (\d+)\r?\n")
        assert child.match[1] == b"0"


@pytest.mark.parametrize("warm", [0, 1])
def test_H13_many_reboots(spawn, warm):
    child = spawn("run", "--batch", "--kernel", guest("probe"), "--append", f"test=reboot warm={warm}",
                  "--memory", "8M")
    for _ in range(50):
        child.expect_exact("booted")


@pytest.mark.parametrize("test, status", [
    ("legacy-shutdown", 0), ("halt", 0), ("failure", 1), ("double-fault", 1), ("jump", 1),
    ("finisher value=0x5555", 0), ("finisher value=0x73333", 1),
])
def test_H10_ways_to_end(test, status):
    result = probe(test)
    assert result.status == status
    assert bool(result.err) == bool(status)
    if status:
        assert re.search(r"\bpc\b.*[0-9a-f]{16}", result.err), "a crash comes with a register report"


def test_H10_finisher_can_reboot(spawn):
    child = spawn("run", "--batch", "--kernel", guest("probe"), "--append", "test=finisher value=0x7777")
    for _ in range(3):
        child.expect_exact("finishing with 7777")


def test_kernel_of_zeros_is_a_crash(tmp_path):
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(4096))
    result = batch("--kernel", zeros)
    assert result.status == 1
    assert result.out == b""
    assert result.err.startswith("guest: ") and "trap vector" in result.err


def test_crash_reason_names_the_vm():
    result = probe("failure", "--name", "some.vm_1")
    assert result.status == 1
    assert result.out == b"test failure\nfailing\n"
    assert result.err.startswith("some.vm_1")
