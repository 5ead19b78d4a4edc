"""`./caisson bench --scale`: what one more VM costs the others. 1 to 64 small guests on two harts.

Instructions are those of a span of the machine's time in which somebody always runs, divided by what the guests
(guests/scale) have done in it together; both harts' instructions make the time go on.
"""
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from caisson import bench, bench_vms, paths, process
from caisson.errors import CannotStart

SIZES = (1, 2, 4, 8, 16, 32, 64)
_HARTS = 2
_SPAN = 30_000_000  # nanoseconds, which are instructions; as guests/scale has it
_LOOP = 9           # instructions of the guest's own in each round of calls
_RING = 16 << 10    # scrollback


@dataclass(frozen=True)
class Point:
    """What is so with this many VMs."""

    vms: int
    exit: float
    switch: float | None  # None: each has a hart of its own
    memory: float         # bytes of the hypervisor's own for each VM, beyond what one with no VM would have

    def cells(self) -> list[str]:
        return [str(self.vms), f"{self.exit:,.1f}", "-" if self.switch is None else f"{self.switch:,.0f}", f"{self.memory:,.0f}"]


def run() -> int:
    """Measure and print the table."""
    bench.prepare()
    print(table(measure()))
    return 0


def table(points: list[Point]) -> str:
    """A Markdown table."""
    lines = [f"| VMs on {_HARTS} harts | instructions for a null call | for a sleep that gives the hart away | bytes of ours for each VM, vCPU and stack included |",
             "| ---: | ---: | ---: | ---: |"]
    return "\n".join(lines + ["| " + " | ".join(point.cells()) + " |" for point in points])


def measure(sizes: tuple[int, ...] = SIZES) -> list[Point]:
    """A point for each number of VMs."""
    with tempfile.TemporaryDirectory(prefix="caisson-") as folder:
        work = Path(folder)
        without = 2 * _in_use(work, 1) - _in_use(work, 2)
        return [Point(n, _per_round(work, n, "calls") - _LOOP, _per_round(work, n, "sleeps") if n > _HARTS else None,
                      (_in_use(work, n) - without) / n) for n in sizes]


def _per_round(work: Path, n: int, what: str) -> float:
    print(f"caisson: measuring {n} VMs: {what}", file=sys.stderr, flush=True)
    result = _caisson(work, n, what)
    rounds = [int(number) for number in re.findall(r"rounds (\d+)\r?$", result.stdout.decode(errors="replace"), re.MULTILINE)]
    if result.returncode or len(rounds) != n or b"FAIL" in result.stdout:
        sys.stderr.write(result.stdout.decode(errors="replace")[-2000:])
        raise CannotStart(f"a measurement of {n} VMs failed")
    return _SPAN / sum(rounds)


def _in_use(work: Path, n: int) -> int:
    """Bytes that are neither free nor a guest's, with n VMs that sleep."""
    (work / "script").write_text("\n".join(["sleep 0.1", "mem --json", *(f"vm stats v{i} --json" for i in range(1, n + 1)), "poweroff"]))
    result = _caisson(work, n, "calls", "--script", str(work / "script"))
    memory, *stats = bench_vms.documents(result.stderr.decode(errors="replace"))
    if result.returncode or len(stats) != n:
        raise CannotStart(f"the memory of {n} VMs could not be measured")
    return memory["total"] - memory["free"] - sum(vm["backed"] + vm["tables"] + _RING for vm in stats)


def _caisson(work: Path, n: int, what: str, *words: str) -> subprocess.CompletedProcess:
    files = [_vm(work, f"v{i}", what) for i in range(1, n + 1)]
    return process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--quiet",
                        "--log-level", "error", "--harts", str(_HARTS), "--ram", "512M", *words, *files],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _vm(work: Path, name: str, what: str) -> str:
    path = work / f"{name}.toml"
    path.write_text(f'name = "{name}"\nkernel = "{paths.guest_binary("scale")}"\nappend = "do={what}"\nmemory = "4M"\n')
    return str(path)
