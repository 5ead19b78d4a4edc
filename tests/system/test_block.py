"""Disks: what apps/sector reads is what is in the image, what it writes is there afterwards, and bad disks do no harm."""
import os
import random
import re
import struct
import zlib

import pytest
from machines import caisson, run
from test_failalloc import SWITCHES, every_n, said_why

SECTOR = 512
ENOENT, EIO, ENOMEM, EINVAL, ENOSPC, EROFS, ETIMEDOUT = -2, -5, -12, -22, -28, -30, -116  # as picolibc numbers them
MODERN = ("--qemu-arg=-global", "--qemu-arg=virtio-mmio.force-legacy=false")


def pattern(first: int, n: int, seed: int) -> bytes:
    """What the commands write and manywrite put there."""
    return bytes((offset * 2654435761 >> 16 ^ seed) & 0xFF for offset in range(first * SECTOR, (first + n) * SECTOR))


def sum_of(content: bytes, first: int, n: int) -> str:
    return f"{zlib.crc32(content[first * SECTOR:(first + n) * SECTOR]):08x}"


@pytest.fixture
def image(tmp_path):
    """Make an image of random bytes: image(size) -> its path."""
    def make(size: int = 1 << 20, name: str = "disk.img"):
        path = tmp_path / name
        path.write_bytes(random.Random(size).randbytes(size))
        return path

    return make


@pytest.fixture
def sector(tmp_path):
    """Run apps/sector: sector("crc 0 1", "--disk", ...) -> lines after the first, and the log."""
    def run(commands: str, *words, status: int = 0, **options):
        log = tmp_path / "log"
        result = caisson("app", "--log", log, *words, "sector", *commands.split(), **options)
        text = log.read_text(errors="replace")
        assert result.status == status, f"{result.text}{result.err}{text[-3000:]}"
        return result.text.splitlines()[1:], text

    return run


def drive(options: str, device: str = "") -> list[str]:
    """A disk with options of QEMU's own."""
    words = ["-drive", f"if=none,id=d0,{options}", "-device", f"virtio-blk-device,drive=d0{device}"]
    return [*MODERN, *(f"--qemu-arg={word}" for word in words)]


