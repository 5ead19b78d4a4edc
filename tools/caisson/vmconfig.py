"""What a VM is made of, checked. Values come from options (text) or from a TOML file (typed)."""
import difflib
import os
from dataclasses import dataclass, field
from typing import Any, Callable

from caisson import channels, images, networks, vmdisks
from caisson.errors import Errors, UsageError
from caisson.values import KIB, MIB, NAME, parse_integer, parse_size, show_size
from caisson.values import want as _want

MAX_CPUS = 8
MAX_BOOTARGS = 2047
MAX_HART = 63
MAX_WEIGHT = 10000
DEFAULT_STOP_TIMEOUT = 10
MAX_SECONDS = 3600
MAX_PLUGINS = 4
MIN_MEMORY = 2 * MIB
MIN_SCROLLBACK, MAX_SCROLLBACK = 4 * KIB, MIB
DEFAULT_MEMORY = 256 * MIB
FORMATS = ("sv39x4", "sv48x4", "sv57x4")
CONSOLES = ("uart", "virtio")
RESTARTS = ("never", "on-crash", "always")
# What a guest can have (vmm/include/vmm/isa.h), and what none has: V is not switched between guests, H is ours.
EXTENSIONS = ("i", "m", "a", "f", "d", "c", "zicbom", "zicboz", "zicntr", "zicsr", "zifencei", "zihintpause", "zihpm",
              "zawrs", "zba", "zbb", "zbc", "zbs", "zbkb", "zbkc", "zbkx", "sstc", "svinval", "svnapot", "svpbmt",
              "svadu", "ssstateen")
NO_GUESTS_EXTENSIONS = ("v", "h")


@dataclass
class Image:
    """A file to hand to the VM."""

    label: str  # its name as it was typed
    path: str
    data: bytes
    still: str = ""  # "to be fetched": not read, because it is not there yet (--check)


@dataclass
class VmConfig:
    """One VM. `quotes` says for each key how it was typed, for messages."""

    name: str
    cpus: int = 1
    memory: int = DEFAULT_MEMORY
    kernel: Image | None = None
    initrd: Image | None = None
    dtb: Image | None = None
    append: str | None = None
    entry: int | None = None
    load: int | None = None
    initrd_load: int | None = None
    dtb_load: int | None = None
    eager: bool = False
    format: str | None = None
    harts: list[int] | None = None
    exclusive: bool = False
    weight: int = 100
    cap: int | None = None
    restart: str = "never"
    stop_timeout: int = DEFAULT_STOP_TIMEOUT
    watchdog: int | None = None
    autostart: bool = True
    scrollback: int = 16 * KIB
    console: str = "uart"
    entropy: bool = False
    log: str | None = None  # the console's log file
    isa_hide: list[str] = field(default_factory=list)
    isa_require: list[str] = field(default_factory=list)
    plugin: list[str] = field(default_factory=list)
    channel: list[channels.Channel] = field(default_factory=list)
    disk: list[vmdisks.VmDisk] = field(default_factory=list)
    net: list[networks.Net] = field(default_factory=list)
    quotes: dict[str, str] = field(default_factory=dict)
    origin: str = ""

    def fail(self, key: str, why: str) -> UsageError:
        """The error to raise about a key of this VM."""
        while key not in self.quotes and "." in key:  # of an option that says several things
            key = key.rpartition(".")[0]
        return UsageError(f"{self.quotes.get(key, self.origin)}: {why}")


@dataclass
class Source:
    """Where a VM's values come from."""

    origin: str  # "--kernel FILE" or the TOML file's name
    quotes: dict[str, str]  # key -> as typed: "--cpus 9", "vm.toml:3: cpus = 9"
    folder: str = ""  # file names are relative to it
    typed: bool = True  # False: all values are text from the command line


# --- one function per kind of value: the raw value -> the checked one, or ValueError ---


def _integer(value: Any, typed: bool) -> int:
    if typed:
        _want(value, int, "a whole number")
        return value
    return parse_integer(value)


def _name(value: Any, _typed: bool) -> str:
    _want(value, str, "a string")
    if not NAME.fullmatch(value):
        raise ValueError("a name has 1 to 31 characters out of A-Z a-z 0-9 . _ -")
    return value


def _cpus(value: Any, typed: bool) -> int:
    cpus = _integer(value, typed)
    if not 1 <= cpus <= MAX_CPUS:
        raise ValueError(f"a VM has 1 to {MAX_CPUS} CPUs")
    return cpus


def _memory(value: Any, typed: bool) -> int:
    if typed and isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        _want(value, str, 'a size such as "256M"')
        size = parse_size(value)
    if size < MIN_MEMORY:
        raise ValueError(f"a VM needs at least {show_size(MIN_MEMORY)} of memory")
    if size % (4 * KIB):
        raise ValueError("memory comes in multiples of 4K")
    if size >= 1 << 56:
        raise ValueError("no machine has this much memory")
    return size


