"""How many locks the hypervisor takes for an operation of a guest: `./caisson bench --locks`.

A debug build counts them, and the bench guest asks it before and after (guests/bench/locks.c).
"""
import re
import subprocess
import sys
from dataclasses import dataclass

from caisson import paths, process
from caisson.errors import CannotStart


@dataclass(frozen=True)
class Row:
    """An operation, and the locks that it may take: those of what the VM's vCPUs share."""

    title: str
    locks: tuple[str, ...] = ()


_UART, _PLIC = "UART", "PLIC"

ROWS = {
    "null-call": Row("null SBI call"),
    "unknown-call": Row("unknown SBI call"),
    "set-timer": Row("SBI set_timer"),
    "timer-spinning": Row("timer armed by call, to its handler, spinning"),
    "timer-wfi": Row("timer armed by call, to its handler out of WFI"),
    "ipi-self": Row("IPI to oneself, to handler and back"),
    "remote-sfence": Row("remote sfence.vma to oneself"),
    "remote-fence-i": Row("remote fence.i to oneself"),
    "hart-status": Row("SBI hart_get_status"),
    "counters-number": Row("SBI number of counters"),
    "cycle-read": Row("read of the cycle counter"),
    "uart-read": Row("UART register read (scratch)"),
    "uart-lsr-read": Row("UART register read (line status)"),
    "uart-write": Row("UART register write (scratch)"),
    "plic-read": Row("PLIC register read (priority)"),
    "plic-pending-read": Row("PLIC register read (pending)"),
    "plic-claim": Row("PLIC claim, nothing there", (_PLIC,)),
    "uart-iir-read": Row("UART register read (interrupt identification)", (_UART,)),
    "uart-ier-write": Row("UART register write (interrupt enable)", (_UART,)),
    "device-interrupt": Row("device interrupt through the PLIC", (_UART,) * 3 + (_PLIC,) * 4),
    "first-touch-2m": Row("first touch of 2 MiB of RAM", ("stage-2 tables", "frames")),
    "dbcn-write-1": Row("console write of 1 byte", ("machine's serial line",)),
}


def run() -> int:
    """Measure and print the table. @return 0, or 1: an operation takes more than it may."""
    counts = {name: measure(cpu) for name, cpu in (("Sstc", "rv64"), ("no Sstc", "rv64,sstc=off"))}
    print("\n".join([f"| locks per operation | {' | '.join(counts)} | of |", "| --- |" + " ---: |" * len(counts) + " --- |",
                     *(_line(row, [count[key] for count in counts.values()]) for key, row in ROWS.items())]))
    return 1 if any(too_many(count) for count in counts.values()) else 0


def measure(cpu: str) -> dict[str, float]:
    """What each operation of ROWS takes."""
    command = [sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--debug", "--batch", "--icount", "--quiet",
               "--ram", "512M", "--memory", "128M", "--cpu", cpu, "--append", "locks=all", "--kernel", str(paths.guest_binary("bench"))]
    result = process.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    rows = {name: float(value) for name, value in re.findall(r"\brow (\S+) ([0-9.]+)\r?$", result.stdout.decode(errors="replace"), re.MULTILINE)}
    if result.returncode or rows.keys() != ROWS.keys():
        sys.stderr.write((result.stdout + result.stderr).decode(errors="replace")[-2000:])
        raise CannotStart(f"locks could not be counted: {' '.join(command)}")
    return rows


def too_many(counts: dict[str, float]) -> dict[str, float]:
    """The operations that take more than they may."""
    return {key: count for key, count in counts.items() if count > len(ROWS[key].locks)}


def _line(row: Row, counts: list[float]) -> str:
    of = [f"{name} ({row.locks.count(name)})" if row.locks.count(name) > 1 else name for name in dict.fromkeys(row.locks)]
    return f"| {row.title} | " + " | ".join(f"{count:g}" for count in counts) + f" | {', '.join(of) or '-'} |"
