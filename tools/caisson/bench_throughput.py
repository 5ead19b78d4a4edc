"""Bytes per second through disks and networks, as ratios to bare QEMU in the same run. Part of `./caisson bench`.

By the clock, so it depends on what else this computer does: the best of a few runs counts, and only ratios are printed.
"""
import re
import subprocess
import sys
from pathlib import Path

from caisson import bench_io, disks, machine, paths, process
from caisson.errors import CannotStart
from caisson.values import MIB

_RUNS = 3
_DISK_MIB = 64
_FRAMES = {1514: 20_000, 65214: 5_000}  # by size


def table(work: Path) -> str:
    """A Markdown table."""
    lines = ["| bytes per second, by the clock | bare | Caisson | ratio |", "| --- | ---: | ---: | ---: |"]
    image = work / "stream.img"
    image.write_bytes(bytes(_DISK_MIB * MIB))
    bare, caisson = _best(lambda: _bare_disk(image)), _best(lambda: _vm_disk(image))
    lines += [_line(f"disk, {kind}s of 1 MiB, two under way", bare[kind], caisson[kind]) for kind in ("read", "write")]
    bare = _best(lambda: _bare_net(work))
    for size, title in ((1514, "frames of 1,514 bytes"), (65214, "TSO frames of 45 segments (bare: 1,514 bytes)")):
        caisson = _best(lambda size=size: _vm_net(work, size))
        lines.append(_line(f"guest to guest, {title}", bare["net"], caisson["net"]))
    return "\n".join(lines)


def _line(title: str, bare: float, caisson: float) -> str:
    return f"| {title} | {bare / MIB:,.0f} MiB | {caisson / MIB:,.0f} MiB | {caisson / bare:.2f} |"


def _best(measure) -> dict[str, float]:
    """Of each kind, in bytes per second."""
    runs = [measure() for _ in range(_RUNS)]
    return {kind: max(run[kind] for run in runs) for kind in runs[0]}


def _bare_disk(image: Path) -> dict[str, float]:
    plan = machine.Machine(disks=[disks.Disk(str(image))])
    return _disk(machine.command(plan, 128 * MIB, str(paths.guest_binary("bench")), None, f"block=all stream={_DISK_MIB}"))


def _vm_disk(image: Path) -> dict[str, float]:
    return _disk([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--quiet", "--memory", "16M", "--kernel",
                  str(paths.guest_binary("bench")), "--append", f"block=all stream={_DISK_MIB}", "--disk", str(image)])


def _disk(command: list[str]) -> dict[str, float]:
    text = process.run(command, stdout=subprocess.PIPE).stdout.decode(errors="replace")
    found = re.findall(r"stream (read|write) (\d+)", text)
    if len(found) != 2:
        raise CannotStart(f"the throughput of a disk could not be measured: {text[-500:]}")
    return {kind: _DISK_MIB * MIB / (int(us) / 1e6) for kind, us in found}


def _roles(size: int) -> list[str]:
    return [f"role={role} size={size} frames={_FRAMES[size]}" for role in ("stream", "sink")]


def _vm_net(work: Path, size: int) -> dict[str, float]:
    """Each VM has a hart."""
    lines = ["vm start v2", "sleep 0.5", "vm start v1", "wait v1 ended 60", "wait v2 ended 60"]
    vms = [bench_io.net_vm(work, number, append) for number, append in enumerate(_roles(size), 1)]
    text, _ = bench_io.run_vms(work, lines, vms, "--harts", "2")
    return _net(text)


def _bare_net(work: Path) -> dict[str, float]:
    """Two QEMUs and a socket, which has no TSO."""
    stream, sink = _roles(1514)
    receiver = process.spawn(_bare_command(work, sink, "on"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        said = b""
        while b"ready" not in said and (line := receiver.stdout.readline()):
            said += line
        process.run(_bare_command(work, stream, "off"), stdout=subprocess.DEVNULL)
        said += receiver.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        raise CannotStart("frames between two QEMUs were lost") from None
    finally:
        process.kill(receiver)
    return _net(said.decode(errors="replace"))


def _bare_command(work: Path, append: str, server: str) -> list[str]:
    plan = machine.Machine(nets=1, uplink=f"stream,server={server},addr.type=unix,addr.path={work}/socket")
    return machine.command(plan, 128 * MIB, str(paths.guest_binary("net")), None, append)


def _net(text: str) -> dict[str, float]:
    found = re.search(r"stream: (\d+) ns for (\d+) bytes", text)
    if not found:
        raise CannotStart(f"the throughput of a network could not be measured: {text[-500:]}")
    return {"net": int(found[2]) / (int(found[1]) / 1e9)}