def _address(value: Any, typed: bool) -> int:
    if typed and isinstance(value, int) and not isinstance(value, bool):
        address = value
    else:
        _want(value, str, "an address such as 0x80200000")
        address = parse_integer(value)
    if not 0 <= address < 1 << 56:
        raise ValueError("not a guest-physical address (0 to 0xffffffffffffff)")
    return address


def _dtb_load(value: Any, typed: bool) -> int:
    address = _address(value, typed)
    if address % 8:
        raise ValueError("a device tree stands at a multiple of 8")
    return address


def _append(value: Any, _typed: bool) -> str:
    _want(value, str, "a string")
    if "\0" in value:
        raise ValueError("boot arguments cannot contain a NUL character")
    if len(os.fsencode(value)) > MAX_BOOTARGS:
        raise ValueError(f"boot arguments have at most {MAX_BOOTARGS} bytes, these have {len(os.fsencode(value))}")
    return value


def _file_name(value: Any, _typed: bool) -> str:
    _want(value, str, "a file name")
    if not value:
        raise ValueError("the file name is empty")
    return value


def _scrollback(value: Any, typed: bool) -> int:
    if typed and isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        _want(value, str, 'a size such as "16K"')
        size = parse_size(value)
    if not MIN_SCROLLBACK <= size <= MAX_SCROLLBACK or size & (size - 1):
        raise ValueError(f"scrollback is a power of two from {show_size(MIN_SCROLLBACK)} to {show_size(MAX_SCROLLBACK)}")
    return size


def _boolean(value: Any, _typed: bool) -> bool:
    _want(value, bool, "true or false")
    return value


def _format(value: Any, _typed: bool) -> str:
    _want(value, str, "a string")
    if value not in FORMATS:
        raise ValueError("not a format of guest page tables (" + ", ".join(FORMATS) + ")")
    return value


def _restart(value: Any, _typed: bool) -> str:
    _want(value, str, "a string")
    if value not in RESTARTS:
        raise ValueError("not a restart policy (" + ", ".join(RESTARTS) + ")")
    return value


def _console(value: Any, _typed: bool) -> str:
    _want(value, str, "a string")
    if value not in CONSOLES:
        raise ValueError("not a kind of console (" + ", ".join(CONSOLES) + ")")
    return value


def _seconds(least: int) -> Callable[[Any, bool], int]:
    def check(value: Any, typed: bool) -> int:
        seconds = _integer(value, typed)
        if not least <= seconds <= MAX_SECONDS:
            raise ValueError(f"not a number of seconds from {least} to {MAX_SECONDS}")
        return seconds
    return check


def _harts(value: Any, _typed: bool) -> list[int]:
    _want(value, list, "a list of hart numbers")
    for hart in value:
        _want(hart, int, "a list of hart numbers")
        if not 0 <= hart <= MAX_HART:
            raise ValueError(f"{hart} is not a hart number (0 to {MAX_HART})")
    if not value:
        raise ValueError("a VM needs at least one hart")
    if len(set(value)) != len(value):
        raise ValueError("the same hart is named twice")
    return value


def _weight(value: Any, typed: bool) -> int:
    weight = _integer(value, typed)
    if not 1 <= weight <= MAX_WEIGHT:
        raise ValueError(f"a weight is 1 to {MAX_WEIGHT}")
    return weight


def _cap(value: Any, typed: bool) -> int:
    cap = _integer(value, typed)
    if not 1 <= cap <= 100 * MAX_CPUS:
        raise ValueError(f"a cap is 1 to {100 * MAX_CPUS} per cent of a hart, 100 for each CPU")
    return cap


def _extensions(value: Any) -> list[str]:
    _want(value, list, "a list of ISA extensions")
    for name in value:
        _want(name, str, "a list of ISA extensions")
        known = EXTENSIONS + NO_GUESTS_EXTENSIONS
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            raise ValueError(f"unknown extension {name!r}; " + (f"did you mean {near[0]!r}?" if near else
                                                                f"there are {', '.join(known)}"))
    if len(set(value)) != len(value):
        raise ValueError("the same extension is named twice")
    return value


def _isa_hide(value: Any, _typed: bool) -> list[str]:
    if "i" in _extensions(value):
        raise ValueError("'i' is the base, which cannot be hidden")
    return value


def _isa_require(value: Any, _typed: bool) -> list[str]:
    for name in _extensions(value):
        if name in NO_GUESTS_EXTENSIONS:
            raise ValueError(f"no guest has {name!r} on this hypervisor")
    return value


def _plugin(value: Any, _typed: bool) -> list[str]:
    """Names: which there are, the hypervisor knows."""
    _want(value, list, "a list of names of plug-ins")
    for name in value:
        _want(name, str, "a list of names of plug-ins")
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a plug-in")
    if len(set(value)) != len(value):
        raise ValueError("the same plug-in is named twice")
    if len(value) > MAX_PLUGINS:
        raise ValueError(f"a VM has at most {MAX_PLUGINS} plug-ins")
    return value


