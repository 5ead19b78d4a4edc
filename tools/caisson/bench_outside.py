"""What Debian's kernel makes others execute while it boots, the hypervisor and the firmware: in all, and by cause of the exit.

A counter that stands still in guests says it exactly (./caisson run --costs). The whole comes from a build that reads it at the
start and at the end alone; the causes from one that reads it at each exit and takes off what that takes.
"""
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from caisson import fetch, initramfs, machine, paths, process
from caisson.errors import CannotStart

TARGETS = {"console=ttyS0": 15_000_000, "console=ttyS0 quiet": 400_000}  # by boot arguments
HOST = "host"  # other tasks, idle loops, interrupts that came meanwhile
WHY = {
    "mmio-write": "the 8250 driver writes each byte of the console with a store of its own, and the guest's interrupts go through the PLIC",
    "mmio-read": "before each byte the driver asks the UART whether there is room for it",
    "ram-fault": "RAM is backed when the guest first touches it, 2 MiB at a time, and zeroed by a device where there is one",
    "ecall": "SBI calls: what the firmware is asked at the start, timers",
    "timer": "the hypervisor's own timers come while the guest runs",
    HOST: "from the order to start it to its first instruction, and from its end to the count",
}


@dataclass(frozen=True)
class Outside:
    """Of one boot."""

    total: int | None         # instructions, of the build that counts nothing else; None: not measured
    causes: dict[str, int]    # the same by cause, HOST among them; their sum is the total but for some instructions of each exit
    exits: dict[str, int]
    by_hart: int | None = None  # the total where no device zeroes memory

    def largest(self, n: int = 3) -> list[str]:
        """The causes that take the most."""
        return sorted(self.causes, key=lambda cause: -self.causes[cause])[:n]


def measure(work: Path, init: bytes, totals: bool = True) -> dict[str, Outside] | None:
    """By boot arguments; None where Debian is not to be had. Without totals it takes half as long."""
    try:
        debian = fetch.debian()
    except CannotStart as error:
        print(f"caisson: {error}", file=sys.stderr)
        return None
    initrd = work / "outside.cpio"
    initramfs.make(initrd, debian / "busybox", init=init)
    return {append: _of_boot(work, debian / "vmlinux", initrd, append, totals) for append in TARGETS}


def _of_boot(work: Path, kernel: Path, initrd: Path, append: str, totals: bool) -> Outside:
    total, by_hart = (_lines(work, "total", kernel, initrd, append, words)[0]["all"] if totals else None for words in ((), machine.WITHOUT_ENGINE))
    causes, exits = _lines(work, "causes", kernel, initrd, append)
    del causes["all"]
    return Outside(total, {cause: n for cause, n in causes.items() if n}, {cause: n for cause, n in exits.items() if n}, by_hart)


def _lines(work: Path, what: str, kernel: Path, initrd: Path, append: str, words: tuple[str, ...] = ()) -> list[dict[str, int]]:
    """What the log says at the VM's end: instructions, and exits."""
    log = work / "outside.log"
    print(f"caisson: measuring what is executed outside {kernel.name}, {append}, {what}", file=sys.stderr, flush=True)
    result = process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--quiet", "--costs", what,
                          "--ram", "1G", "--memory", "512M", "--kernel", str(kernel), "--initrd", str(initrd), "--append", append,
                          "--log", str(log), *words], stdout=subprocess.DEVNULL)
    text = log.read_text(errors="replace") if log.exists() else ""
    found = [re.search(kind + ".*", text) for kind in ("instructions outside guests:", "exits:")]
    if result.returncode or not all(found):
        raise CannotStart("what is executed outside Debian could not be measured")
    return [{name: int(number) for name, number in re.findall(r"([a-z-]+)=(\d+)", line[0])} for line in found]


def rows(measured: dict[str, Outside]) -> dict[str, float]:
    """For the figures that are kept: causes, and what they come to."""
    return {f"{append}: {cause}": float(n) for append, outside in measured.items()
            for cause, n in {**outside.causes, "sum": sum(outside.causes.values())}.items()}


def table(measured: dict[str, Outside] | None) -> str:
    """A Markdown table."""
    if not measured:
        return ""
    lines = ["| outside the guest, Debian's boot to init | " + " | ".join(f"`{append}` | exits | each" for append in measured) + " |",
             "| --- |" + " ---: | ---: | ---: |" * len(measured)]
    causes = {cause: n for outside in reversed(measured.values()) for cause, n in outside.causes.items()}
    for cause in sorted(causes, key=lambda cause: -causes[cause]):
        lines.append(f"| {cause} | " + " | ".join(_cells(outside, cause) for outside in measured.values()) + " |")
    lines.append("| all, by a build that counts nothing else | " + " | ".join(
        f"{_marked(outside.total, TARGETS[append])} | {sum(outside.exits.values()):,} |" for append, outside in measured.items()) + " |")
    if any(outside.by_hart is not None for outside in measured.values()):
        lines.append("| all, where no device zeroes memory | " + " | ".join(
            f"{_marked(outside.by_hart, TARGETS[append])} | |" for append, outside in measured.items()) + " |")
    lines.append("| target | " + " | ".join(f"{TARGETS[append]:,} | |" for append in measured) + " |")
    return "\n".join(lines)


def _marked(total: int | None, target: int) -> str:
    """A total above its target stands out."""
    return "-" if total is None else f"{total:,}" + (" (!)" if total > target else "")


def _cells(outside: Outside, cause: str) -> str:
    instructions, exits = outside.causes.get(cause, 0), outside.exits.get(cause, 0)
    return f"{instructions:,} | {f'{exits:,}' if exits else '-'} | {f'{instructions / exits:,.0f}' if exits else '-'}"