def test_what_is_in_the_image_is_read(image, sector):
    path = image()
    content = path.read_bytes()
    lines, _ = sector("crc 0 1 crc 2047 1 crc 0 2048 many 0 2048 stack 7", "--disk", path)
    assert lines == [f"crc 0+1: crc {sum_of(content, 0, 1)}", f"crc 2047+1: crc {sum_of(content, 2047, 1)}",
                     f"crc 0+2048: crc {sum_of(content, 0, 2048)}", f"many 0+2048: crc {sum_of(content, 0, 2048)}",
                     f"stack 7+2: crc {sum_of(content, 7, 2)}"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("harts", [1, 4])
def test_what_is_written_is_in_the_image(image, sector, harts):
    path = image(4 << 20)
    content = bytearray(path.read_bytes())
    lines, _ = sector("write 0 1 1 write 100 5000 2 manywrite 6000 1000 3 write 8191 1 4 flush crc 0 8192",
                      "--harts", harts, "--disk", path)
    for first, n, seed in ((0, 1, 1), (100, 5000, 2), (6000, 1000, 3), (8191, 1, 4)):
        content[first * SECTOR:(first + n) * SECTOR] = pattern(first, n, seed)
    assert lines[-2:] == ["flush: ok", f"crc 0+8192: crc {sum_of(content, 0, 8192)}"]
    assert path.read_bytes() == content


def test_several_disks_have_their_names_in_order(image, sector):
    first, second = image(1 << 20, "one,with a comma.img"), image(1 << 21, "two.img")
    lines, _ = sector("crc 0 1 disk vdb crc 0 1 write 5 1 9 disk vdc", "--disk", first, "--disk", second, status=1)
    assert lines == [f"crc 0+1: crc {sum_of(first.read_bytes(), 0, 1)}", "vdb: 4096 sectors",
                     f"crc 0+1: crc {sum_of(second.read_bytes(), 0, 1)}", "write 5+1: ok", "vdc: no such disk"]
    assert second.read_bytes()[5 * SECTOR:6 * SECTOR] == pattern(5, 1, 9)


def test_read_only_disk_is_not_written(image, sector):
    path = image()
    content = path.read_bytes()
    lines, log = sector("write 3 1 1 crc 3 1 flush", "--disk", f"{path},ro", status=1)
    assert lines == [f"write 3+1: error {EROFS}", f"crc 3+1: crc {sum_of(content, 3, 1)}", "flush: ok"]
    assert path.read_bytes() == content
    assert re.search(r"vda: 1024 KiB.*read-only", log)


def test_nothing_beyond_the_end(image, sector):
    lines, _ = sector("crc 2048 1 crc 2047 2 write 4000 1 1 many 2048 1 crc 18446744073709551615 1", "--disk", image(),
                      status=1)
    assert [line.rpartition(" ")[2] for line in lines] == [str(EINVAL)] * 5


def test_image_that_ends_inside_a_sector(image, sector):
    path = image(1300)
    content = path.read_bytes().ljust(3 * SECTOR, b"\0")
    lines, _ = sector("crc 0 3 write 2 1 5 crc 0 3 crc 3 1", *drive(f"format=raw,file={path}"), status=1)
    assert lines[0] == f"crc 0+3: crc {sum_of(content, 0, 3)}"
    assert path.read_bytes() == content[:2 * SECTOR] + pattern(2, 1, 5)
    assert lines[3] == f"crc 3+1: error {EINVAL}"


def test_what_is_zeroed_or_discarded(image, sector):
    path = image()
    content = bytearray(path.read_bytes())
    lines, _ = sector("zero 100 50 discard 1000 100 crc 0 1000 crc 1100 948", "--disk", path)
    content[100 * SECTOR:150 * SECTOR] = bytes(50 * SECTOR)
    assert lines == ["zero 100+50: ok", "discard 1000+100: ok", f"crc 0+1000: crc {sum_of(content, 0, 1000)}",
                     f"crc 1100+948: crc {sum_of(content, 1100, 948)}"]


def mbr(*parts: tuple[int, int, int]) -> bytes:
    """A first sector with parts (type, first, count)."""
    entries = b"".join(struct.pack("<4xB3xII", *part) for part in parts)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


def gpt(n_sectors: int, *parts: tuple[int, int]) -> bytes:
    """The first 34 sectors of a disk with parts (first, count)."""
    entries = b"".join(struct.pack("<16s16sQQ8x72s", b"type", b"id", first, first + n - 1, b"") for first, n in parts)
    entries = entries.ljust(128 * 128, b"\0")

    def header(crc: int) -> bytes:
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, 1, n_sectors - 1, 34, n_sectors - 34,
                           b"disk", 2, 128, 128, zlib.crc32(entries))

    return mbr((0xee, 1, n_sectors - 1)) + header(zlib.crc32(header(0))).ljust(SECTOR, b"\0") + entries


@pytest.mark.parametrize("table, part, first", [
    (mbr((0x83, 64, 100), (0x0c, 1000, 100)), 2, 1000), (gpt(2048, (64, 100), (1000, 100)), 2, 1000)], ids=["mbr", "gpt"])
def test_part_of_a_disk(image, sector, table, part, first):
    path = image()
    before = table + path.read_bytes()[len(table):]
    path.write_bytes(before)
    lines, _ = sector(f"part {part} crc 0 100 write 99 1 3 crc 100 1", "--disk", path, status=1)
    assert lines == [f"part {part}: 100 sectors", f"crc 0+100: crc {sum_of(before, first, 100)}", "write 99+1: ok",
                     f"crc 100+1: error {EINVAL}"]
    end = (first + 99) * SECTOR
    assert path.read_bytes() == before[:end] + pattern(99, 1, 3) + before[end + SECTOR:]


def test_part_that_is_not_there(image, sector):
    path = image()
    path.write_bytes(mbr((0x83, 64, 2000)).ljust(1 << 20, b"\0"))
    lines, log = sector("part 2 part 1", "--disk", path, status=1)
    assert lines == [f"part 2: error {ENOENT}", f"part 1: error {EINVAL}"]
    assert "vda: its partition table makes no sense: a part ends beyond the disk's end" in log


def test_overlay_of_an_image_that_cannot_be_written(image, sector):
    path = image()
    content = bytearray(path.read_bytes())
    lines, _ = sector("overlay 1 write 100 64 2 manywrite 2000 48 3 crc 0 2048 many 90 100 write 0 2048 1",
                      "--disk", f"{path},ro", status=1)
    assert path.read_bytes() == content
    for first, n, seed in ((100, 64, 2), (2000, 48, 3)):
        content[first * SECTOR:(first + n) * SECTOR] = pattern(first, n, seed)
    assert lines == ["overlay 1: 2048 sectors", "write 100+64: ok", "manywrite 2000+48: ok",
                     f"crc 0+2048: crc {sum_of(content, 0, 2048)}", f"many 90+100: crc {sum_of(content, 90, 100)}",
                     f"write 0+2048: error {ENOSPC}"]


