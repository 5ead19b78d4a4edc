"""Issue 5's quick form: Debian's Linux with busybox on an ext4 disk; this computer checks what it wrote."""
import hashlib
import random

import pytest

import linux_disks
from machines import batch


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def boot(debian, tmp_path):
    """Boot from this image; the result."""
    initrd = linux_disks.initrd(tmp_path / "initramfs", debian)

    def run(image, *words, append="rw"):
        return batch("--kernel", debian / "vmlinux", "--initrd", initrd, "--append",
                     f"console=ttyS0 quiet panic=-1 {append}", "--disk", image, *words)

    return run


def test_a_linux_root_on_a_disk(boot, debian, tmp_path):
    """Read what the host wrote, write what the host reads, power off; a second, read-only disk beside it."""
    given, second = noise(3 << 20, 1), linux_disks.make(tmp_path / "second.img", "8M", {"note": b"from the host\n"})
    before = second.read_bytes()
    image = linux_disks.root(tmp_path / "root.img", debian, [
        "cd /data",
        "sha256sum given",
        "cat given given > twice",
        "cp given moved && mv moved elsewhere",
        "for i in $(seq 1 300); do echo $i > many-$i; done",
        "rm many-1*",
        "ls | wc -l",
        "echo serial $(cat /sys/block/vdb/serial) read-only $(cat /sys/block/vdb/ro)",
        "mount -r -t ext4 /dev/vdb /mnt && cat /mnt/note",
        "echo over > /dev/vdb",
        "umount /mnt",
        *linux_disks.CLEAN], {"data/given": given})
    result = boot(image, "--disk", f"{second},ro,serial=S-42", "--cpus", "2", "--harts", "2")
    assert result.status == 0, result.text + result.err
    assert f"{hashlib.sha256(given).hexdigest()}  given" in result.text
    lines = result.text.splitlines()
    assert {"192", "serial S-42 read-only 1", "from the host", "read-only"} <= set(lines), result.text
    linux_disks.assert_clean(image)
    assert linux_disks.read(image, "/data/twice") == given * 2
    assert linux_disks.read(image, "/data/elsewhere") == given
    assert linux_disks.read(image, "/data/many-299") == b"299\n"
    assert second.read_bytes() == before


def test_what_was_synced_outlives_a_power_cut(boot, debian, tmp_path):
    """The machine goes away with a mounted, busy file system. The journal makes it whole."""
    kept = noise(1 << 20, 2)
    image = linux_disks.root(tmp_path / "root.img", debian, [
        "cp /data/given /data/kept",
        "sync",
        "(while true; do cat /data/given > /data/churn; rm /data/churn; done) &",
        "sleep 1",
        "echo o > /proc/sysrq-trigger",
        "sleep 60"], {"data/given": kept})
    result = boot(image)
    assert result.status == 0, result.text + result.err
    assert "needs_recovery" in linux_disks.tool("dumpe2fs", "-h", image), "the file system was not busy"
    linux_disks.tool("e2fsck", "-p", image)
    linux_disks.assert_clean(image)
    assert linux_disks.read(image, "/data/kept") == kept


def test_a_root_that_is_not_there_is_told(boot, tmp_path):
    """A disk without a file system, and a name that no disk has."""
    blank = tmp_path / "blank.img"
    blank.write_bytes(bytes(1 << 20))
    result = boot(blank)
    assert result.status == 0
    assert "initramfs: /dev/vda cannot be mounted; the disks are: vda" in result.text
