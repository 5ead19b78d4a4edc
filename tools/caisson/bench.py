"""`./caisson bench`: instructions per operation, beside the same image on bare QEMU and the targets.

Everything runs under QEMU's instruction counter with one hart: an instruction is
a nanosecond of the machine's time, and the time counter ticks every hundred.
"""
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from caisson import (bench_entry, bench_io, bench_outside, bench_processes, bench_throughput, bench_vms, building, fetch, initramfs, machine, packages, paths,
                     process, runner)
from caisson.errors import CannotStart
from caisson.values import MIB

_TICK = 100  # instructions
_NO_SSTC = "rv64,sstc=off"


@dataclass(frozen=True)
class Row:
    """One operation: the guest's name for it, ours, and the most it may cost (with, without Sstc)."""

    key: str
    title: str
    target: int | None = None
    target_without: int | None = None


ROWS = [
    Row("empty-loop", "empty loop"),
    Row("null-call", "null SBI call", 100),
    Row("unknown-call", "unknown SBI call", 120),
    Row("known-least", "function that no extension has: the cheapest of 11 extensions"),
    Row("known-most", "the same: the dearest of them", 120, 120),
    Row("unknown-least", "call of an unknown extension: the cheapest of 64 ids"),
    Row("unknown-most", "the same: the dearest of them", 120, 120),
    Row("set-timer", "SBI set_timer", 120, 520),
    Row("stimecmp-write", "write of stimecmp", 3),
    Row("time-read", "read of the time counter", 3),
    Row("cycle-read", "read of the cycle counter", 3),
    Row("timer-spinning", "timer: deadline to handler, spinning", 50, 520),
    Row("timer-wfi", "timer: deadline to handler out of WFI", 60),
    Row("wfi-wake", "WFI wake-up, interrupt masked", 60),
    Row("ipi-self", "IPI to oneself, to handler and back", 220),
    Row("remote-sfence", "remote sfence.vma to oneself", 140),
    Row("remote-fence-i", "remote fence.i to oneself", 140),
    Row("device-interrupt", "device interrupt through the PLIC", 1200),
    Row("uart-read", "UART register read (scratch)", 200),
    Row("uart-read-s1", "UART register read into s1, which C functions preserve", 200),
    Row("uart-lsr-read", "UART register read (line status)", 200),
    Row("uart-write", "UART register write (scratch)", 200),
    Row("uart-write-s1", "UART register write from s1", 200),
    Row("uart-output", "byte written to the UART, its line status polled before (two accesses)"),
    Row("plic-read", "PLIC register read", 200),
    Row("in-turn-2", "virtio register read, those of 2 devices in turn", 200, 200),
    Row("in-turn-8", "the same, of 8 devices", 200, 200),
    Row("first-touch", "first touch of a 4 KiB page", 150),
    Row("first-touch-by-hart", "first touch, where no device zeroes memory", 150),
    Row("first-touch-stock", "first touch, zeroed frames in stock", 20, 20),
    Row("dbcn-write-1", "console write of 1 byte"),
    Row("dbcn-write-64", "console write of 64 bytes"),
    Row("dbcn-write-66", "console write of 66 bytes", 2500),
    Row("hart-start", "hart start, to its first instruction (two CPUs share the hart)"),
    Row("wfi-given-away", "WFI wake-up, the hart given to another CPU meanwhile", 400),
    Row("switch-slice", "switch to another CPU of a VM, at the end of a slice"),
    Row("switch-yield", "the same, yielded to it (WRS.NTO)"),
    Row("remote-sfence-asleep", "remote sfence.vma to another CPU, which does not run"),
    Row("ipi-asleep", "IPI to another CPU that sleeps, to its first instruction (two CPUs share the hart)"),
    Row("entry", "own entry to a guest's first instruction", 500_000),
    Row("entry-by-hart", "own entry, where no device zeroes memory", 500_000),
]

_TWO_CPUS = ("hart-start", "wfi-given-away", "switch-slice", "switch-yield", "remote-sfence-asleep", "ipi-asleep")

BASE_ROWS = [
    Row("main", "from _start to main, one hart, 128 MiB, log off"),
    Row("empty-call", "empty call in a loop (taken off below)"),
    Row("null-trap", "exception, to its handler and back"),
    Row("timer-arm", "timer armed and cancelled"),
    Row("heap", "kalloc and kfree of 64 bytes"),
    Row("frame", "frame_alloc and frame_free of one frame"),
    Row("page-fault", "fault on a lazy page: frame found, zeroed, mapped"),
    Row("switch", "switch to another task (task_yield)"),
    Row("wake-up", "notify to the woken task's return from waitq_wait"),
    Row("ipi-call", "call by IPI to the own hart, the firmware's part included"),
    Row("create-join", "task created, run and joined"),
]


COLUMNS = ("bare", "caisson", "bare-no-sstc", "caisson-no-sstc")


