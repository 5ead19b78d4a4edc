"""What makes Debian's kernel leave the guest while it boots, over time: for the page of `./caisson bench --html`."""
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from caisson import bench_vms, fetch, initramfs, paths, process
from caisson.errors import CannotStart

_STEP_MS, _SAMPLES = 50, 19


@dataclass(frozen=True)
class Boot:
    """Exits by cause: how many by when, and in all."""

    samples: list[tuple[int, dict[str, int]]]  # milliseconds of the machine's time
    total: dict[str, int]


def measure(work: Path, init: bytes) -> Boot:
    """One boot with its console on the UART, to an init that powers off; the monitor is asked now and then."""
    debian, initrd = fetch.debian(), work / "boot.cpio"
    initramfs.make(initrd, debian / "busybox", init=init)
    (work / "debian.toml").write_text(f'name = "debian"\nkernel = "{debian / "vmlinux"}"\ninitrd = "{initrd}"\n'
                                      'append = "console=ttyS0"\nmemory = "512M"\n')
    ask = "vm stats debian --json"
    (work / "boot-script").write_text("\n".join([f"sleep {_STEP_MS / 1000}\n{ask}"] * _SAMPLES + ["wait debian ended 60", ask, "poweroff"]))
    print("caisson: measuring exits of Debian's boot", file=sys.stderr, flush=True)
    result = process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--quiet", "--ram", "1G",
                          "--script", str(work / "boot-script"), str(work / "debian.toml")],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answers = [_by_cause(answer) for answer in bench_vms.documents(result.stderr.decode(errors="replace"))]
    if result.returncode or len(answers) != _SAMPLES + 1:
        raise CannotStart("the exits of Debian's boot could not be measured")
    return Boot([((i + 1) * _STEP_MS, answer) for i, answer in enumerate(answers[:-1])], answers[-1])


def _by_cause(stats: dict) -> dict[str, int]:
    causes: dict[str, int] = {}
    for row in stats["exits"]:
        causes[row["cause"]] = causes.get(row["cause"], 0) + row["exits"]
    return causes
