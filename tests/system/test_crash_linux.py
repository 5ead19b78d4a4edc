"""
An ext4 file system survives kills of QEMU: Linux appends lines to a file and says `ack N.` when each is synchronised.

As in test_crash.py each kill is looked at three times, and the next life begins with one of them. Each time e2fsck
plays the file system's journal and then has nothing to say against it, and the file has all acknowledged lines.
"""
import random
import subprocess
from pathlib import Path

import linux_disks
import pytest
from killing import LONGEST_DELAY, Kept, Writer, again_and_again, run_until_killed

ROUNDS, ROUNDS_LONG = 4, 40
ACKS_MAX = 40
BLOCK = 4096  # of the file system, which takes it that these are written whole

_SCRIPT = """\
fail() { echo "FAIL $*"; poweroff -f; }
line() { echo "$1 $(($1 * 2654435761 % 4294967296)) is what line $1 says"; }
mount -t ext4 /dev/vda /mnt || fail mount
cd /mnt
n=$(cat lines 2>/dev/null | wc -l)
echo "found $n."
while n=$((n + 1)); do
	line $n >> lines && sync lines || fail "line $n"
	echo "ack $n."
	mkdir -p old/$((n % 7)) && line $n > new && mv new old/$((n % 7))/last && rm -rf old/$((n % 5)) || fail "others than line $n"
done
"""


def lines(n: int) -> bytes:
    """The first n of them."""
    return "".join(f"{i} {i * 2654435761 % 4294967296} is what line {i} says\n" for i in range(1, n + 1)).encode()


class FileSystem(Kept):
    """A disk with one, looked at on this computer."""

    def __init__(self, folder: Path):
        super().__init__(folder / "disk.img", atom=BLOCK)
        self.writer, self.copy = Writer(), folder / "copy.img"
        with open(self.image, "wb") as image:
            image.truncate(16 << 20)
        linux_disks.tool("mke2fs", "-q", "-t", "ext4", "-b", BLOCK, self.image)

    def look(self, chosen: random.Random) -> None:
        forms = self.forms(chosen)
        for form in forms:
            self.copy.write_bytes(form)
            self.check()
        self.image.write_bytes(chosen.choice(forms))

    def check(self) -> None:
        replayed = subprocess.run(["/sbin/e2fsck", "-y", "-E", "journal_only", self.copy], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False)
        assert replayed.returncode in (0, 1), replayed.stdout + replayed.stderr
        linux_disks.tool("e2fsck", "-fn", self.copy)
        acknowledged, there = self.writer.acknowledged, linux_disks.read(self.copy, "/lines")
        assert len(there) >= len(lines(acknowledged)), f"line {acknowledged} was acknowledged: {there[-200:]!r}"
        assert lines(acknowledged + 500).startswith(there), there[-200:]


@pytest.fixture
def initrd(debian, tmp_path):
    from caisson import initramfs, modules

    path = tmp_path / "initramfs"
    initramfs.make(path, debian / "busybox", _SCRIPT.splitlines(), modules.read(debian / "modules"))
    return path


def test_ext4_survives_a_kill(debian, initrd, tmp_path, request):
    disk = FileSystem(tmp_path)

    def live_once(chosen: random.Random) -> None:
        words = [*disk.before(), "--kernel", debian / "vmlinux", "--initrd", initrd, "--append", "console=ttyS0 quiet",
                 "--cpus", chosen.randint(1, 2), "--harts", 2, "--disk", disk.image]
        out = run_until_killed(words, chosen.randint(1, ACKS_MAX), chosen.random() * LONGEST_DELAY)
        assert b"EXT4-fs error" not in out and b"FAIL" not in out, out.decode(errors="replace")
        disk.writer.hear(out)
        disk.look(chosen)

    again_and_again(live_once, ROUNDS_LONG if request.config.getoption("--long") else ROUNDS)
