"""What a VM's life costs: from an order to its effect, and memory. Part of `./caisson bench`.

One hart under the instruction counter, whose log has microseconds: thousands of instructions. A line of the log
itself is some 1,500 instructions, and each time here has one or two of them.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

from caisson import paths, process
from caisson.errors import CannotStart

_VM = 'name = "v"\nkernel = "{kernel}"\nappend = "do={do}"\nmemory = "128M"\nstop-timeout = 0\ncpus = {cpus}\n'
_RING = 16 << 10  # scrollback
_MOST = 8         # CPUs of a VM


def table(work: Path) -> str:
    """A Markdown table."""
    times, sizes = _times(work), memory(work)
    lines = ["| a VM's life, one vCPU that spins with its interrupts off | instructions |", "| --- | ---: |"]
    lines += [f"| {title} | {value * 1000:,} |" for title, value in times.items()]
    lines += ["", "| memory of the hypervisor's own | bytes | target |", "| --- | ---: | ---: |"]
    lines += [f"| {title} | {value:,} | {target:,} |" for title, (value, target) in sizes.items()]
    return "\n".join(lines)


def _run(work: Path, script: list[str], cpus: int = 1, do: str = "hang") -> tuple[str, str]:
    """Log and standard error of a script beside one VM."""
    kernel = paths.guest_binary("storm")
    (work / "v.toml").write_text(_VM.format(kernel=kernel, cpus=cpus, do=do))
    (work / "script").write_text("\n".join([*script, "poweroff"]))
    log = work / "vms.log"
    result = process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "run", "--batch", "--icount", "--harts", "1",
                          "--log", str(log), "--script", str(work / "script"), str(work / "v.toml")],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode:
        sys.stderr.write(result.stderr.decode(errors="replace")[-2000:])
        raise CannotStart("a measurement of VMs failed")
    return log.read_text(errors="replace"), result.stderr.decode()


def _between(log: str, first: str, then: str) -> int:
    """Microseconds from a line of the log to the next line of the other kind."""
    found = re.search(rf"\[ *(\d+)\.(\d{{6}})\][^\n]*{first}\n(?:.*?\n)??\[ *(\d+)\.(\d{{6}})\][^\n]*{then}", log, re.DOTALL)
    if not found:
        raise CannotStart(f"the log has no '{first}' before '{then}'")
    seconds, us, later_seconds, later_us = map(int, found.groups())
    return (later_seconds - seconds) * 1_000_000 + later_us - us


def _times(work: Path) -> dict[str, int]:
    log, _ = _run(work, ["sleep 0.01", "vm pause v", "sleep 0.01", "vm resume v", "sleep 0.01", "vm stop v", "wait v ended",
                         "sleep 0.01", "vm start v", "sleep 0.01", "vm stop v", "wait v ended", "sleep 0.01", "vm delete v",
                         "sleep 0.01", "vm create v", "vm start v"])
    return {
        "pause: order to no vCPU in the guest": _between(log, "order: pause v", "vm: v: paused"),
        "stop: order to the VM's end": _between(log, "order: stop v", "vm: v: ended"),
        "start again: order to running (RAM and images anew)": _between(log, "order: start v", "vm: v: running"),
        "create and start: order to running": _between(log, "order: create v", "vm: v: running"),
    }


def memory(work: Path) -> dict[str, tuple[int, int]]:
    """Bytes, and the targets. Frames, so that what the heap has taken in blocks counts in full."""
    created = [_created(work, cpus) for cpus in (1, _MOST)]
    started = [_started(work, cpus) for cpus in (1, _MOST)]
    without_stack = (created[1] - created[0]) // (_MOST - 1)
    return {"a VM beyond RAM, page tables, scrollback, vCPUs": (created[0] - without_stack - _RING, 64 << 10),
            "a vCPU, its stack included": ((started[1] - started[0]) // (_MOST - 1), 16 << 10)}


def _created(work: Path, cpus: int) -> int:
    """Bytes that a VM takes when it is created, beyond what is the guest's. Its stack is there from before: they are kept."""
    before, after, stats = documents(_run(work, [
        "vm stop v", "wait v ended", "sleep 0.01", "vm delete v", "mem --json", "vm create v", "mem --json", "vm stats v --json"],
        cpus)[1])
    return before["free"] - after["free"] - stats["backed"] - stats["tables"]


def _started(work: Path, cpus: int) -> int:
    """Bytes that are in use on a machine with one VM all of whose vCPUs run, beyond what is the guest's."""
    memory, stats = documents(_run(work, ["sleep 0.3", "mem --json", "vm stats v --json"], cpus, "ipi")[1])
    if any(vcpu["state"] == "stopped" for vcpu in stats["vcpus"]):
        raise CannotStart("the guest has not started all its CPUs in time to measure them")
    return memory["total"] - memory["free"] - stats["backed"] - stats["tables"]


def documents(text: str) -> list[dict]:
    """What commands with --json have said, between anything else."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        document, length = decoder.raw_decode(text[at:])
        found.append(document)
        at += length
    return found
