"""
Device trees that lack or contradict something: a message that names it, and the boot goes on where it can.

The firmware reads the same tree. What it does not survive itself (no timebase-frequency, say) only the unit
tests can show; and where the serial line is not to be found, it has no console either, and the exit status
must tell how far we came.
"""
import re
import subprocess

import pytest

from machines import batch, guest, run

HELLO = b"hello from a guest\n"
UART, PLIC, SOC = "/soc/serial@10000000", "/soc/plic@c000000", "/soc"


@pytest.fixture
def tree(tmp_path):
    """QEMU's device tree with changes. A change is a line of fdtput's, or a function from source text to source text."""
    def make(*changes, harts=2, ram="512M") -> list:
        path, source = tmp_path / "machine.dtb", tmp_path / "machine.dts"
        subprocess.run(["qemu-system-riscv64", "-M", f"virt,dumpdtb={path}", "-smp", str(harts), "-m", ram],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for change in changes:
            if callable(change):
                text = subprocess.run(["dtc", "-q", "-I", "dtb", path], check=True, capture_output=True, text=True).stdout
                changed = change(text)
                assert changed != text, "the change changes nothing"
                source.write_text(changed)
                subprocess.run(["dtc", "-q", "-f", "-O", "dtb", "-o", path, source], check=True)
            else:
                words = change.split()
                subprocess.run(["fdtput", words[0], path, *words[1:]], check=True)
        return ["--harts", harts, "--ram", ram, "--qemu-arg=-dtb", f"--qemu-arg={path}"]

    return make


@pytest.fixture
def boot(tmp_path, tree):
    """Boot on a changed tree: a guest still runs. @return the hypervisor's log."""
    def boot(*changes, **machine) -> str:
        log = tmp_path / "log"
        result = batch("--kernel", guest("hello"), "--log", log, *tree(*changes, **machine))
        text = log.read_text(errors="replace")
        assert (result.status, result.out) == (0, HELLO), result.err + text[-3000:]
        return text

    return boot


def raw(options: list, image: str) -> str:
    """The image on bare QEMU without a bundle: the output, and the status (2 says that main() was reached)."""
    words = ["qemu-system-riscv64", "-M", "virt", "-smp", str(options[1]), "-m", options[3], "-nographic",
             "-kernel", image, "-append", "batch", *[word.split("=", 1)[1] for word in options[4:]]]
    result = run(words)
    return f"{result.text}\nstatus {result.status}"


def test_the_tree_as_it_is(boot):
    log = boot()
    assert "warn" not in log and "error" not in log, log


# --- harts ---


def test_disabled_harts(boot):
    """Also ids with gaps: harts 1 and 3 are used."""
    log = boot("-ts /cpus/cpu@0 status disabled", "-ts /cpus/cpu@2 status disabled", harts=4)
    assert "2 of 2 harts online" in log


def left_alone(hart: int) -> str:
    """The firmware may refuse, or believe the tree and start what is not there: then there is no answer."""
    return rf"hart {hart}(: the firmware does not start it| does not answer; going on without it)"


def test_hart_that_is_not_there(boot):
    log = boot(add_hart("<0x29>"), harts=2)
    assert re.search(left_alone(41), log), log[-3000:]
    assert "2 of 3 harts online" in log


def test_hart_id_beyond_32_bits(boot):
    log = boot(wide_ids, add_hart("<0x07 0x05>"), harts=2)
    assert re.search(left_alone(7 << 32 | 5), log), log[-3000:]
    assert "2 of 3 harts online" in log


def test_hart_that_is_there_twice(boot):
    log = boot(add_hart("<0x01>"), harts=2)
    assert "hart 1 is told of twice" in log
    assert "2 of 2 harts online" in log


def add_hart(reg: str):
    """One more hart, that only the text knows."""
    def change(text: str) -> str:
        hart = f"""cpu@extra {{ device_type = "cpu"; reg = {reg}; compatible = "riscv"; status = "okay";
            riscv,isa = "rv64imafdch"; riscv,isa-base = "rv64i"; mmu-type = "riscv,sv57"; }};
            cpu-map {{"""
        return text.replace("cpu-map {", hart, 1)

    return change


def wide_ids(text: str) -> str:
    """Two cells for a hart's id."""
    head, cpus = text.split("cpus {", 1)
    cpus = cpus.replace("#address-cells = <0x01>", "#address-cells = <0x02>", 1)
    cpus = re.sub(r'(device_type = "cpu";\s*reg = <)(0x\w+>)', r"\g<1>0x00 \2", cpus)
    return head + "cpus {" + cpus


# --- memory ---


def test_memory_told_of_twice(boot):
    """The second node is inside the first: no frame may be handed out twice."""
    log = boot("-pc /memory@90000000", "-ts /memory@90000000 device_type memory",
               "-tx /memory@90000000 reg 0 90000000 0 4000000", ram="512M")
    assert re.search(r"RAM at [89]0000000-\w+ is told of twice", log)
    free = int(re.search(r"allocator: (\d+) MiB free", log)[1])
    assert 512 - 40 <= free < 512


def test_memory_of_size_zero_and_beyond_the_end(boot):
    log = boot("-pc /memory@1", "-ts /memory@1 device_type memory", "-tx /memory@1 reg 0 d0000000 0 0",
               "-pc /memory@2", "-ts /memory@2 device_type memory", "-tx /memory@2 reg ffffffff 0 ffffffff 0")
    assert "left out: beyond the linear map" in log


def test_reserved_memory_that_makes_no_sense(boot):
    """Beyond all RAM, without a size, wrapping around, not readable: the rest holds."""
    reserved = "/reserved-memory"
    boot(f"-pc {reserved}/far", f"-tx {reserved}/far reg ff 0 0 1000",
         f"-pc {reserved}/nothing", f"-tx {reserved}/nothing reg 0 90000000 0 0",
         f"-pc {reserved}/wraps", f"-tx {reserved}/wraps reg ffffffff fffff000 ffffffff ffffffff",
         f"-pc {reserved}/short", f"-tx {reserved}/short reg 0 90000000",
         f"-pc {reserved}/noreg")


def test_no_memory_at_all(tree, hypervisor):
    options = tree("-ts /memory@80000000 status disabled")
    text = raw(options, hypervisor)
    assert "tells of no RAM" in text and "cannot start: out of memory" in text, text


def test_initrd_outside_of_ram(tree, hypervisor):
    options = tree("-tx /chosen linux,initrd-start 10 0", "-tx /chosen linux,initrd-end 10 1000")
    text = raw(options, hypervisor)
    assert "initrd at 1000000000-1000001000 left alone" in text, text


@pytest.fixture
def hypervisor() -> str:
    from machines import ENVIRONMENT

    return ENVIRONMENT["CAISSON_IMAGE"]


# --- devices ---


def test_addresses_through_ranges(boot):
    """Everything on the bus of the devices is 0x1_0000_0000 lower in the tree than in the machine."""
    def shift(text: str) -> str:
        head, soc = text.split("\tsoc {", 1)
        soc = soc.replace("ranges;", "ranges = <0x01 0x00 0x00 0x00 0x00 0x80000000>;", 1)
        soc = re.sub(r"(\n\t\t\w[^{}\n]*\{(?:(?!\n\t\t\};).)*?\breg = <)0x00 ", r"\g<1>0x01 ", soc, flags=re.DOTALL)
        return head + "\tsoc {" + soc

    log = boot(shift)
    assert "ns16550: bound" in log and "plic: bound" in log and "warn" not in log


@pytest.mark.parametrize("change", [
    f"-d {UART} reg", f"-tx {UART} reg 0 10000000 0 0", f"-tx {UART} reg 0 10000000",
    "-tx /soc ranges 0 0 0 0 0 10000000",
], ids=["missing", "zero-length", "cut-off", "outside-of-its-bus"])
def test_serial_line_that_is_not_there(tree, hypervisor, change):
    assert raw(tree(change), hypervisor).endswith("status 2")


def test_device_where_nothing_is(boot):
    """A second test finisher, before the real one."""
    node = "/soc/test@8000000"
    log = boot(f"-pc {node}", f"-ts {node} compatible sifive,test0", f"-tx {node} reg 0 8000000 0 1000")
    assert "sifive-test: test@8000000 not bound: nothing answers" in log
    assert "sifive-test: bound to test@100000" in log


def test_plic_without_contexts(boot):
    """Those of M-mode only: the firmware needs them."""
    log = boot(f"-tx {PLIC} interrupts-extended 4 b 2 b")
    assert "no context for any of our harts" in log
    assert re.search(r"serial@10000000.*controller that we do not use", log)


@pytest.mark.parametrize("change, said", [
    (f"-d {PLIC} riscv,ndev", "plic: plic@c000000 not bound: a property makes no sense"),
    (f"-tx {PLIC} phandle 99", "serial@10000000: its interrupt cannot be read"),
    (f"-tx {UART} interrupt-parent 2", "controller that we do not use"),
    (f"-d {UART} interrupt-parent", "its interrupt cannot be read"),
    (f"-tx {UART} interrupts 4000", "no interrupt (error -22): output by polling"),
    (f"-d {PLIC} #interrupt-cells", "its interrupt cannot be read"),
])
def test_interrupts_that_lead_nowhere(boot, change, said):
    """Output goes on by polling."""
    assert said in boot(change)


def test_interrupt_parents_in_a_circle(boot):
    """The serial line's parent is the serial line."""
    log = boot(f"-tx {UART} phandle 77", f"-tx {UART} interrupt-parent 77")
    assert "serial@10000000: its interrupt cannot be read" in log
