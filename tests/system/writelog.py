"""
QEMU's log of what was written to a disk, and what a power cut would have left of it.

The block driver blklogwrites keeps writes and flushes in their order, in the format of Linux's dm-log-writes.
"""
import random
import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
_MAGIC = 0x6A736677736872
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4


@dataclass
class Entry:
    """A write of whole sectors (zeroes if they were discarded), or a flush."""

    sector: int
    data: bytes
    flush: bool


def options(number: int, log: Path) -> list[str]:
    """Words for ./caisson that have the machine's disk of that number logged."""
    return [f"--qemu-arg={word}" for word in (
        "-set", f"drive.disk{number}.format=blklogwrites", "-set", f"drive.disk{number}.log.driver=file",
        "-set", f"drive.disk{number}.log.filename={log}")]


def read(path: Path) -> list[Entry]:
    """The entries. QEMU may have been killed: the count at the log's start is old then, and the last entries torn."""
    log = path.read_bytes()
    if len(log) < SECTOR:
        return []
    assert struct.unpack_from("<Q", log)[0] in (0, _MAGIC)  # 0: before the first flush
    entries, at = [], SECTOR
    while at + _ENTRY.size <= len(log):
        sector, n, flags, _ = _ENTRY.unpack_from(log, at)
        if n == 0 and flags == 0:
            break
        at += SECTOR
        data = b"" if flags & _FLUSH else bytes(n * SECTOR)
        if data and not flags & _DISCARD:
            data = log[at:at + len(data)].ljust(len(data), b"\0")
            at += len(data)
        entries.append(Entry(sector, data, bool(flags & (_FLUSH | _FUA))))
    return entries


def flushes(entries: list[Entry]) -> list[int]:
    """How many entries come to an end with each flush."""
    return [number + 1 for number, entry in enumerate(entries) if entry.flush]


def replay(base: bytes, entries: list[Entry], chosen: random.Random | None = None, atom: int = SECTOR) -> bytes:
    """The image after these entries; with `chosen`, after some of their pieces of `atom` bytes only."""
    image = bytearray(base)
    for entry in entries:
        for offset in range(0, len(entry.data), atom):
            if chosen is None or chosen.random() < 0.5:
                piece = entry.data[offset:offset + atom]
                place = entry.sector * SECTOR + offset
                image[place:place + len(piece)] = piece
    return bytes(image)


def power_cut(base: bytes, entries: list[Entry], chosen: random.Random | None = None, atom: int = SECTOR) -> bytes:
    """What is on the medium if all is lost that was not flushed; with `chosen`, if some of that had got there."""
    flushed = max(flushes(entries), default=0)
    image = replay(base, entries[:flushed])
    return replay(image, entries[flushed:], chosen, atom) if chosen else image


def through_store(base: bytes, store: bytes) -> bytes:
    """What an overlay that keeps its changes on a store shows (drivers/block/overlay_store.c)."""
    if not store.startswith(b"caisson overlay\0"):
        return base
    map_first, data_first = struct.unpack_from("<QQ", store, 40)
    image = bytearray(base)
    for number in range(len(base) // SECTOR):
        if store[map_first * SECTOR + number // 8] >> number % 8 & 1:
            image[number * SECTOR:(number + 1) * SECTOR] = store[(data_first + number) * SECTOR:][:SECTOR]
    return bytes(image)