def run(whole_boot: bool) -> int:
    """Measure and print the table. Returns 0, or 1 when a measurement failed."""
    prepare()
    with tempfile.TemporaryDirectory(prefix="caisson-") as folder:
        work = Path(folder)
        print(_table([*guest_rows(work).values()]))
        print("\n" + _base_table(base_rows(work)) + "\n")
        print(bench_vms.table(work) + "\n")
        print(bench_io.tables(work) + "\n")
        print(bench_processes.table(work) + "\n")
        if whole_boot:
            print(_boot_lines(work) + "\n")
            print(bench_entry.table(bench_entry.measure(work, work / "entry.bin")) + "\n")
            print(bench_outside.table(bench_outside.measure(work, init_program(work))) + "\n")
            print(bench_throughput.table(work))
    return 0


def prepare() -> None:
    """Everything that is measured is there and up to date."""
    packages.ensure("bench")
    runner.image_to_run(building.Variant())
    building.build_guests()


def guest_rows(work: Path) -> dict[str, dict[str, float]]:
    """ROWS: what the bench guest says, by COLUMNS."""
    image = paths.guest_binary("bench")
    columns = [_rows(_bare(image, "rv64")), _rows(_in_vm(image, "rv64")), _rows(_bare(image, _NO_SSTC)), _rows(_in_vm(image, _NO_SSTC))]
    _add_entry(work, columns)
    columns[1]["first-touch-by-hart"] = _rows(_in_vm(image, "rv64", *machine.WITHOUT_ENGINE))["first-touch"]
    _add_two_cpus(image, columns)
    _add_in_turn(work, image, columns)
    return dict(zip(COLUMNS, columns))


def base_rows(work: Path) -> dict[str, dict[str, float]]:
    """BASE_ROWS: what the application kbench says, by scheduling class. After guest_rows()."""
    return {sched: _base(work, sched) for sched in building.SCHEDULERS}


def _bare(image: Path, cpu: str, initrd: Path | None = None, append: str = "", ram: int = 512 * MIB) -> str:
    """What the image prints on QEMU with its firmware and no hypervisor."""
    plan = machine.Machine(cpu=cpu, icount=True)
    return _output(machine.command(plan, ram, str(image), str(initrd) if initrd else None, append),
                   f"{image.name} on bare QEMU, {cpu}")


def _in_vm(image: Path, cpu: str, *words: str) -> str:
    """What the image prints in a VM."""
    return _output([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--quiet",
                    "--ram", "512M", "--memory", "128M", "--cpu", cpu, "--kernel", str(image), *words],
                   f"{image.name} in a VM, {cpu}")


def _output(command: list[str], what: str) -> str:
    print(f"caisson: measuring {what}", file=sys.stderr, flush=True)
    result = process.run(command, stdout=subprocess.PIPE)
    text = result.stdout.decode(errors="replace")
    if result.returncode or "FAIL" in text:
        sys.stderr.write(text[-2000:])
        raise CannotStart(f"a measurement failed with status {result.returncode}: {' '.join(command)}")
    return text


def _rows(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"\brow (\S+) ([0-9.]+)\r?$", text, re.MULTILINE)}


def _ticks(text: str) -> int:
    """The number that entry.S or init.S printed on a line of its own."""
    numbers = re.findall(r"^([0-9]+)\r?$", text, re.MULTILINE)
    if not numbers:
        raise CannotStart("a measurement printed no number")
    return int(numbers[-1])


def _add_entry(work: Path, columns: list[dict]) -> None:
    """Our start, up to the first instruction of a 64 KiB guest: the difference to bare QEMU.

    Firmware walks the device tree many times, so it is given the same properties to walk over.
    """
    image = work / "entry.bin"
    image.write_bytes(_assemble("entry", work, "-Wl,-Ttext=0x80200000").ljust(64 << 10, b"\0"))
    for bare, caisson, cpu in ((columns[0], columns[1], "rv64"), (columns[2], columns[3], _NO_SSTC)):
        firmware = _ticks(_bare(image, cpu, image, "framed loglevel=error batch"))
        caisson["entry"] = (_ticks(_in_vm(image, cpu, "--log-level", "error")) - firmware) * _TICK
        bare["entry"] = 0
        if cpu == "rv64":
            caisson["entry-by-hart"] = (_ticks(_in_vm(image, cpu, "--log-level", "error", *machine.WITHOUT_ENGINE)) - firmware) * _TICK


def _add_two_cpus(image: Path, columns: list[dict]) -> None:
    """These need a second CPU; on one hart it takes its turns there."""
    for column, cpu in ((columns[1], "rv64"), (columns[3], _NO_SSTC)):
        column |= _only(_TWO_CPUS, _rows(_in_vm(image, cpu, "--cpus", "2")))


def _add_in_turn(work: Path, image: Path, columns: list[dict]) -> None:
    """What a device costs beside one other, and beside seven: as many as a VM has places for."""
    for devices in (2, 8):
        vm = work / f"in-turn-{devices}.toml"
        vm.write_text(f'name = "v"\nkernel = "{image}"\nappend = "devices={devices}"\n' + "[[disk]]\nram = 4096\n" * devices)
        for column, cpu in ((columns[1], "rv64"), (columns[3], _NO_SSTC)):
            text = _output([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--quiet", "--cpu", cpu,
                            str(vm)], f"{devices} devices in turn, {cpu}")
            column[f"in-turn-{devices}"] = _rows(text)["in-turn"]


