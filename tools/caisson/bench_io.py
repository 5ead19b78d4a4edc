"""What requests to a disk and frames between two VMs cost: instructions and exits. Part of `./caisson bench`.

One hart under the instruction counter. A disk of the host answers in the host's time, so there the machine's time must not
jump ahead while it is waited for: sleep=on; and the guest counts by `instret`, which stands still in between. A disk in RAM
and frames between guests have nothing of the host's in them: they repeat exactly, so they are among the figures that are kept.
"""
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from caisson import bench_vms, disks, machine, paths, process
from caisson.errors import CannotStart
from caisson.values import MIB

_ICOUNT = ["-icount", "shift=0,sleep=on"]
_ROUNDS, _BEFORE = 2000, 256  # requests that are counted, and those that the guest makes before them
_TARGET, _RIVAL = 5_000, 39_000
_PING_TARGET, _PING_RIVAL = 20_000, 156_000
_DISK_SIZE = 2 * MIB
FRAMES = {64: "frame of 64 bytes, of a flood", 1514: "frame of 1,514 bytes, of a flood",
          65214: "frame of 45 TCP segments (TSO), of a flood"}
_OPERATIONS = {
    "read-1": "read of 4 KiB, one under way",
    "read-8": "read of 4 KiB, eight under way",
    "write-1": "write of 4 KiB, one under way",
    "write-8": "write of 4 KiB, eight under way",
    "flush-1": "flush",
}


@dataclass(frozen=True)
class Cost:
    """Of one operation, everything executed anywhere included."""

    instructions: float
    exits: float


def tables(work: Path) -> str:
    """Markdown tables."""
    return "\n\n".join([_disk_table(_bare_disk(work), disk_costs(work, ram=False), disk_costs(work, ram=True)),
                        _net_table(ping_cost(work), {size: flood_cost(work, size) for size in FRAMES})])


def kept(work: Path) -> dict[str, dict[str, float]]:
    """The tables that repeat exactly, for the figures that are kept."""
    frames = {f"frame of {size} bytes": flood_cost(work, size).instructions for size in FRAMES}
    return {"disk in RAM": {name: cost.instructions for name, cost in disk_costs(work, ram=True).items()},
            "guest to guest": {"ping": ping_cost(work).instructions, **frames}}


def disk_costs(work: Path, ram: bool) -> dict[str, Cost]:
    """A VM for each operation, one after the other, and one more that only begins with its disk."""
    names = ["none", *_OPERATIONS]
    lines = [line for name in names for line in (f"vm start {name}", f"wait {name} ended 60", f"vm stats {name} --json")]
    counting = ["--icount"] if ram else ["--qemu-arg=" + word for word in _ICOUNT]
    text, stats = run_vms(work, lines, [_disk_vm(work, name, ram) for name in names], *counting)
    exits = {document["name"]: _exits(document) for document in stats}
    return {name: Cost(cost, (exits[name] - exits["none"]) / (_ROUNDS + _BEFORE)) for name, cost in _rows(text).items()}


def ping_cost(work: Path) -> Cost:
    """There and back."""
    few, many = (_between_two(work, f"role=ping rounds={rounds}", "role=pong", r"(\d+) ns each") for rounds in (0, 1000))
    return Cost(many.instructions, (many.exits - few.exits) / 1000)


def flood_cost(work: Path, size: int) -> Cost:
    """One way, sixteen frames for each notification."""
    few, many = (_between_two(work, *(f"role={role} size={size} frames={n}" for role in ("stream", "sink")),
                              r"stream: (\d+) ns") for n in (1000, 3000))
    return Cost((many.instructions - few.instructions) / 2000, (many.exits - few.exits) / 2000)


def _between_two(work: Path, first: str, second: str, pattern: str) -> Cost:
    """In all, by what one of them says; the second one is there first."""
    lines = ["vm start v2", "sleep 0.02", "vm start v1", *(f"wait {name} ended 60" for name in ("v1", "v2")),
             *(f"vm stats {name} --json" for name in ("v1", "v2"))]
    text, stats = run_vms(work, lines, [net_vm(work, 1, first), net_vm(work, 2, second)], "--icount")
    return Cost(float(re.search(pattern, text)[1]), sum(map(_exits, stats)))


