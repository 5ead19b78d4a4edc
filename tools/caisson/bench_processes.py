"""What system calls, page faults and processes cost, beside Debian's Linux on the same bare QEMU. Part of `./caisson bench`.

One program (tests/bench/processes.c) runs on both, on one hart under the instruction counter. What it costs is everything
executed anywhere, the program's own few instructions of each round too.
"""
import re
import subprocess
import sys
from pathlib import Path

from caisson import fetch, initramfs, machine, paths, process
from caisson.errors import CannotStart
from caisson.values import MIB

ROWS = {
    "null-call": "null call (getppid)",
    "open-close": "open and close of a file",
    "stat": "stat of a path",
    "write-4k": "lseek and write of 4 KiB",
    "read-4k": "lseek and read of 4 KiB",
    "first-touch": "page fault: first touch of a page",
    "copy-on-write": "page fault: page copied when written after fork",
    "mmap-munmap": "mmap of a page, first touch, munmap",
    "fork-exit": "fork, exit and wait",
    "fork-exit-large": "fork, exit and wait, with 4 MiB touched",
    "fork-exec": "fork, exec, exit and wait",
    "pipe-round-trip": "pipe: a byte there and back between two processes",
    "yield-alone": "sched_yield with nobody else",
    "yield-to-other": "sched_yield to another process and back",
    "signal": "signal to oneself, to its handler and back",
}
_RAM = 512 * MIB


def table(work: Path) -> str:
    """A Markdown table."""
    program = build(work)
    caisson, linux = on_caisson(program), on_linux(work, program)
    lines = ["| processes, instructions per operation | Linux | Caisson |", "| --- | ---: | ---: |"]
    lines += [f"| {title} | {f'{linux[key]:,.0f}' if linux else '-'} | {caisson[key]:,.0f} |" for key, title in ROWS.items()]
    return "\n".join(lines)


def build(work: Path) -> Path:
    """The program: no C library, a static executable."""
    program = work / "processes"
    source = paths.ROOT / "tests" / "bench" / "processes.c"
    if process.run(["riscv64-unknown-elf-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-O2", "-Wall", "-Wextra",
                    "-Werror", "-ffreestanding", "-nostdlib", "-static", "-Wl,--no-warn-rwx-segments",
                    "-o", str(program), str(source)]).returncode:
        raise CannotStart(f"{source.relative_to(paths.ROOT)} could not be built")
    return program


def on_caisson(program: Path) -> dict[str, float]:
    """On the monolith."""
    return _measured([sys.executable, str(paths.ROOT / "tools" / "caisson"), "exec", "--icount", "--ram", f"{_RAM // MIB}M",
                      str(program)], "processes on the monolith")


def on_linux(work: Path, program: Path) -> dict[str, float] | None:
    """As process 1 of Debian's kernel; None where that is not to be had."""
    try:
        debian = fetch.debian()
    except CannotStart as error:
        print(f"caisson: {error}", file=sys.stderr)
        return None
    initrd = work / "processes.cpio"
    initramfs.make(initrd, debian / "busybox", init=program.read_bytes())
    return _measured(machine.command(machine.Machine(icount=True), _RAM, str(debian / "vmlinux"), str(initrd), "console=ttyS0 quiet"),
                     "processes on Linux")


def _measured(command: list[str], what: str) -> dict[str, float]:
    print(f"caisson: measuring {what}", file=sys.stderr, flush=True)
    result = process.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    text = result.stdout.decode(errors="replace")
    rows = {name: float(value) for name, value in re.findall(r"^row (\S+) ([0-9.]+)\r?$", text, re.MULTILINE)}
    if result.returncode or "FAIL" in text or rows.keys() != ROWS.keys():
        sys.stderr.write(text[-2000:])
        raise CannotStart(f"a measurement failed with status {result.returncode}: {what}")
    return rows