def _only(keys: tuple[str, ...], rows: dict[str, float]) -> dict[str, float]:
    return {key: rows[key] for key in keys if key in rows}


def _assemble(name: str, work: Path, *flags: str, binary: bool = True) -> bytes:
    """Build one of tests/bench/*.S."""
    elf, flat = work / f"{name}.elf", work / f"{name}.bin"
    for command in (["riscv64-unknown-elf-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-nostdlib",
                     "-static", "-Wl,--no-warn-rwx-segments", *flags, "-o", str(elf),
                     str(paths.ROOT / "tests" / "bench" / f"{name}.S")],
                    ["riscv64-unknown-elf-objcopy", "-O", "binary", str(elf), str(flat)]):
        if process.run(command).returncode:
            raise CannotStart(f"tests/bench/{name}.S could not be built")
    return (flat if binary else elf).read_bytes()


def init_program(work: Path) -> bytes:
    """An init that says when it runs, and powers off."""
    return _assemble("init", work, binary=False)


def _base(work: Path, sched: str) -> dict[str, float]:
    """What the application kbench measures under a scheduling class."""
    text = _output([sys.executable, str(paths.ROOT / "tools" / "caisson"), "app", "--icount", "--log-level", "error",
                    "--ram", "128M", "--sched", sched, "kbench"], f"the base, class {sched}")
    firmware = _ticks(_bare(work / "entry.bin", "rv64", append="framed loglevel=error", ram=128 * MIB))
    at_main = int(re.search(r"^ticks-at-main (\d+)", text, re.MULTILINE)[1])
    return {**_rows(text), "main": (at_main - firmware) * _TICK}


def _base_table(columns: dict[str, dict]) -> str:
    """The component kernel's own operations, on bare QEMU: a column for each scheduling class."""
    lines = ["| the base, instructions per operation | " + " | ".join(sched.upper() for sched in columns) + " |",
             "| --- |" + " ---: |" * len(columns)]
    for row in BASE_ROWS:
        cells = [row.title, *(_cell(rows.get(row.key)) for rows in columns.values())]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _table(columns: list[dict]) -> str:
    """A Markdown table, so that it can go into a document as it is."""
    lines = ["| instructions per operation | bare | Caisson | target | bare, no Sstc | Caisson, no Sstc | target |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for row in ROWS:
        values = [column.get(row.key) for column in columns]
        if any(value is not None for value in values):
            cells = [row.title, _cell(values[0]), _marked(values[1], row.target), _cell(row.target),
                     _cell(values[2]), _marked(values[3], row.target_without), _cell(row.target_without)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _marked(value: float | None, target: int | None) -> str:
    """A value above its target stands out."""
    missed = value is not None and target is not None and value >= target + 0.5
    return _cell(value) + (" (!)" if missed else "")


def _boot_lines(work: Path) -> str:
    """Debian's kernel from its entry to the first instruction of init, bare and in a VM.

    The time counter also runs while the guest waits for a timer, by as much as it waits.
    """
    debian = fetch.debian()
    initrd = work / "initramfs"
    initramfs.make(initrd, debian / "busybox", init=init_program(work))
    lines = ["| Debian, kernel entry to init, waiting included | bare | Caisson | ratio |", "| --- | ---: | ---: | ---: |"]
    for append in ("console=ttyS0", "console=ttyS0 quiet"):
        bare = _bare_boot(work, debian / "vmlinux", initrd, append)
        caisson = _vm_boot(work, debian / "vmlinux", initrd, append)
        lines.append(f"| `{append}` | {bare / 1e6:,.1f} million | {caisson / 1e6:,.1f} million "
                     f"| {caisson / bare:.3f} |")
    return "\n".join(lines)


def _bare_boot(work: Path, kernel: Path, initrd: Path, append: str) -> int:
    plan = machine.Machine(icount=True)
    end = _ticks(_output(machine.command(plan, 512 * MIB, str(kernel), str(initrd), append),
                         f"{kernel.name} on bare QEMU"))
    return (end - _ticks(_bare(work / "entry.bin", "rv64", initrd, append))) * _TICK


def _vm_boot(work: Path, kernel: Path, initrd: Path, append: str) -> int:
    """The log tells when the guest was entered, in microseconds, which are thousands of instructions."""
    log = work / "log"
    text = _in_vm(kernel, "rv64", "--memory", "512M", "--ram", "1G", "--initrd", str(initrd),
                  "--append", append, "--log", str(log))
    entered = re.search(r"\[ *(\d+)\.(\d{6})\].* guest: running", log.read_text(errors="replace"))
    if not entered:
        raise CannotStart("the log does not say when the guest was entered")
    return _ticks(text) * _TICK - (int(entered[1]) * 10**6 + int(entered[2])) * 1000
