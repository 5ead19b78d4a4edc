"""What own entry, from `_start` to the guest's first instruction, consists of: the machine's counter of instructions, read by
gdb where each phase begins. The release build runs as it is; breakpoints take no instructions of the machine's.
"""
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from caisson import paths, process

_IMAGE_BASE = 0x80200000
PHASES = {  # the function that a phase begins with, or the first instruction; what it is for
    f"*{_IMAGE_BASE:#x}": "first page tables, stack",
    "boot_entry": "device tree checked, harts, boot arguments",
    "arch_features_init": "what the harts can do",
    "ram_discover": "RAM, allocator of frames",
    "kspace_init": "page tables of the kernel",
    "drivers_probe": "drivers",
    "sched_init": "scheduler, interrupts, initrd",
    "main": "H extension of each hart",
    "guest_isa_init": "what guests can be given, consoles",
    "vms_start": "the VM's description",
    "vm_create": "the VM, its vCPU and devices",
    "vm_boot": "places of its images",
    "image_load": "its kernel, with the 2 MiB below it zeroed",
    "vm_build_dt": "its device tree, with the 2 MiB around it zeroed",
    "vm_start": "its vCPU's task comes onto the hart",
}
_END = "vcpu_enter"
_SCRIPT = """\
set pagination off
{breakpoints}
python
for _ in range({stops}):
    gdb.execute("continue", to_string=True)
    print("phase", gdb.newest_frame().pc(), int(gdb.parse_and_eval("$minstret")), flush=True)
end
kill
"""


@dataclass(frozen=True)
class Phase:
    """One of PHASES."""

    title: str
    instructions: int


def measure(work: Path, image: Path) -> list[Phase] | None:
    """Of a VM with this image; None where it could not be done (there is no gdb)."""
    script = work / "entry.gdb"
    places = [*PHASES, _END]
    script.write_text(_SCRIPT.format(breakpoints="\n".join(f"tbreak {place}" for place in places), stops=len(places)))
    print("caisson: measuring the phases of own entry", file=sys.stderr, flush=True)
    # Time may not jump here: the debugger stops the machine, and nothing would ever be due.
    result = process.run([sys.executable, str(paths.ROOT / "tools" / "caisson"), "debug", "--batch", "--quiet", "--log-level", "error",
                          "--qemu-arg=-icount", "--qemu-arg=shift=0,sleep=on", "--ram", "512M", "--memory", "128M", "--kernel", str(image),
                          "--", "-batch", "-x", str(script)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = phases(result.stdout.decode(errors="replace"))
    if not found:
        print("caisson: the phases of own entry could not be measured", file=sys.stderr)
    return found


def phases(text: str) -> list[Phase] | None:
    """From what gdb said; None: it did not stop everywhere."""
    counts = [int(count) for count in re.findall(r"^phase \d+ (\d+)\r?$", text, re.MULTILINE)]
    if len(counts) != len(PHASES) + 1:
        return None
    return [Phase(title, after - before) for title, before, after in zip(PHASES.values(), counts, counts[1:])]


def table(found: list[Phase] | None) -> str:
    """A Markdown table."""
    if not found:
        return ""
    lines = ["| own entry, by phase | instructions |", "| --- | ---: |"]
    lines += [f"| {phase.title} | {phase.instructions:,} |" for phase in found]
    return "\n".join([*lines, f"| all | {sum(phase.instructions for phase in found):,} |"])