KEYS: dict[str, Callable[[Any, bool], Any]] = {
    "name": _name,
    "cpus": _cpus,
    "memory": _memory,
    "kernel": _file_name,
    "initrd": _file_name,
    "dtb": _file_name,
    "append": _append,
    "entry": _address,
    "load": _address,
    "initrd-load": _address,
    "dtb-load": _dtb_load,
    "eager": _boolean,
    "format": _format,
    "harts": _harts,
    "exclusive": _boolean,
    "weight": _weight,
    "cap": _cap,
    "restart": _restart,
    "stop-timeout": _seconds(0),
    "watchdog": _seconds(1),
    "autostart": _boolean,
    "console": _console,
    "entropy": _boolean,
    "scrollback": _scrollback,
    "log": _file_name,
    "isa-hide": _isa_hide,
    "isa-require": _isa_require,
    "plugin": _plugin,
    "channel": channels.read,
    "disk": vmdisks.read,
    "net": networks.read,
}
IMAGES = ("kernel", "initrd", "dtb")
_READERS = {"kernel": images.read_kernel, "initrd": images.read, "dtb": images.read_device_tree}


def build(values: dict[str, Any], source: Source, default_name: str,
          locate: Callable[[str], str] | None = None, errors: Errors | None = None) -> VmConfig:
    """Check all values and read the files they name. `locate` turns a file name into a path."""
    errors = errors or Errors()
    vm = VmConfig(name=default_name, quotes=source.quotes, origin=source.origin)
    good = [key for key, raw in values.items() if _set(vm, key, raw, source, errors)]
    _check_isa(vm, errors)
    if "cap" in good and vm.exclusive:
        errors.add(vm.fail("cap", f"of harts that are its own it has all ({vm.quotes['exclusive']})"))
    if "cap" in good and vm.cap > 100 * vm.cpus:
        errors.add(vm.fail("cap", f"more than its CPUs can use: {vm.cpus} of them, {100 * vm.cpus} per cent"))
    if "kernel" not in values:
        errors.add(UsageError(f'{source.origin}: a VM needs a kernel (kernel = "FILE")'))
    if "name" not in values and not NAME.fullmatch(vm.name):
        errors.add(UsageError(f"{source.origin}: give this VM a name: {vm.name!r} is not one "
                              "(1 to 31 characters out of A-Z a-z 0-9 . _ -)"))
    if vm.initrd_load is not None and "initrd" not in values:
        errors.add(vm.fail("initrd-load", "there is no initrd"))
    if "log" in good:
        vm.log = os.path.join(source.folder, vm.log)
    for key in _READERS:
        if key in good:
            _read_image(vm, key, source, locate, errors)
    vmdisks.resolve(vm, source.folder, locate, errors)
    return vm


def _set(vm: VmConfig, key: str, raw: Any, source: Source, errors: Errors) -> bool:
    """Whether the value is good; a bad one leaves the default."""
    try:
        setattr(vm, attribute(key), KEYS[key](raw, source.typed))
        return True
    except ValueError as error:
        errors.add(vm.fail(getattr(error, "key", key), str(error)))
        return False


def attribute(key: str) -> str:
    """The name of a key's field in VmConfig."""
    return key.replace("-", "_")


def _check_isa(vm: VmConfig, errors: Errors) -> None:
    hidden = vm.isa_hide + (["d"] if "f" in vm.isa_hide else [])
    for name in vm.isa_require:
        if name in hidden:
            errors.add(vm.fail("isa-require", f"{name!r} is hidden from it ({vm.quotes['isa-hide']})"))


def _read_image(vm: VmConfig, key: str, source: Source, locate, errors: Errors) -> None:
    path = label = getattr(vm, key)
    setattr(vm, key, None)
    try:
        path = os.path.join(source.folder, locate(label) if locate else label)
        setattr(vm, key, Image(label, path, _READERS[key](path)))
    except images.NotThereYet as later:
        setattr(vm, key, Image(label, later.path, b"", str(later)))
    except ValueError as error:
        where = f" ({path})" if path != label else ""
        errors.add(vm.fail(key, f"{error}{where}"))


def check_together(vms: list[VmConfig], unattended: bool, errors: Errors) -> None:
    """What must hold between VMs. unattended: nobody gives the monitor commands (--batch without --script)."""
    seen: dict[str, VmConfig] = {}
    for vm in vms:
        if unattended and not vm.autostart:
            errors.add(vm.fail("autostart", "with --batch there is no prompt where somebody could start it (a --script could)"))
        if vm.name in seen:
            first = seen[vm.name].quotes.get("name", seen[vm.name].origin)
            errors.add(vm.fail("name", f"the name {vm.name!r} is taken by another VM ({first})"))
        seen[vm.name] = vm
    channels.gather(vms, errors)
    networks.check_together(vms, errors)
