"""Disks of VMs: `--disk` and the [[disk]] tables, checked one by one and together, and the machine's disks behind them."""
import difflib
import os
from dataclasses import dataclass
from typing import Any

from caisson import disks, images
from caisson.disks import MAX_DISKS, Disk
from caisson.errors import Errors
from caisson.values import MIB, TableError, parse_size, show_size, want

# The limits of vmm/include/vmm/config.h.
MAX_PER_VM = 8
MAX_PARTS = 128
MAX_SERIAL = 20
MAX_RAM = 1 << 40
DEFAULT_OVERLAY = 256 * MIB
KEYS = ("file", "ram", "read-only", "overlay", "overlay-limit", "serial")


@dataclass
class VmDisk:
    """One disk of a VM."""

    place: str  # "disk.0": the key of what was typed, for messages
    file: str | None = None  # as typed
    ram: int | None = None
    read_only: bool = False
    overlay: bool = False
    overlay_limit: int | None = None
    serial: str | None = None
    path: str = ""  # of the file
    still: str = ""  # "to be fetched": it is not there yet (--check)
    device: str = ""  # the machine's disk: "vda"

    def writes(self) -> bool:
        """Does the file change?"""
        return not (self.read_only or self.overlay)

    def memory(self) -> int:
        """Bytes of the machine's that it can take."""
        return (self.ram or 0) + (self.limit() if self.overlay else 0)

    def limit(self) -> int:
        return self.overlay_limit or DEFAULT_OVERLAY

    def __str__(self) -> str:
        """As an inline table of TOML, for `run --check`."""
        parts = [f'file = "{self.file}"'] if self.file is not None else [f'ram = "{show_size(self.ram)}"']
        if self.read_only:
            parts.append("read-only = true")
        if self.overlay:
            parts.append(f'overlay = true, overlay-limit = "{show_size(self.limit())}"')
        if self.serial is not None:
            parts.append(f'serial = "{self.serial}"')
        shown = "{ " + ", ".join(parts) + " }"
        if self.still:
            return f"{shown}: {self.still}"
        return f"{shown}: the machine's {self.device}, {show_size(disks.size_of(self.path))}" if self.device else shown


def read(value: Any, typed: bool) -> list[VmDisk]:
    """The value of the key `disk`: [[disk]] tables, or the texts of --disk."""
    want(value, list, "a [[disk]] table")
    if len(value) > MAX_PER_VM:
        raise TableError(f"disk.{MAX_PER_VM}", f"a VM has at most {MAX_PER_VM} disks")
    return [_read_table(f"disk.{number}", one) if typed else _read_text(f"disk.{number}", one)
            for number, one in enumerate(value)]


_FLAGS = {"ro": "read-only", "overlay": "overlay"}


def _read_text(place: str, text: str) -> VmDisk:
    """FILE[,ro][,overlay][,serial=S], options in any order; what is none of these belongs to the file's name."""
    words, table = text.split(","), {}
    while len(words) > 1:
        key, equals, value = words[-1].partition("=")
        if words[-1] in _FLAGS:
            table[_FLAGS[words[-1]]] = True
        elif key == "serial" and equals:
            table["serial"] = value
        else:
            break
        words.pop()
    return _read_values(place, {"file": ",".join(words), **table})


def _read_table(place: str, table: Any) -> VmDisk:
    want(table, dict, "a [[disk]] table")
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys of a disk are {', '.join(KEYS)}"
            raise TableError(f"{place}.{key}", f"unknown key {key!r}; {hint}")
    return _read_values(place, table)


def _read_values(place: str, table: dict) -> VmDisk:
    disk = VmDisk(place)
    for key, value in table.items():
        try:
            setattr(disk, key.replace("-", "_"), _READERS[key](value))
        except ValueError as error:
            raise TableError(f"{place}.{key}", str(error)) from None
    if (disk.file is None) == (disk.ram is None):
        raise TableError(place, 'a disk has either an image (file = "FILE") or memory (ram = "64M")')
    if disk.ram is not None and disk.read_only:
        raise TableError(f"{place}.read-only", "a disk in RAM begins with zeroes: somebody has to write to it")
    if disk.overlay and (disk.read_only or disk.ram is not None):
        raise TableError(f"{place}.overlay", "nothing is written to a read-only disk" if disk.read_only else
                         "a disk in RAM has no image that would have to stay as it is")
    if disk.overlay_limit is not None and not disk.overlay:
        raise TableError(f"{place}.overlay-limit", "this disk has no overlay (overlay = true)")
    return disk


