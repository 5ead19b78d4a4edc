"""B and H1: the hypervisor's own start, on machines that differ."""
import os
import re
import subprocess

import pytest

from machines import MEMORY, PATIENCE, ROOT, batch, guest, run
from prompt import end_of_run
from test_debian import stop_uboot

HELLO = b"hello from a guest\n"


@pytest.fixture
def boot(tmp_path):
    """Run the hello guest and return the hypervisor's log."""
    def boot(*words, **options) -> str:
        log = tmp_path / "log"
        result = batch("--kernel", guest("hello"), "--log", log, *words, **options)
        text = log.read_text(errors="replace")
        assert (result.status, result.out) == (0, HELLO), result.err + text[-3000:]
        return text

    return boot


@pytest.mark.parametrize("harts", range(1, 9))
def test_B1_any_number_of_harts(boot, harts):
    log = boot("--harts", harts)
    assert f"{harts} of {harts} harts online" in log
    for worker in range(harts):
        assert re.search(rf"worker {worker} on hart {worker}: virtualization enabled", log)


@pytest.mark.parametrize("ram", ["160M", "333M", "1G", "2G", "3G"])
def test_B1_any_amount_of_ram(boot, ram):
    log = boot("--ram", ram, "--memory", "32M")
    megabytes = int(ram[:-1]) * (1024 if ram[-1] == "G" else 1)
    free = int(re.search(r"allocator: (\d+) MiB free", log)[1])
    assert megabytes - 40 <= free < megabytes


def test_B1_registers_at_entry_are_logged(boot):
    """Another place of the device tree shows as another address."""
    places = set()
    for ram in ("256M", "1G"):
        log = boot("--ram", ram, "--memory", "64M")
        match = re.search(r"entered on hart (\d+) \(a0\), device tree at ([0-9a-f]+) \(a1\)", log)
        assert match[1] == "0"
        places.add(match[2])
    assert len(places) == 2


