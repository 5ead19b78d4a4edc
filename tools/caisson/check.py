"""`./caisson run --check`: what a run would do, key by key, and what can be wrong with its files."""
import os
import re
import struct

from caisson import building, fetch, guests, machine, packages, paths, vmconfig
from caisson.errors import Errors, UsageError
from caisson.values import KIB, MIB, show_size

_DEFAULTS = {"append": '""', "entry": "from the image", "load": "from the image", "initrd-load": "below the device tree", "dtb-load": "as high as it fits", "dtb": "generated",
             "format": "the hypervisor's choice", "harts": "all", "initrd": "none"}
_SIZES, _ADDRESSES = ("memory", "scrollback"), ("entry", "load", "initrd-load", "dtb-load")
_ELF_RISCV = 243


def look_into(vms: list[vmconfig.VmConfig], options, errors: Errors) -> None:
    """What the hypervisor, or opening the log, would complain about later."""
    for vm in vms:
        if vm.kernel and vm.kernel.data.startswith(b"\x7fELF"):
            _check_elf(vm, errors)
        size = sum(len(image.data) for key in vmconfig.IMAGES if (image := getattr(vm, key)))
        if size > vm.memory:
            errors.add(vm.fail("memory", f"its images alone have {_about(size)}"))
    if options.log is not None:
        folder = os.path.dirname(options.log) or "."
        if os.path.isdir(options.log) or not os.access(folder, os.W_OK):
            errors.add(UsageError(f"--log {options.log}: no file can be written there"))


def _check_elf(vm: vmconfig.VmConfig, errors: Errors) -> None:
    header = vm.kernel.data[:20].ljust(20, b"\0")
    if header[4:6] != b"\2\1" or struct.unpack_from("<H", header, 18)[0] != _ELF_RISCV:
        errors.add(vm.fail("kernel", "an ELF, but not for 64-bit RISC-V"))


def report(plan: machine.Machine, vms: list[vmconfig.VmConfig], hypervisor: building.Variant) -> str:
    """Everything a run would do, in lines."""
    lines = [line for number, vm in enumerate(vms) for line in [*_describe_vm(number, vm), ""]]
    lines += _describe_machine(plan, vms)
    before = _before(vms, hypervisor)
    return "\n".join([*lines, "", "Before the start:" if before else "Everything is there.", *before]) + "\n"


def _describe_vm(number: int, vm: vmconfig.VmConfig) -> list[str]:
    width = max(map(len, vmconfig.KEYS))
    return [f"VM {number}, {vm.name}:"] + [f"  {key:{width}}  {_value(vm, key)}  ({_where(vm, key)})" for key in vmconfig.KEYS]


def _value(vm: vmconfig.VmConfig, key: str) -> str:
    value = getattr(vm, vmconfig.attribute(key))
    if isinstance(value, vmconfig.Image):
        return _image(value)
    if value is None:
        return _DEFAULTS.get(key, "none")
    if key in _SIZES:
        return show_size(value)
    if key in _ADDRESSES:
        return hex(value)
    return _literal(value)