def _file(value: Any) -> str:
    want(value, str, "a file name")
    if not value:
        raise ValueError("the file's name is missing")
    return value


def _ram(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        want(value, str, 'a size such as "64M"')
        size = parse_size(value)
    if not disks.SECTOR <= size <= MAX_RAM or size % disks.SECTOR:
        raise ValueError(f"a disk in RAM is a whole number of sectors of {disks.SECTOR} bytes, 1024G at most")
    return size


def _limit(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        want(value, str, 'a size such as "256M"')
        size = parse_size(value)
    if not MIB <= size <= MAX_RAM:
        raise ValueError("an overlay has from 1M to 1024G of memory")
    return size


def _boolean(value: Any) -> bool:
    want(value, bool, "true or false")
    return value


def _serial(value: Any) -> str:
    want(value, str, "a string")
    if not 1 <= len(value) <= MAX_SERIAL or not all(" " <= letter <= "~" for letter in value):
        raise ValueError(f"a serial number has 1 to {MAX_SERIAL} characters of ASCII")
    return value


_READERS = {"file": _file, "ram": _ram, "read-only": _boolean, "overlay": _boolean, "overlay-limit": _limit, "serial": _serial}


def resolve(vm, folder: str, locate, errors: Errors) -> None:
    """Find the files, and say what is wrong with each by itself."""
    for disk in vm.disk:
        if disk.file is None:
            continue
        try:
            disk.path = os.path.abspath(os.path.join(folder, locate(disk.file) if locate else disk.file))
            disks.check(disk.path, writes=disk.writes())
        except images.NotThereYet as later:
            disk.still = str(later)
        except ValueError as error:
            disk.path = ""
            errors.add(vm.fail(_key(vm, disk, "file"), str(error)))


def _key(vm, disk: VmDisk, key: str) -> str:
    return f"{disk.place}.{key}" if f"{disk.place}.{key}" in vm.quotes else disk.place


def _quote(vm, disk: VmDisk) -> str:
    return vm.quotes.get(_key(vm, disk, "file"), vm.origin)


@dataclass
class _Use:
    """An image of the machine, and who has it."""

    path: str
    users: list  # of (VM, disk)

    def is_written(self) -> bool:
        return any(disk.writes() for _, disk in self.users)


def _same(a: str, b: str) -> bool:
    return a == b or os.path.exists(a) and os.path.exists(b) and os.path.samefile(a, b)


def gather(vms: list, errors: Errors) -> list[Disk]:
    """The machine's disks, one for each image, and which of them each VM's is. `errors` gets what is wrong between VMs."""
    uses: list[_Use] = []
    for vm in vms:
        for disk in vm.disk:
            if disk.path:
                _add(uses, vm, disk, errors)
    return [Disk(use.path, not use.is_written()) for use in uses]


def _add(uses: list[_Use], vm, disk: VmDisk, errors: Errors) -> None:
    use = next((use for use in uses if _same(use.path, disk.path)), None)
    if not use:
        if len(uses) == MAX_DISKS:
            errors.add(vm.fail(_key(vm, disk, "file"), f"the machine has places for {MAX_DISKS} disks, all VMs together"))
            return
        use = _Use(disk.path, [])
        uses.append(use)
    for other_vm, other in use.users:
        if disk.writes() or other.writes():
            errors.add(vm.fail(_key(vm, disk, "file"), f"{_conflict(disk, other)} ({_quote(other_vm, other)})"))
            break
    use.users.append((vm, disk))
    disk.device = "vd" + "abcdefgh"[uses.index(use)]


def _conflict(disk: VmDisk, other: VmDisk) -> str:
    if disk.writes() and other.writes():
        return "another disk writes to the same image"
    return "another disk writes to this image, and this one reads it" if other.writes() else \
        "this disk writes to its image, and another one reads that"


def lock(vms: list, machines: list[Disk], errors: Errors) -> None:
    """Lock the images of the machine's disks as long as this process lives."""
    for number, image in enumerate(machines):
        users = [(vm, disk) for vm in vms for disk in vm.disk if disk.device == "vd" + "abcdefgh"[number]]
        vm, disk = users[0]
        try:
            if not disk.still:
                disks.lock(image.path, not image.read_only)
        except ValueError as error:
            errors.add(vm.fail(_key(vm, disk, "file"), str(error)))