@pytest.fixture
def device_tree(tmp_path):
    """QEMU's device tree for so many harts, with changes made by fdtput; the options to use it."""
    def make(harts: int, ram: str, *changes) -> list:
        path = tmp_path / "machine.dtb"
        subprocess.run(["qemu-system-riscv64", "-M", f"virt,dumpdtb={path}", "-smp", str(harts), "-m", ram],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for change in changes:
            subprocess.run(["fdtput", *change[:1], path, *change[1:]], check=True)
        return ["--harts", harts, "--ram", ram, "--qemu-arg=-dtb", f"--qemu-arg={path}"]

    return make


def cold_boot_on(hart: int, harts: int) -> list:
    """Changes that make the firmware boot on this hart. The harts' phandles are odd, from the last hart's on."""
    phandle = 2 * (harts - 1 - hart) + 1
    return [("-pc", "/chosen/opensbi-config"),
            ("-ts", "/chosen/opensbi-config", "compatible", "opensbi,config"),
            ("-tx", "/chosen/opensbi-config", "cold-boot-harts", f"{phandle:x}")]


@pytest.mark.parametrize("hart", [1, 3])
def test_B1_another_boot_hart(boot, device_tree, hart):
    log = boot(*device_tree(4, "512M", *cold_boot_on(hart, 4)))
    assert re.search(rf"entered on hart {hart} \(a0\)", log)
    assert "4 of 4 harts online" in log


def test_B1_hart_ids_with_gaps(boot, device_tree):
    changes = [("-ts", f"/cpus/cpu@{hart}", "status", "disabled") for hart in (0, 2)]
    log = boot(*device_tree(4, "512M", *changes))
    assert re.search(r"entered on hart [13] \(a0\)", log)
    assert "2 of 2 harts online" in log


def test_B3_runs_at_high_addresses(boot):
    match = re.search(r"running at pc ([0-9a-f]{16}), sp ([0-9a-f]{16}), offset ([0-9a-f]{16})", boot())
    assert match and all(value.startswith("ffff") for value in match.groups())


def test_B4_sections_are_aligned_and_protected(boot):
    sections = dict(re.findall(r"section (\w+) +([0-9a-f]+-[0-9a-f]+ \S+)", boot()))
    for name, rights in {"text": "r-x", "rodata": "r--", "data": "rw-"}.items():
        bounds, has = sections[name].split()
        assert has == rights
        assert all(int(address, 16) % 4096 == 0 for address in bounds.split("-"))


def test_B5_order_of_the_start(boot):
    """One line for each step, in this order."""
    steps = ["entered on hart", "allocator:", "memory management:", "platform:", "scheduler:", "interrupts",
             "secondary harts:", "constructors:", "boot: main", "exit:"]
    lines = [line for line in boot("--harts", "2").splitlines() if re.match(r"\[ *\d+\.\d+\].* boot: |.* smp: ", line)]
    places = [next(i for i, line in enumerate(lines) if step in line) for step in steps]
    assert places == sorted(places)


def test_B8_secondary_harts(boot):
    log = boot("--harts", "4")
    # The firmware enters us on whichever hart it likes; the others are the secondary ones.
    first = int(re.search(r"entered on hart (\d+)", log)[1])
    for hart in {0, 1, 2, 3} - {first}:
        assert re.search(rf"hart {hart}: secondary_main", log) and re.search(rf"hart {hart}: online", log)


def test_H1_hardware_support_is_answered(boot):
    log = boot("--harts", "2")
    assert re.search(r"hardware support: yes", log)
    assert re.search(r"Caisson hypervisor, 2 harts", log)


def test_H1_without_sstc(boot):
    assert "Sstc" not in boot("--cpu", "rv64,sstc=off").split("guest ISA")[0]


@pytest.mark.parametrize("options, name", [("", "sv39x4"), (",sv57=off", "sv39x4"), (",sv57=off,sv48=off", "sv39x4")])
def test_H3_guest_format_follows_the_machine(boot, options, name):
    assert name in boot("--cpu", "rv64" + options)


@pytest.mark.parametrize("name", ["sv39x4", "sv48x4", "sv57x4"])
def test_H3_every_guest_format(toml, tmp_path, name):
    log = tmp_path / "log"
    result = batch(toml("vm", kernel=guest("hello"), format=name), "--log", log)
    assert (result.status, result.out) == (0, HELLO)
    assert re.search(rf"vm: .*\b{name}\b", log.read_text(errors="replace"))


def test_H3_format_that_the_machine_lacks(toml):
    result = batch(toml("vm", kernel=guest("hello"), format="sv57x4"), "--cpu", "rv64,sv57=off")
    assert result.status == 2 and "sv57x4" in result.err


def test_H8_eager_memory(toml):
    result = batch(toml("vm", kernel=guest("probe"), append="test=zeroed", eager=True, memory="64M"))
    assert result.status == 0 and "PASS zeroed" in result.text


@pytest.mark.parametrize("machine", ["aia=none", "acpi=off", "aclint=on"])
def test_B1_machine_variants(boot, machine):
    boot("--machine", machine)


def test_B1_two_plics(boot):
    """With NUMA there is an interrupt controller per node."""
    nodes = ["-object", "memory-backend-ram,id=m0,size=256M", "-object", "memory-backend-ram,id=m1,size=256M",
             "-numa", "node,nodeid=0,cpus=0-1,memdev=m0", "-numa", "node,nodeid=1,cpus=2-3,memdev=m1"]
    boot("--harts", "4", "--ram", "512M", *[f"--qemu-arg={word}" for word in nodes])


def uboot_bundle(path, name: str) -> int:
    """The bundle that ./caisson would make for one of our guests (docs/host.md). @return its size."""
    from caisson import bundle, vmconfig

    values = {"kernel": guest(name), "memory": MEMORY}
    vm = vmconfig.build(values, vmconfig.Source("test", {}, typed=True), "guest")
    with open(path, "wb") as out:
        return bundle.write(out, [vm])


@pytest.mark.skipif(not os.path.exists("/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"), reason="no U-Boot")
def test_B1_started_by_uboot(tmp_path):
    """The same image under U-Boot's booti, with the bundle as initrd."""
    import pexpect

    archive = tmp_path / "bundle"
    size = uboot_bundle(archive, "hello")
    image = ROOT / "build" / "hypervisor" / "caisson.bin"
    child = pexpect.spawn("qemu-system-riscv64", [
        "-M", "virt", "-m", "1G", "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio",
        "-kernel", "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin",
        "-device", f"loader,file={image},addr=0x90000000,force-raw=on",
        "-device", f"loader,file={archive},addr=0x98000000,force-raw=on"], timeout=PATIENCE)
    try:
        stop_uboot(child)
        child.sendline("setenv bootargs batch")
        child.expect_exact("=> ")
        child.sendline(f"booti 0x90000000 0x98000000:{size:x} ${{fdtcontroladdr}}")
        child.expect(r"entered on hart \d+ \(a0\)")
        child.expect_exact("hello from a guest")
        assert end_of_run(child) == 0
    finally:
        child.close(force=True)


def test_own_load_and_entry_address(tmp_path):
    """--load and --entry: a few instructions that ask the firmware to print and to shut down."""
    source = tmp_path / "tiny.S"
    source.write_text("""
	.option	norelax
	j	wrong
	la	s0, text
1:	lbu	a0, (s0)
	beqz	a0, 2f
	li	a7, 1
	ecall
	addi	s0, s0, 1
	j	1b
2:	li	a7, 8
	ecall
wrong:	j	wrong
text:	.asciz	"entered\\n"
""")
    elf, flat = tmp_path / "tiny.elf", tmp_path / "tiny.bin"
    assert run(["riscv64-unknown-elf-gcc", "-march=rv64ima", "-mabi=lp64", "-nostdlib", "-Wl,-Ttext=0x84000000",
                "-Wl,--no-warn-rwx-segments", "-mcmodel=medany", "-o", elf, source]).err.count("error") == 0
    run(["riscv64-unknown-elf-objcopy", "-O", "binary", elf, flat])
    result = batch("--kernel", flat, "--load", "0x84000000", "--entry", "0x84000004")
    assert (result.status, result.out) == (0, b"entered\n")
