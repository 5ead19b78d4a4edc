"""Disks of VMs: what guests/probe reads is in the image, what it writes is there afterwards; bad disks and bad drivers do no harm."""
import os
import random
import re
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from machines import assert_passed, batch, probe
from prompt import end_of_run
from test_debian import UBOOT, stop_uboot
from test_rounds import documents, scripted  # noqa: F401 (a fixture)

SECTOR = 512
SIZE = 1 << 20


def pattern(size: int = SIZE) -> bytes:
    """What test=disk writes, and finds where it may not write."""
    return bytes((at // SECTOR * 7 + at * 3 + 1) & 0xFF for at in range(size))


def written(size: int = SIZE) -> bytes:
    """What it leaves, but for the sectors that it has discarded."""
    content = bytearray(pattern(size))
    content[8 * SECTOR:16 * SECTOR] = bytes(8 * SECTOR)
    return bytes(content)


def without_discarded(content: bytes) -> bytes:
    return content[:16 * SECTOR] + content[24 * SECTOR:]


@pytest.fixture
def image(tmp_path):
    def make(content: bytes = bytes(SIZE), name: str = "disk.img"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def test_a_disk_is_written_and_read(image):
    path = image()
    result = probe("disk", "--memory", "16M", "--disk", f"{path},serial=S-1")
    assert_passed(result)
    assert "disk 0: 2048 sectors, rw, serial 'S-1', discards, zeroes\n" in result.text
    assert without_discarded(path.read_bytes()) == without_discarded(written())


def test_disks_come_in_the_order_given(image):
    paths = [image(pattern(256 * SECTOR * n), f"{n}.img") for n in (1, 2, 3)]
    words = [word for path in paths for word in ("--disk", f"{path},ro")]
    result = probe("disk", "--memory", "16M", *words)
    assert_passed(result)
    assert re.findall(r"^ok disk \d: (\d+) sectors, (\w+)", result.text, re.MULTILINE) == [
        ("256", "ro"), ("512", "ro"), ("768", "ro")]


def write_vm(folder: Path, name: str, disks: str, append: str = "test=disk", more: str = "") -> str:
    path = folder / f"{name}.toml"
    path.write_text(f'kernel = "guest:probe"\nmemory = "16M"\nappend = "{append}"\n{more}\n{disks}')
    return str(path)


def test_vms_share_an_image_that_none_of_them_changes(image, tmp_path):
    """Two write to overlays of their own, one only reads, all at once; the image takes one place of the machine."""
    path = image(pattern())
    disk = f'[[disk]]\nfile = "{path}"\n'
    files = [write_vm(tmp_path, "a", disk + "overlay = true\n"), write_vm(tmp_path, "b", disk + "overlay = true\n"),
             write_vm(tmp_path, "c", disk + "read-only = true\n")]
    result = batch("--harts", 2, *files)
    assert result.status == 0, result.text
    assert result.text.count("PASS disk") == 3
    assert path.read_bytes() == pattern()


def test_changes_are_in_a_file_and_there_again_the_next_time(image, tmp_path):
    path = image(bytes(SIZE))
    file = write_vm(tmp_path, "a", f'[[disk]]\nfile = "{path}"\noverlay = "changes"\n', "test=disk-count")
    texts = [batch(file).text for _ in range(3)]
    assert [re.search(r"first byte (\d+)", text)[1] for text in texts] == ["0", "1", "2"]
    assert path.read_bytes() == bytes(SIZE)
    other = write_vm(tmp_path, "b", f'[[disk]]\nfile = "{image(pattern(), "other.img")}"\noverlay = "changes"\n')
    result = batch(other)
    assert result.status == 2
    assert f"b: disk 0 ({tmp_path}/other.img): the file for its changes holds something else" in result.err


def partitioned() -> bytes:
    """An MBR with two parts: sectors 64 to 1087 and 1088 to 2047."""
    def entry(first: int, n: int) -> bytes:
        return bytes(4) + b"\x83" + bytes(3) + struct.pack("<II", first, n)

    table = bytes(446) + entry(64, 1024) + entry(1088, 896) + bytes(32) + b"\x55\xaa"
    return table + bytes(SIZE - SECTOR)


def test_two_vms_write_to_two_parts_of_an_image(image, tmp_path):
    path = image(partitioned())
    files = [write_vm(tmp_path, name, f'[[disk]]\nfile = "{path}"\npart = {part}\n') for name, part in (("a", 1), ("b", 2))]
    result = batch(*files)
    assert result.status == 0 and result.text.count("PASS disk") == 2, result.text
    assert "[a] ok disk 0: 1024 sectors" in result.text and "[b] ok disk 0: 896 sectors" in result.text
    content = path.read_bytes()
    assert content[:64 * SECTOR] == partitioned()[:64 * SECTOR] and content[1984 * SECTOR:] == bytes(64 * SECTOR)
    for first, n in ((64, 1024), (1088, 896)):
        part = content[first * SECTOR:(first + n) * SECTOR]
        assert without_discarded(part) == without_discarded(written(n * SECTOR))


@pytest.mark.parametrize("content, part, why", [
    (partitioned(), 3, "its partition table has no part 3"),
    (bytes(SIZE), 1, "its partition table has no part 1"),
    (partitioned()[:446 + 12] + b"\xff" * 4 + partitioned()[446 + 16:], 1, "its partition table makes no sense"),
])
def test_a_part_that_is_not_there(image, content, part, why):
    path = image(content)
    result = probe("disk", "--memory", "16M", "--disk", f"{path},part={part}")
    assert result.status == 2 and f"guest: disk 0 ({path}): {why}" in result.err
    assert path.read_bytes() == content


def test_a_disk_in_memory(tmp_path):
    file = write_vm(tmp_path, "a", '[[disk]]\nram = "1M"\nserial = "RAM"\n')
    result = batch(file)
    assert_passed(result)
    assert "disk 0: 2048 sectors, rw, serial 'RAM', discards, zeroes\n" in result.text


def test_what_is_in_memory_outlives_the_guest_but_not_the_vm(tmp_path, scripted):  # noqa: F811
    """Read back what an earlier start wrote; a VM that was deleted and made anew has zeroes again."""
    file = write_vm(tmp_path, "v", '[[disk]]\nram = "1M"\n', "test=disk-count", 'stop-timeout = 0')
    ended = "wait v ended"
    result = scripted([ended, "vm start v", ended, "vm delete v", "vm create v", "vm start v", ended, "poweroff"], file)
    sums = re.findall(r"first byte (\d+)", result.text)
    assert sums == ["0", "1", "0"]


def test_an_overlay_that_is_full(image, tmp_path):
    """The guest has I/O errors; the machine goes on."""
    file = write_vm(tmp_path, "a", f'[[disk]]\nfile = "{image(bytes(4 << 20))}"\noverlay = true\noverlay-limit = "1M"\n')
    result = batch(file)
    assert result.status == 1 and "FAIL all is written" in result.text and "ok flushed" in result.text


def test_resets_while_requests_are_under_way(image):
    assert_passed(probe("disk-reset", "--memory", "16M", "--disk", image()))


def test_a_driver_that_breaks_the_rules_needs_a_reset(image, tmp_path):
    log = tmp_path / "log"
    assert_passed(probe("disk-rules", "--memory", "16M", "--disk", image(), "--log", log))
    lines = re.findall(r"warn  virtio: guest: disk 0: (.*)", log.read_text())
    assert lines == ["the guest's driver breaks the rules: a request without room for its status",
                     "the guest's driver breaks the rules: a request without a header"]


@pytest.fixture
def failing(tmp_path):
    """A QEMU whose disks have these errors: (event, sector or None, errno), each time or once."""
    def make(*rules: tuple):
        text = "".join(f'[inject-error]\nevent = "{event}"\nerrno = "{errno}"\n'
                       + (f'sector = "{sector}"\n' if sector is not None else 'once = "on"\n') for event, sector, errno in rules)
        (tmp_path / "rules").write_text(text)
        wrapper = tmp_path / "qemu"
        real = shutil.which(os.environ.get("CAISSON_QEMU") or "qemu-system-riscv64")
        config = f"file.driver=blkdebug,file.config={tmp_path}/rules,file.image.driver=file,file.image.filename="
        wrapper.write_text(f'#!/bin/bash\nexec {real} "${{@//file.driver=file,file.filename=/{config}}}"\n')
        wrapper.chmod(0o755)
        return {"CAISSON_QEMU": str(wrapper)}

    return make


def test_an_error_of_the_medium_is_the_guests(image, tmp_path, failing):
    """A bad sector, a full disk of the host, a flush that fails: I/O errors just there, and a line in the log."""
    environment = failing(("read_aio", 3, 5), ("write_aio", 4, 28), ("flush_to_disk", None, 5))
    log = tmp_path / "log"
    result = probe("disk-errors", "--memory", "16M", "--disk", image(), "--log", log, environment=environment)
    assert result.status == 0
    bad = [line for line in result.text.splitlines() if ": status" in line and not line.endswith("status 0")]
    assert bad == ["reading 3: status 1", "writing 4: status 1", "flushing 0: status 1"]
    assert result.text.count("status 0") == 21
    lines = re.findall(r"warn  virtio: guest: disk 0: (.*)", log.read_text())
    assert lines == ["reading at sector 3: error -5 of vda", "writing at sector 4: error -5 of vda",
                     "flushing: error -5 of vda"]


def test_a_neighbour_does_not_notice_a_bad_disk(image, tmp_path, failing):
    files = [write_vm(tmp_path, "a", f'[[disk]]\nfile = "{image(name="a.img")}"\n', "test=disk-errors"),
             write_vm(tmp_path, "b", '[[disk]]\nram = "1M"\n')]
    result = batch(*files, environment=failing(("read_aio", 0, 5), ("write_aio", 0, 5)))
    assert result.status == 0, result.text
    assert "[a] reading 0: status 1" in result.text and "[b] PASS disk" in result.text


def test_H13_stop_and_start_with_requests_under_way(image, tmp_path, scripted):  # noqa: F811
    """A hundred times; not a frame is missing in the end, and the disk still works."""
    disks = f'[[disk]]\nfile = "{image()}"\n[[disk]]\nram = "1M"\n'
    file = write_vm(tmp_path, "v", disks, "test=disk-busy", "stop-timeout = 0")
    stop = ["vm stop v", "wait v ended", "mem --json"]
    again = ["vm stop v", "wait v ended", "vm start v", "sleep 0.005"]
    result = scripted(["sleep 0.01", *again, *stop, "vm start v", "sleep 0.005", *again * 100, "disk --json", *stop], file)
    said = documents(result.err)
    before, after = (document for document in said if "free" in document)
    assert before == after, "not a frame is missing, nor a byte of the heap"
    assert result.text.count("busy\n") > 50
    assert said[1]["vm"] == "v" and said[1]["reads"] > 400 and said[1]["writes"] > 400 and said[1]["errors"] == 0


@pytest.mark.skipif(not os.path.exists(UBOOT), reason="no U-Boot here")
def test_uboot_reads_and_writes_a_disk(image, spawn):
    content = random.Random(1).randbytes(SIZE)
    path = image(content)
    child = spawn("run", "--batch", "--kernel", f"{UBOOT}/u-boot.bin", "--memory", "512M", "--disk", path)
    stop_uboot(child)
    child.send("\r")
    for command, answer in (("virtio scan", ""), ("virtio info", r"Capacity: 1\.0 MB = 0\.0 GB \(2048 x 512\)"),
                            ("virtio read 84000000 3 2", "2 blocks read: OK"),
                            ("crc32 84000000 400", f"==> {zlib.crc32(content[3 * SECTOR:5 * SECTOR]):08x}"),
                            ("virtio write 84000000 9 2", "2 blocks written: OK")):
        child.expect_exact("=> ")
        child.send(command + "\r")
        child.expect(answer)
    child.expect_exact("=> ")
    child.send("poweroff\r")
    assert end_of_run(child) == 0
    assert path.read_bytes()[9 * SECTOR:11 * SECTOR] == content[3 * SECTOR:5 * SECTOR]