def _disk_vm(work: Path, name: str, ram: bool) -> str:
    image = work / f"{name}.img"
    image.write_bytes(bytes(_DISK_SIZE))
    disk = f"ram = {_DISK_SIZE}" if ram else f'file = "{image}"'
    return _write(work, name, "bench", f"block={name} rounds={_ROUNDS}", f"[[disk]]\n{disk}\n", "autostart = false\n")


def net_vm(work: Path, number: int, append: str) -> str:
    """The description of v1 or v2, which waits to be started."""
    return _write(work, f"v{number}", "net", append, f'[[net]]\nmac = "02:00:00:00:00:{number:02x}"\n', "autostart = false\n")


def _write(work: Path, name: str, guest: str, append: str, device: str, head: str = "") -> str:
    path = work / f"{name}.toml"
    path.write_text(f'name = "{name}"\nkernel = "{paths.guest_binary(guest)}"\nappend = "{append}"\nmemory = "16M"\n{head}{device}')
    return str(path)


def run_vms(work: Path, lines: list[str], vms: list[str], *words: str) -> tuple[str, list[dict]]:
    """What the guests print, and what `vm stats --json` says."""
    print(f"caisson: measuring {' and '.join(Path(vm).stem for vm in vms)}", file=sys.stderr, flush=True)
    (work / "script").write_text("\n".join([*lines, "poweroff"]))
    result = process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--quiet", *words,
                          "--script", str(work / "script"), *vms], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text, said = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
    if result.returncode or "FAIL" in text:
        sys.stderr.write((text + said)[-2000:])
        raise CannotStart("a measurement of disks or networks failed")
    return text, bench_vms.documents(said)


def _bare_disk(work: Path) -> dict[str, float]:
    """QEMU's own disk, which takes no instructions of the machine's: what is left is the guest's driver."""
    image = work / "bare.img"
    image.write_bytes(bytes(_DISK_SIZE))
    plan = machine.Machine(disks=[disks.Disk(str(image))], qemu_args=_ICOUNT)
    result = process.run(machine.command(plan, 128 * MIB, str(paths.guest_binary("bench")), None, f"block=all rounds={_ROUNDS}"),
                         stdout=subprocess.PIPE)
    rows = _rows(result.stdout.decode(errors="replace"))
    if result.returncode or rows.keys() != _OPERATIONS.keys():
        raise CannotStart("the disk of bare QEMU could not be measured")
    return rows


def _rows(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"\brow (\S+) ([0-9.]+)\r?$", text, re.MULTILINE)}


def _exits(stats: dict) -> int:
    return sum(vcpu["exits"] for vcpu in stats["vcpus"])


def _disk_table(bare: dict[str, float], file: dict[str, Cost], ram: dict[str, Cost]) -> str:
    lines = ["| a VM's disk, per request | bare | a file of the host | exits | in RAM | exits | target | a rival |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, title in _OPERATIONS.items():
        lines.append(_row(title, f"{bare[name]:,.0f}", *_cells(file[name], _TARGET), *_cells(ram[name], _TARGET),
                          f"{_TARGET:,}", f"{_RIVAL:,}"))
    return "\n".join(lines)


def _net_table(ping: Cost, floods: dict[int, Cost]) -> str:
    lines = ["| two VMs, from guest to guest | instructions | exits | target | a rival |", "| --- | ---: | ---: | ---: | ---: |",
             _row("ping of 98 bytes, there and back", *_cells(ping, _PING_TARGET), f"{_PING_TARGET:,}", f"{_PING_RIVAL:,}")]
    lines += [_row(title, *_cells(floods[size]), "-", "-") for size, title in FRAMES.items()]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(cost: Cost, target: int | None = None) -> list[str]:
    """What is above its target stands out."""
    missed = target is not None and cost.instructions >= target
    return [f"{cost.instructions:,.0f}" + (" (!)" if missed else ""), f"{cost.exits:.1f}"]
