"""B2, B4: the host's own faults end in a report, at once. A debugger causes them in the image that everybody runs."""
import re

import pytest

from machines import PATIENCE, ROOT, kill_all, run, start

IMAGE = ROOT / "build" / "hypervisor" / "caisson"
STORE_ZERO = "arch_page_zero"  # its first store goes to a0, for a1 bytes


def fault(tmp_path, *commands: str, at: str = "main", cpu: str = "rv64", status: int = 3) -> str:
    """Stop the machine at a function, change its registers, let it go on; what it prints until it ends."""
    socket = tmp_path / "gdb"
    machine = start(["qemu-system-riscv64", "-M", "virt", "-cpu", cpu, "-m", "128M", "-display", "none",
                     "-monitor", "none", "-serial", "stdio", "-kernel", f"{IMAGE}.bin", "-S",
                     "-chardev", f"socket,path={socket},server=on,wait=off,id=gdb", "-gdb", "chardev:gdb"])
    try:
        script = ["set confirm off", f"target remote {socket}", f"hbreak *{at}", "continue", *commands, "detach"]
        words = [word for line in script for word in ("-ex", line)]
        run(["gdb-multiarch", "-nx", "-batch", f"{IMAGE}.elf", *words])
        out, _ = machine.communicate(timeout=PATIENCE)
    finally:
        kill_all(machine)
    assert machine.returncode == status, out
    return out.decode(errors="replace")


def report(text: str) -> tuple[str, int, int]:
    """Cause, pc and address of the decoded trap."""
    match = re.search(r"trap: ([a-z ]+) \(cause \d+\) on hart.*?pc ([0-9a-f]+) +address ([0-9a-f]+)", text, re.DOTALL)
    assert match, text[-2000:]
    return match[1], int(match[2], 16), int(match[3], 16)


@pytest.mark.parametrize("at", ["boot_entry", "ram_discover", "main"])
def test_B2_a_fault_is_decoded_however_early(tmp_path, at):
    # Only the test finisher carries a status, and its driver is bound after the first two.
    status = 3 if at == "main" else 0
    cause, pc, address = report(fault(tmp_path, "set $pc = 0x1000", at=at, status=status))
    assert (cause, pc, address) == ("instruction page fault", 0x1000, 0x1000)


@pytest.mark.parametrize("section", ["text", "rodata"])
def test_B4_write_to_what_is_read_only(tmp_path, section):
    text = fault(tmp_path, f"set $a0 = &__{section}_start", "set $a1 = 4096", f"set $pc = {STORE_ZERO}",
                 cpu="rv64,zicboz=off")
    cause, _, address = report(text)
    assert cause == "store page fault"
    assert f"section {section}" in text and address >= 0xffffffff80000000


def test_B4_execute_data(tmp_path):
    cause, pc, address = report(fault(tmp_path, "set $pc = &harts"))
    assert cause == "instruction page fault" and pc == address >= 0xffffffff80000000


def test_B4_image_has_no_writable_alias(tmp_path):
    """The linear map of RAM leaves the image out."""
    physical = "0xffffffc000000000 + (unsigned long)&__text_start - image_offset"
    cause, _, _ = report(fault(tmp_path, f"set $a0 = {physical}", "set $a1 = 4096", f"set $pc = {STORE_ZERO}",
                               cpu="rv64,zicboz=off"))
    assert cause == "store page fault"


def test_stack_overflow_is_named(tmp_path):
    """Below a task's stack is an unmapped page, and the report has a stack of its own."""
    text = fault(tmp_path, "set $sp = ((unsigned long)$sp & ~0x3fffUL) + 0x2010", at="hext_enable")
    assert "stack overflow in task 'worker/0'" in text
    assert report(text)[0] == "store page fault"
