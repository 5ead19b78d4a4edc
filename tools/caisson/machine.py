"""The machine that QEMU plays: its options, checked, and the command that starts it."""
import os
import shutil
from dataclasses import dataclass, field

from caisson import channels, nets, platforms
from caisson.disks import Disk, qemu_words
from caisson.errors import CannotStart, Errors, UsageError
from caisson.values import MIB, parse_integer, parse_size, round_up, show_size

MIN_RAM = 32 * MIB
MARGIN = 128 * MIB  # for the hypervisor itself
DEFAULT_GDB_PORT = 1234
WITHOUT_ENGINE = ("--qemu-arg=-global", "--qemu-arg=fw_cfg_mem.dma_enabled=off")  # ./caisson run: harts zero memory themselves
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01T00:00:00,clock=vm"]


@dataclass
class Machine:
    """The machine options of the command line."""

    platform: platforms.Platform = field(default_factory=lambda: platforms.read(None))
    harts: int = 1
    ram: int | None = None  # None: what the VMs need and some more
    cpu: str | None = None  # None: the platform's
    machine: str | None = None
    icount: bool = False
    gdb: int | None = None
    qemu_args: list[str] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    nets: int = 0  # network devices
    uplink: str = "user"  # QEMU's -netdev of the first


def from_options(options, errors: Errors | None = None) -> Machine:
    """Check the machine options. They arrive as text, so that errors can quote it."""
    errors = errors or Errors()
    platform = _platform(options.platform, errors)
    if options.cpu is not None and platform.cpu is None:
        errors.add(UsageError(f"--cpu {options.cpu}: the CPUs of {platform.name} cannot be chosen"))

    def checked(option, text, check, default):
        try:
            return default if text is None else check(text)
        except ValueError as error:
            errors.add(UsageError(f"{option} {text}: {error}"))
            return default

    return Machine(
        platform=platform,
        harts=checked("--harts", options.harts, lambda text: _harts(text, platform), 1),
        ram=checked("--ram", options.ram, _ram, None),
        cpu=checked("--cpu", options.cpu, _not_empty, None),
        machine=checked("--machine", options.machine, _not_empty, None),
        icount=options.icount,
        gdb=checked("--gdb", options.gdb, _port, None),
        qemu_args=options.qemu_arg,
        uplink=checked("--uplink", options.uplink, _not_empty, Machine.uplink),
    )


def _platform(name: str | None, errors: Errors) -> platforms.Platform:
    try:
        return platforms.read(name)
    except UsageError as error:
        errors.add(error)
        return platforms.read(None)


def _harts(text: str, platform: platforms.Platform) -> int:
    harts = parse_integer(text)
    if not 1 <= harts <= platform.max_harts:
        raise ValueError(f"a machine has 1 to {platform.max_harts} harts")
    return harts


def _ram(text: str) -> int:
    ram = parse_size(text)
    if ram < MIN_RAM:
        raise ValueError(f"the hypervisor needs at least {show_size(MIN_RAM)}")
    if ram % MIB:
        raise ValueError("the machine's memory comes in multiples of 1M")
    return ram


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("the value is empty")
    return text


def _port(text: str) -> int:
    port = parse_integer(text) if text else DEFAULT_GDB_PORT
    if not 1 <= port <= 65535:
        raise ValueError("not a TCP port")
    return port


def host_memory() -> int:
    """Memory and swap of this computer; Linux refuses to map more than that at once."""
    kilobytes = {}
    with open("/proc/meminfo") as lines:
        for line in lines:
            key, value = line.split(":")
            kilobytes[key] = int(value.split()[0])
    return (kilobytes["MemTotal"] + kilobytes.get("SwapTotal", 0)) * 1024


def plan_ram(machine: Machine, vms, bundle_size: int) -> int:
    """The machine's memory in bytes: as asked for, or what the VMs and their images need."""
    if machine.ram is None:
        # QEMU puts the bundle in the middle of memory (at 512 MiB if that is lower).
        wanted = sum(vm.memory for vm in vms) + bundle_size + MARGIN
        wanted += sum(channel.size for channel in channels.gather(vms))
        wanted += sum(disk.memory() for vm in vms for disk in vm.disk)
        return round_up(max(wanted, 2 * bundle_size + MARGIN), 16 * MIB)
    return machine.ram