def _literal(value) -> str:
    """As TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return '"' + value.encode(errors="backslashreplace").decode() + '"' if isinstance(value, str) else str(value)


def _where(vm: vmconfig.VmConfig, key: str) -> str:
    """Where a key was given: the line of the file, the option."""
    quote = vm.quotes.get(key, "")
    if quote.startswith("--") and not quote.endswith("(the default)"):
        return f"--{key}"
    line = re.match(r":([0-9]+): ", quote[len(vm.origin):]) if quote.startswith(vm.origin) else None
    if line:
        return f"{vm.origin}:{line[1]}"
    return "the file's name" if key == "name" and vm.origin.endswith(".toml") else "default"


def _image(image: vmconfig.Image) -> str:
    name = image.label if image.label == image.path else f"{image.label} = {image.path}"
    return f"{name}, {image.still or f'{_kind(image.data)}, {_about(len(image.data))}'}"


def _kind(data: bytes) -> str:
    if data[0x38:0x3C] == b"RSC\x05":
        return "RISC-V Image"
    for magic, kind in ((b"\x7fELF", "ELF"), (b"\xd0\x0d\xfe\xed", "device tree"), (b"070701", "cpio archive"),
                        (b"\x1f\x8b", "packed with gzip"), (b"\x28\xb5\x2f\xfd", "packed with zstd")):
        if data.startswith(magic):
            return kind
    return "raw bytes"


def _about(size: int) -> str:
    """A size for a person; exact where it is small."""
    if size < 10 * KIB:
        return f"{size} bytes"
    return f"{size / KIB:.1f} KiB" if size < MIB else f"{size / MIB:.1f} MiB"


# --- the machine ---


class _Counter:
    """A file that only knows how long it would be."""

    def __init__(self):
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)

    def tell(self) -> int:
        return self._size


def _bundle_size(vms: list[vmconfig.VmConfig]) -> int:
    try:
        from caisson import bundle  # needs a package that a run would install
    except ImportError:
        return sum(len(image.data) for vm in vms for key in vmconfig.IMAGES if (image := getattr(vm, key)))
    return bundle.write(_Counter(), vms)


def _describe_machine(plan: machine.Machine, vms: list[vmconfig.VmConfig]) -> list[str]:
    bundle, memory, cpus = _bundle_size(vms), sum(vm.memory for vm in vms), sum(vm.cpus for vm in vms)
    ram = machine.plan_ram(plan, vms, bundle)
    lines = [f"The machine ({plan.platform.name}{', ' + plan.cpu if plan.cpu else ''}):",
             f"  harts   {plan.harts} ({'--harts' if plan.harts != 1 else 'default'}); the VMs have {cpus} CPUs together",
             f"  memory  {show_size(ram)} ({_sum_of_memory(plan, vms, bundle, memory)})"]
    lines += [f"  note: {line}" for line in _sharing_of_harts(plan, vms)]
    if memory + bundle > ram:
        lines.append(f"  note: the VMs' {show_size(memory)} and their images are more than that: it is backed as it is "
                     "touched, and when it is out, the VM that asks is paused")
    return lines


def _sharing_of_harts(plan: machine.Machine, vms: list[vmconfig.VmConfig]) -> list[str]:
    owned = {hart: vm for vm in vms if vm.exclusive for hart in vm.harts or []}
    lines = [f"{_harts(vm.harts)} belongs to {vm.name} alone" for vm in owned.values()]
    sharing = [vm for vm in vms if not vm.exclusive]
    cpus, harts = sum(vm.cpus for vm in sharing), plan.harts - len(owned)
    if cpus > harts:
        lines.append(f"{cpus} CPUs share {harts} hart{'s' * (harts != 1)}")
    for vm in sharing:
        if vm.harts and vm.cpus > len(vm.harts):
            lines.append(f"the {vm.cpus} CPUs of {vm.name} share {_harts(vm.harts)}")
    return list(dict.fromkeys(lines))


def _harts(numbers: list[int]) -> str:
    return "hart " + ", ".join(map(str, numbers))


def _sum_of_memory(plan: machine.Machine, vms, bundle: int, memory: int) -> str:
    if plan.ram is not None:
        return "--ram"
    parts = " + ".join(show_size(vm.memory) for vm in vms)
    disks = sum(disk.memory() for vm in vms for disk in vm.disk)
    more = "at least " if any(image.still for vm in vms for key in vmconfig.IMAGES if (image := getattr(vm, key))) else ""
    if 2 * bundle > memory + bundle:
        return f"{more}twice the images' {_about(bundle)} + {show_size(machine.MARGIN)}, rounded up"
    for_disks = f" + {show_size(disks)} for their disks in memory" if disks else ""
    return f"{parts} for the VMs{for_disks} + {more}{_about(bundle)} of images + {show_size(machine.MARGIN)}, rounded up"


def _before(vms: list[vmconfig.VmConfig], hypervisor: building.Variant) -> list[str]:
    """What a run does before it starts QEMU."""
    lines = []
    if missing := packages.missing("run"):
        lines.append("  install " + " ".join(missing))
    stills = {(image.still, image.label) for vm in vms for key in vmconfig.IMAGES if (image := getattr(vm, key)) and image.still}
    lines += [f"  {label}: {still}" for still, label in sorted(stills)]
    if os.environ.get("CAISSON_IMAGE"):
        return lines
    if libraries := [library.name for library in fetch.LIBRARIES if not library.is_there()]:
        lines.append("  fetch the sources of " + ", ".join(libraries))
    folders = {guests.built_in(image.label) for vm in vms if (image := vm.kernel) and not image.still}
    lines += [f"  bring up to date {folder}" for folder in sorted(folder for folder in folders if folder)]
    image = os.path.relpath(hypervisor.image, paths.ROOT)
    lines.append(f"  {'bring up to date' if hypervisor.image.exists() else 'build'} {image}")
    return lines