def test_overlay_on_a_store_is_there_again(image, sector, tmp_path):
    base, store = image(), tmp_path / "store.img"
    store.write_bytes(b"")
    os.truncate(store, 4 << 20)
    content = bytearray(base.read_bytes())
    disks = ("--disk", f"{base},ro", "--disk", store)
    lines, log = sector("store vdb write 100 64 2 manywrite 1500 500 3 flush write 0 1 1 crc 1 2047", *disks)
    for first, n, seed in ((100, 64, 2), (1500, 500, 3), (0, 1, 1)):
        content[first * SECTOR:(first + n) * SECTOR] = pattern(first, n, seed)
    assert lines[0] == "store vdb: 2048 sectors"
    assert lines[-1] == f"crc 1+2047: crc {sum_of(content, 1, 2047)}"
    assert "overlay: vdb was empty: prepared for changes to vda" in log
    lines, log = sector("store vdb crc 0 2048 write 3 1 1", *disks)
    assert lines[1] == f"crc 0+2048: crc {sum_of(content, 0, 2048)}"
    assert "was empty" not in log
    lines, log = sector("store vda", "--disk", image(1 << 21, "other.img"), "--disk", store, status=1)
    assert lines == [f"store vda: error {ENOSPC}"]
    lines, log = sector("store vdb", "--disk", image(1 << 19, "another.img"), "--disk", store, status=1)
    assert "overlay: vdb belongs to another base, or the base was changed" in log


def test_disk_in_ram(image, sector):
    lines, _ = sector("ram 16 write 5 20000 1 discard 1000 1000 crc 0 32768", "--disk", image(), "--harts", 2)
    content = bytearray(16 << 20)
    content[5 * SECTOR:20005 * SECTOR] = pattern(5, 20000, 1)
    content[1000 * SECTOR:2000 * SECTOR] = bytes(1000 * SECTOR)
    assert lines[-1] == f"crc 0+32768: crc {sum_of(content, 0, 32768)}"


def test_disk_without_sectors(tmp_path, sector):
    (tmp_path / "empty").touch()
    lines, _ = sector("crc 0 1 write 0 1 1 flush", *drive(f"format=raw,file={tmp_path}/empty"), status=1)
    assert lines == [f"crc 0+1: error {EINVAL}", f"write 0+1: error {EINVAL}", "flush: ok"]


def test_disk_of_large_blocks(image, sector):
    path = image()
    content = bytearray(path.read_bytes())
    lines, log = sector("crc 3 2 write 5 30 42 crc 0 2048", *drive(
        f"format=raw,file={path}", ",logical_block_size=4096,physical_block_size=4096"))
    assert lines[0] == f"crc 3+2: crc {sum_of(content, 3, 2)}"
    content[5 * SECTOR:35 * SECTOR] = pattern(5, 30, 42)
    assert lines[2] == f"crc 0+2048: crc {sum_of(content, 0, 2048)}"
    assert path.read_bytes() == content
    assert "4096 bytes at least" in log


def test_legacy_device_is_left_alone(image, sector):
    words = drive(f"format=raw,file={image()}")
    lines, log = sector("crc 0 1", *[word.replace("legacy=false", "legacy=true") for word in words], status=1)
    assert lines == [] and re.search(r"warn  virtio: \S+: a legacy device, left alone.*force-legacy=false", log)


def test_error_of_the_medium_arrives_and_the_next_request_works(image, sector, tmp_path):
    path = image()
    rules = "".join(f'[inject-error]\nevent = "{event}"\nerrno = "5"\nonce = "on"\nsector = "{number}"\n\n'
                    for event, number in (("read_aio", 3), ("write_aio", 9)))
    (tmp_path / "rules").write_text(rules)
    lines, _ = sector("crc 3 1 crc 3 1 write 9 1 1 write 9 1 1 flush", *drive(
        f"format=raw,file.driver=blkdebug,file.config={tmp_path}/rules,file.image.driver=file,"
        f"file.image.filename={path}"), status=1)
    assert lines == [f"crc 3+1: error {EIO}", f"crc 3+1: crc {sum_of(path.read_bytes(), 3, 1)}",
                     f"write 9+1: error {EIO}", "write 9+1: ok", "flush: ok"]
    assert path.read_bytes()[9 * SECTOR:10 * SECTOR] == pattern(9, 1, 1)