def check_memory(machine: Machine, vms, errors: Errors) -> None:
    """The VMs fit the machine, and the machine fits this computer."""
    if machine.ram is not None:
        _check_against_ram(machine.ram, vms, errors)
    limit = host_memory()
    for vm in vms:
        if vm.memory > limit:
            errors.add(vm.fail("memory", f"this computer has only {limit // MIB}M"))
    needed = machine.ram if machine.ram is not None else sum(vm.memory for vm in vms)
    if needed > limit:
        what = f"--ram {show_size(needed)}" if machine.ram else f"memory of the VMs together, {show_size(needed)}"
        errors.add(UsageError(f"{what}: this computer has only {limit // MIB}M"))


def _check_against_ram(ram: int, vms, errors: Errors) -> None:
    """Each must fit. Together they may have more: a VM's memory is backed when it is touched."""
    for vm in vms:
        if vm.memory > ram:
            errors.add(vm.fail("memory", f"the machine has only {show_size(ram)} (--ram)"))


def check_places(machine: Machine, errors: Errors) -> None:
    """Each disk and each network device of the machine has a place."""
    wanted, places = len(machine.disks) + machine.nets, machine.platform.virtio_places
    if wanted > places == 0:
        errors.add(UsageError(f"--platform {machine.platform.name}: this machine has no disks and networks"))
    elif wanted > places:
        errors.add(UsageError(f"{len(machine.disks)} disks and {machine.nets} uplinks: the machine has places for {places}"))


def check_harts(machine: Machine, vms, errors: Errors) -> None:
    """Every hart that a VM names exists."""
    for vm in vms:
        for hart in vm.harts or []:
            if hart >= machine.harts:
                errors.add(vm.fail("harts", f"the machine has no hart {hart}: --harts is {machine.harts}"))


def qemu_program() -> str:
    """QEMU's path. CAISSON_QEMU names another program."""
    name = os.environ.get("CAISSON_QEMU") or "qemu-system-riscv64"
    path = shutil.which(name)
    if not path:
        raise CannotStart(f"{name}: no such program")
    return path


def has_place_for_line(machine: Machine) -> bool:
    """Is there one for a virtio console, besides the disks and networks?"""
    return machine.platform.virtio_places > len(machine.disks) + machine.nets


def _line_words(early: int | None) -> list[str]:
    words = ["-chardev", "stdio,id=serial0,signal=off"]
    if early is None:
        return words + ["-serial", "chardev:serial0"]
    return words + ["-chardev", f"file,id=early,path=/dev/fd/{early}", "-serial", "chardev:early", *nets.MODERN,
                    "-device", "virtio-serial-device", "-device", "virtconsole,chardev=serial0"]


def command(machine: Machine, ram: int, image: str, initrd: str | None, boot_args: str, early: int | None = None) -> list[str]:
    """QEMU's command line. The one serial line is on its standard input and output.

    early: a descriptor that gets what is written to the UART; the line is a virtio console then, which is faster.
    """
    platform, cpu = machine.platform, machine.cpu or machine.platform.cpu
    words = [qemu_program(), "-M", platform.machine + (f",{machine.machine}" if machine.machine else ""),
             *(["-cpu", cpu] if cpu else []),
             "-smp", str(machine.harts + platform.more_harts), "-m", f"{ram // MIB}M",
             *platform.qemu_args, "-nodefaults", "-display", "none", "-monitor", "none",
             *_line_words(early), "-kernel", image]
    if initrd:
        words += ["-initrd", initrd]
    words += ["-append", boot_args]
    if machine.icount:
        words += ICOUNT
    if machine.gdb is not None:
        words += ["-gdb", f"tcp:127.0.0.1:{machine.gdb}", "-S"]
    return words + qemu_words(machine.disks) + nets.qemu_words(machine.nets, machine.uplink) + machine.qemu_args
