"""Disks of VMs: `--disk` and the [[disk]] tables, checked one by one and together, and the machine's disks behind them."""
import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caisson import disks, images
from caisson.disks import MAX_DISKS, Disk
from caisson.errors import Errors
from caisson.values import MIB, TableError, parse_integer, parse_size, round_up, show_size, want

# The limits of vmm/include/vmm/config.h.
MAX_PER_VM = 8
MAX_PARTS = 128
MAX_SERIAL = 20
MAX_RAM = 1 << 40
DEFAULT_OVERLAY = 256 * MIB
KEYS = ("file", "part", "ram", "read-only", "overlay", "overlay-limit", "serial")


@dataclass
class VmDisk:
    """One disk of a VM."""

    place: str  # "disk.0": the key of what was typed, for messages
    file: str | None = None  # as typed
    part: int | None = None  # of its partition table
    ram: int | None = None
    read_only: bool = False
    overlay: bool | str = False  # changes go into memory, or into this file
    overlay_limit: int | None = None
    serial: str | None = None
    path: str = ""  # of the file
    store: str = ""  # path of the overlay's file
    still: str = ""  # "to be fetched": it is not there yet (--check)
    device: str = ""  # the machine's disk: "vda"
    store_device: str = ""

    def writes(self) -> bool:
        """Does the file change?"""
        return not (self.read_only or self.overlay)

    def memory(self) -> int:
        """Bytes of the machine's that it can take."""
        if self.store:  # maps with a bit for each sector
            return 0 if self.still else round_up(disks.size_of(self.path) // 1024, MIB)
        return (self.ram or 0) + (self.limit() if self.overlay else 0)

    def limit(self) -> int:
        return self.overlay_limit or DEFAULT_OVERLAY

    def _words(self) -> list[str]:
        words = [f'file = "{self.file}"'] if self.file is not None else [f'ram = "{show_size(self.ram)}"']
        if self.part is not None:
            words.append(f"part = {self.part}")
        if self.read_only:
            words.append("read-only = true")
        if isinstance(self.overlay, str):
            words.append(f'overlay = "{self.overlay}"')
        elif self.overlay:
            words.append(f'overlay = true, overlay-limit = "{show_size(self.limit())}"')
        if self.serial is not None:
            words.append(f'serial = "{self.serial}"')
        return words

    def __str__(self) -> str:
        """As an inline table of TOML, for `run --check`."""
        shown = "{ " + ", ".join(self._words()) + " }"
        if self.still:
            return f"{shown}: {self.still}"
        if not self.device:
            return shown
        store = f", changes in {self.store_device}" if self.store_device else ""
        return f"{shown}: the machine's {self.device}, {show_size(disks.size_of(self.path))}{store}"


def read(value: Any, typed: bool) -> list[VmDisk]:
    """The value of the key `disk`: [[disk]] tables, or the texts of --disk."""
    want(value, list, "a [[disk]] table")
    if len(value) > MAX_PER_VM:
        raise TableError(f"disk.{MAX_PER_VM}", f"a VM has at most {MAX_PER_VM} disks")
    return [_read_table(f"disk.{number}", one) if typed else _read_text(f"disk.{number}", one)
            for number, one in enumerate(value)]


_FLAGS = {"ro": "read-only", "overlay": "overlay"}


def _read_text(place: str, text: str) -> VmDisk:
    """FILE[,ro][,overlay[=STORE]][,part=N][,serial=S], options in any order; what is none of these belongs to the file's name."""
    words, table = text.split(","), {}
    while len(words) > 1:
        key, equals, value = words[-1].partition("=")
        if words[-1] in _FLAGS:
            table[_FLAGS[words[-1]]] = True
        elif key == "part" and equals:
            table["part"] = parse_integer(value) if re.fullmatch("[0-9]{1,9}", value) else value
        elif key in ("serial", "overlay") and equals:
            table[key] = value
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
    for key, why in _contradictions(disk):
        raise TableError(f"{place}.{key}" if key else place, why)
    return disk


def _contradictions(disk: VmDisk) -> Iterator[tuple[str, str]]:
    """Keys of which another says the contrary, and why."""
    if (disk.file is None) == (disk.ram is None):
        yield "", 'a disk has either an image (file = "FILE") or memory (ram = "64M")'
    if disk.ram is not None and disk.read_only:
        yield "read-only", "a disk in RAM begins with zeroes: somebody has to write to it"
    if disk.ram is not None and disk.part is not None:
        yield "part", "a disk in RAM begins with zeroes, without a partition table"
    if disk.overlay and disk.read_only:
        yield "overlay", "nothing is written to a read-only disk"
    if disk.overlay and disk.ram is not None:
        yield "overlay", "a disk in RAM has no image that would have to stay as it is"
    if disk.overlay_limit is not None and disk.overlay is not True:
        yield "overlay-limit", "this disk has no overlay in memory (overlay = true)"


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


def _part(value: Any) -> int:
    want(value, int, "the number of a part")
    if not 1 <= value <= MAX_PARTS:
        raise ValueError(f"a part of a partition table is 1 to {MAX_PARTS}")
    return value


def _overlay(value: Any) -> bool | str:
    return _file(value) if isinstance(value, str) else _boolean(value)


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


_READERS = {"file": _file, "part": _part, "ram": _ram, "read-only": _boolean, "overlay": _overlay, "overlay-limit": _limit,
            "serial": _serial}


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
        if disk.path and isinstance(disk.overlay, str):
            _resolve_store(vm, disk, folder, errors)


def _resolve_store(vm, disk: VmDisk, folder: str, errors: Errors) -> None:
    """The file with an overlay's changes. Where there is none, one is made before the start (make_stores)."""
    store = os.path.abspath(os.path.join(folder, disk.overlay))
    try:
        if os.path.exists(store):
            disks.check(store, writes=True)
            if not disk.still and disks.size_of(store) < (least := disks.store_size(disks.size_of(disk.path))):
                raise ValueError(f"changes to this image need {show_size(least)}; a file that is not there is made")
        elif not os.access(os.path.dirname(store), os.W_OK):
            raise ValueError("no file can be made there")
        disk.store = store
    except ValueError as error:
        errors.add(vm.fail(_key(vm, disk, "overlay"), str(error)))


def make_stores(vms: list) -> None:
    """Files for overlays that have none yet; they take room as they are written."""
    for vm in vms:
        for disk in vm.disk:
            if disk.store and not os.path.exists(disk.store):
                with open(disk.store, "wb") as out:
                    out.truncate(disks.store_size(disks.size_of(disk.path)))


def _key(vm, disk: VmDisk, key: str) -> str:
    return f"{disk.place}.{key}" if f"{disk.place}.{key}" in vm.quotes else disk.place


@dataclass
class _Use:
    """An image that one disk needs, and how."""

    vm: Any
    disk: VmDisk
    key: str  # that names it
    path: str
    writes: bool
    part: int | None

    def fail(self, why: str):
        return self.vm.fail(_key(self.vm, self.disk, self.key), why)

    def quote(self) -> str:
        return self.vm.quotes.get(_key(self.vm, self.disk, self.key), self.vm.origin)

    def collides(self, other: "_Use") -> bool:
        apart = self.part is not None and other.part is not None and self.part != other.part
        return (self.writes or other.writes) and not apart


@dataclass
class _Image:
    """A disk of the machine: one image, and who has it."""

    path: str
    uses: list[_Use]

    def is_written(self) -> bool:
        return any(use.writes for use in self.uses)


def _uses(vms: list) -> Iterator[_Use]:
    for vm in vms:
        for disk in vm.disk:
            if disk.path:
                yield _Use(vm, disk, "file", disk.path, disk.writes(), disk.part)
            if disk.path and disk.store:
                yield _Use(vm, disk, "overlay", disk.store, True, None)


def _same(a: str, b: str) -> bool:
    return a == b or os.path.exists(a) and os.path.exists(b) and os.path.samefile(a, b)


def gather(vms: list, errors: Errors) -> list[Disk]:
    """The machine's disks, one for each image, and which of them each VM's is. `errors` gets what is wrong between VMs."""
    return [Disk(image.path, not image.is_written()) for image in _gather(vms, errors)]


def _gather(vms: list, errors: Errors) -> list[_Image]:
    found: list[_Image] = []
    for use in _uses(vms):
        image = next((image for image in found if _same(image.path, use.path)), None)
        if not image and len(found) == MAX_DISKS:
            errors.add(use.fail(f"the machine has places for {MAX_DISKS} disks, all VMs together"))
            continue
        if not image:
            found.append(image := _Image(use.path, []))
        if other := next((other for other in image.uses if use.collides(other)), None):
            errors.add(use.fail(f"{_conflict(use, other)} ({other.quote()})"))
        image.uses.append(use)
        setattr(use.disk, "device" if use.key == "file" else "store_device", "vd" + "abcdefgh"[found.index(image)])
    return found


def _conflict(use: _Use, other: _Use) -> str:
    if use.writes and other.writes:
        return "another disk writes to the same image"
    return "another disk writes to this image, and this one reads it" if other.writes else \
        "this disk writes to its image, and another one reads that"


def lock(vms: list, errors: Errors) -> None:
    """Lock the images of the machine's disks as long as this process lives."""
    for image in _gather(vms, Errors(keep=True)):
        try:
            if os.path.exists(image.path):
                disks.lock(image.path, image.is_written())
        except ValueError as error:
            errors.add(image.uses[0].fail(str(error)))
