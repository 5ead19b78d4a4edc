"""`./caisson bench --jitter`: how late a guest's timer fires, shared and alone on a hart (docs/partitioning.md).

The guest is guests/jitter. On one hart everything runs under QEMU's instruction counter, so these figures repeat
exactly. With two harts that is not possible: there the times are what this computer happened to show, and what
counts is how often something other than the guest ran on its hart.
"""
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from caisson import building, fetch, initramfs, packages, paths, process, runner
from caisson.errors import CannotStart

_COUNTED, _OBSERVED = 1000, 5000  # periods of a millisecond
_WORK = (0, 300, 600)  # microseconds in each
_BUSY = ["for i in 1 2; do sha256sum /dev/zero & done", "wait"]
_OWN = "harts = [1]\nexclusive = true\n"
_INTERRUPTS = ("timer", "ipi", "external")


@dataclass
class Run:
    """What one run of the guest has shown."""

    late: tuple[float, float, float]  # microseconds: least, average, most
    missed: int
    exits: dict[str, int]
    own: tuple[int, int] | None  # task switches and timer interrupts of its own hart

    def times(self) -> list[str]:
        return [f"{value:,.1f}" for value in self.late] + [str(self.missed)]

    def events(self) -> list[str]:
        interrupts = sum(self.exits[cause] for cause in _INTERRUPTS)
        return [*(map(str, self.own) if self.own else ("-", "-")), str(interrupts), str(self.exits["wfi"]),
                str(self.exits["ecall"])]


def run() -> int:
    """Measure and print both tables."""
    packages.ensure("bench")
    runner.image_to_run(building.Variant())
    building.build_guests()
    with tempfile.TemporaryDirectory(prefix="caisson-") as folder:
        work = Path(folder)
        _print_counted(work)
        _print_observed(work)
    return 0


def _print_counted(work: Path) -> None:
    print(f"| one hart, counted: {_COUNTED} periods of 1 ms | works for | late, least (us) | average | most | missed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for micros in _WORK:
        for title, neighbours in (("alone", []), ("beside a busy vCPU", [_storm(work)])):
            done = _measure(work, f"periods={_COUNTED} work-us={micros}", "", neighbours, ["--icount"])
            print(f"| {title} | {micros} us | " + " | ".join(done.times()) + " |", flush=True)
    print()


def _print_observed(work: Path) -> None:
    debian = _debian(work)
    print(f"| two harts, observed: {_OBSERVED} periods of 1 ms, works for 300 us "
          "| late, least (us) | average | most | missed | task switches | timer interrupts | exits by interrupts | trapped WFI | SBI calls |")
    print("| --- |" + " ---: |" * 9)
    for title, keys, neighbours in (("shared, alone", "", []), ("shared, beside a busy Debian", "", [debian]),
                                    ("own hart, alone", _OWN, []), ("own hart, beside a busy Debian", _OWN, [debian])):
        done = _measure(work, f"periods={_OBSERVED} work-us=300", keys, neighbours, ["--harts", "2"])
        print(f"| {title} | " + " | ".join(done.times() + done.events()) + " |", flush=True)


def _storm(work: Path) -> Path:
    return _write(work, "busy", "guest:storm", "cpus = 1\n", "do=work rounds=100000000")


def _debian(work: Path) -> Path:
    """Debian with two CPUs that compute once it has booted."""
    folder = fetch.debian()
    initramfs.make(work / "initramfs", folder / "busybox", _BUSY)
    return _write(work, "debian", "guest:debian/vmlinux", 'cpus = 2\ninitrd = "initramfs"\n', "console=ttyS0 quiet",
                  memory="256M")


def _write(work: Path, name: str, kernel: str, keys: str, append: str, memory: str = "16M") -> Path:
    path = work / f"{name}.toml"
    path.write_text(f'kernel = "{kernel}"\nmemory = "{memory}"\nappend = "{append}"\n{keys}')
    return path


def _measure(work: Path, append: str, keys: str, neighbours: list[Path], words: list[str]) -> Run:
    guest = _write(work, "rt", "guest:jitter", keys, append)
    script, log = work / "script", work / "log"
    script.write_text("wait rt ended 600\npoweroff\n")
    names = ", ".join(path.stem for path in [guest, *neighbours])
    print(f"caisson: measuring {names}, {append}{', own hart' if keys else ''}", file=sys.stderr, flush=True)
    command = [sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", *words]
    files = ["--log", str(log), "--script", str(script), str(guest), *map(str, neighbours)]
    result = process.run([*command, *files], stdout=subprocess.PIPE)
    return _read(result.stdout.decode(errors="replace"), log.read_text(errors="replace"))


def _read(text: str, log: str) -> Run:
    told = re.search(r"jitter: periods \d+ missed (\d+) late min (\d+) avg (\d+) max (\d+) ticks of (\d+) ns", text)
    used = re.search(r" rt: used .*; exits:(.*)", log)
    if not told or not used:
        raise CannotStart("the guest did not report: " + text[-200:])
    missed, *late, tick = map(int, told.groups())
    own = re.search(r" rt: hart \d+ was its own: (\d+) task switches, (\d+) timer interrupts", log)
    return Run(tuple(ticks * tick / 1000 for ticks in late), missed,
               {cause: int(n) for cause, n in re.findall(r"([\w-]+)=(\d+)", used[1])},
               (int(own[1]), int(own[2])) if own else None)
