"""The journal that guests/journal keeps: which of its records are whole on an image, and which have to be."""
import re
import struct
import zlib

SECTOR = 512
SLOTS = 64            # the guest's default
BATCH_MAX = 4
RECORD_SECTORS = 8
SIZE = SLOTS * RECORD_SECTORS * SECTOR
_MAGIC = 0x6C616E72756F6A43
_MASK = (1 << 64) - 1
_SECTOR = struct.Struct("<QQIIII")
_FILL = 60


class Damaged(AssertionError):
    """The journal lacks what it must have."""


def _mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def _sector(number: int, index: int, boot: int) -> bytes:
    """A sector of a record as the guest makes it."""
    count = 1 + _mix(number) % RECORD_SECTORS
    first = _mix(number * RECORD_SECTORS + index)
    fill = struct.pack(f"<{_FILL}Q", *((first + i) & _MASK for i in range(_FILL)))
    crc = zlib.crc32(_SECTOR.pack(_MAGIC, number, index, count, boot, 0) + fill)
    return _SECTOR.pack(_MAGIC, number, index, count, boot, crc) + fill


def _record(image: bytes, slot: int) -> int:
    """The number of the record that is whole in the slot, byte for byte; 0 if there is none."""
    start = slot * RECORD_SECTORS * SECTOR
    magic, number, _, count, boot, _ = _SECTOR.unpack_from(image, start)
    if magic != _MAGIC or number % SLOTS != slot or count != 1 + _mix(number) % RECORD_SECTORS:
        return 0
    wanted = b"".join(_sector(number, index, boot) for index in range(count))
    return number if image[start:start + len(wanted)] == wanted else 0


def check(image: bytes, acknowledged: int = 0) -> int:
    """The last record of the journal. All are whole that must be there, `acknowledged` the last of them, or Damaged."""
    whole = {_record(image, slot) for slot in range(SLOTS)} - {0}
    found = max(max(whole, default=0) - BATCH_MAX, 0)
    while found + 1 in whole:
        found += 1
    missing = [number for number in range(max(found - (SLOTS - BATCH_MAX) + 1, 1), found + 1) if number not in whole]
    if missing:
        raise Damaged(f"record {found} is there, but not {missing}")
    if found < acknowledged:
        raise Damaged(f"record {acknowledged} was acknowledged, but the journal ends with {found}; whole: {sorted(whole)[-9:]}")
    return found


def acknowledged(out: bytes, name: str = "") -> list[int]:
    """The acknowledgements in a console's output (of the VM of that name). The first is what was found."""
    prefix = re.escape(f"[{name}] ").encode() if name else b""
    return [int(number) for number in re.findall(rb"^" + prefix + rb"(?:ack|found) (\d+)\.\r*$", out, re.MULTILINE)]