def test_device_that_never_answers(image, sector):
    """No read is answered. The first that is not costs a reset; then writes work."""
    path = image()
    lines, log = sector("crc 0 1 write 3 1 5 manywrite 10 50 6 many 0 4 write 4 1 7", *drive(
        f"format=raw,file={path},throttling.bps-read=1"), status=1)
    assert lines == [f"crc 0+1: error {ETIMEDOUT}", "write 3+1: ok", "manywrite 10+50: ok",
                     f"many 0+4: error {ETIMEDOUT}", "write 4+1: ok"]
    assert log.count("vda: no answer in 5 s: reset") == 2
    assert "exit: status 1" in log
    assert path.read_bytes()[10 * SECTOR:60 * SECTOR] == pattern(10, 50, 6)


def test_device_that_answers_nothing_after_a_reset_either_is_given_up(image, sector):
    lines, log = sector("crc 0 1 crc 0 1 write 3 1 5", *drive(f"format=raw,file={image()},throttling.bps-read=1"),
                        status=1)
    assert lines == [f"crc 0+1: error {ETIMEDOUT}", f"crc 0+1: error {ETIMEDOUT}", f"write 3+1: error {EIO}"]
    assert "does not answer after a reset either: reset, and not used any more" in log


@pytest.mark.parametrize("switches", [("MULTITASK=n",), ("IRQ=n",), ("DRIVER_PLIC=n",), ("PAGING=n",), ("SCHED_FIFO=y",), ("DEBUG=y",)], ids="-".join)
def test_B6_disks_with_other_components(image, sector, switches):
    path = image()
    lines, _ = sector("crc 0 2048 stack 5 many 0 300 write 9 2 9 flush", *(f"--set={s}" for s in switches), "--disk", path)
    assert lines[-2:] == ["write 9+2: ok", "flush: ok"]
    assert path.read_bytes()[9 * SECTOR:11 * SECTOR] == pattern(9, 2, 9)


def test_M1_every_allocation_with_a_disk_fails_once(image):
    """Then the disk is not there, or one command fails, and what comes after it works."""
    from caisson import building

    path = image()
    content = path.read_bytes()
    chosen = building.Variant(app="sector", switches=SWITCHES)
    building.build(chosen)
    whole = [f"crc 0+1: crc {sum_of(content, 0, 1)}", f"many 0+4: crc {sum_of(content, 0, 4)}",
             f"stack 3+2: crc {sum_of(content, 3, 2)}"]

    def start(n):
        result = run(["qemu-system-riscv64", "-M", "virt", "-smp", "2", "-m", "64M", "-nodefaults", "-display", "none",
                      "-serial", "stdio", "-kernel", chosen.image, "-global", "virtio-mmio.force-legacy=false",
                      "-drive", f"if=none,id=d0,format=raw,readonly=on,file={path}", "-device", "virtio-blk-device,drive=d0",
                      "-append", f"failalloc={n} -- crc 0 1 many 0 4 stack 3"])
        return result.status, result.text[result.text.find("boot: entered"):], result.text

    def check(n, status, log, out):
        lines = re.findall(r"^(?:crc|many|stack) .*|^vda: no such disk", out, re.MULTILINE)
        if "boot: main" not in log or lines == ["vda: no such disk"]:
            assert said_why(log), f"allocation {n}: status {status} without a word\n{log}"
            return
        wrong = [line for line in lines if line.strip() not in whole]
        assert len(lines) == 3 and len(wrong) <= 1, f"allocation {n}: {lines}\n{log}"
        assert all(line.strip().endswith(f"error {ENOMEM}") for line in wrong)

    assert every_n(start, check) > 15


@pytest.mark.parametrize("disk, reason", [
    ("missing.img", "No such file or directory"), ("", "the file's name is missing"), (".", "not a file with a disk image"),
    ("empty.img", "the file is empty"), ("good.img,rw", "No such file or directory"),
])
def test_bad_images_are_told(tmp_path, disk, reason):
    (tmp_path / "empty.img").touch()
    (tmp_path / "good.img").write_bytes(bytes(SECTOR))
    result = caisson("app", "--disk", disk, "sector", cwd=tmp_path)
    assert result.status == 2 and f"--disk {disk}: {reason}" in result.err
