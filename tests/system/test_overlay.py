"""Overlays: several guests share one image, each sees only what it has written itself, and the image stays as it is."""
import hashlib
import os
import random
import re
import zlib

import journal
import linux_disks
import pytest
import writelog
from killing import again_and_again
from machines import batch, caisson, vm, wait_for_text
from test_block import pattern
from test_debian import UBOOT as FOLDER, stop_uboot

FOUND = 90  # records in the shared image, at least


@pytest.fixture
def base(tmp_path):
    """An image with a journal, and where that ends."""
    image = tmp_path / "base.img"
    image.write_bytes(bytes(journal.SIZE))
    vm("journal", "--disk", image, append=f"limit={FOUND}")
    return image, journal.check(image.read_bytes(), FOUND)


@pytest.fixture
def sharing(toml, base):
    """The TOML file of a VM with an overlay of that image: sharing(name, boot arguments)."""
    def write(name: str, append: str, how: str = "overlay = true") -> str:
        path = toml(name, kernel="guest:journal", memory="16M", append=append)
        with open(path, "a") as file:
            file.write(f'[[disk]]\nfile = "{base[0]}"\n{how}\n')
        return path

    return write


def said(result, name: str) -> list[int]:
    return [int(number) for number in re.findall(rf"^\[{name}\] (?:found|ack) (\d+)\.", result.text, re.MULTILINE)]


def test_guests_share_an_image_and_see_only_their_own_changes(sharing, base):
    """Each goes on with the journal at its own pace; one begins when others have long written, and finds the base's."""
    image, found = base
    before = image.read_bytes()
    limits = {"few": found + 5, "some": found + 60, "many": found + 300}
    result = batch(*(sharing(name, f"limit={limit}") for name, limit in limits.items()),
                   sharing("reader", "do=check", "read-only = true"), "--harts", "2")
    assert result.status == 0, result.err
    for name, limit in limits.items():
        numbers = said(result, name)
        assert numbers[0] == found and limit <= numbers[-1] < limit + journal.BATCH_MAX and numbers == sorted(numbers)
    assert said(result, "reader") == [found]
    assert image.read_bytes() == before


# --- U-Boot and Debian ---

UBOOT = f"{FOLDER}/u-boot.bin"
MARK = 4096  # bytes of a file that both change
_LINUX = """\
mount -t ext4 /dev/vda /mnt
sha256sum < /mnt/mark
tr 'a-z' 'A-Z' < /mnt/text > /mnt/changed && yes linux | head -c 4096 | dd of=/mnt/mark conv=notrunc,fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
umount /mnt && mount -t ext4 /dev/vda /mnt
cat /mnt/changed
head -c 5 /mnt/mark
echo done
sleep 1000
"""


class UBoot:
    """Called with a command: it has to print the answer."""

    def __init__(self, child):
        self.child = child
        stop_uboot(child)

    def __call__(self, command: str, answer: str) -> None:
        self.child.send(command + "\r")
        self.child.expect(answer)
        self.child.expect_exact("=> ")


@pytest.mark.skipif(not os.path.exists(UBOOT), reason="no U-Boot here")
def test_uboot_and_debian_share_an_image(spawn, debian, tmp_path):
    """Both read its files; both write over the same blocks of one; neither sees what the other wrote, nor does the image."""
    from caisson import initramfs, modules

    mark = random.Random(1).randbytes(MARK)
    image = linux_disks.make(tmp_path / "base.img", "16M", {"mark": mark, "text": b"from the host\n"})
    before = image.read_bytes()
    initramfs.make(tmp_path / "initramfs", debian / "busybox", _LINUX.splitlines(), modules.read(debian / "modules"))
    disk = f'[[disk]]\nfile = "{image}"\noverlay = true\n'
    (tmp_path / "boot.toml").write_text(f'kernel = "{UBOOT}"\nmemory = "512M"\n{disk}')
    (tmp_path / "linux.toml").write_text(f'kernel = "{debian}/vmlinux"\ninitrd = "initramfs"\nmemory = "256M"\n'
                                         f'append = "console=ttyS0 quiet"\n{disk}')
    uboot = UBoot(spawn("run", "--quiet", "--console-log", tmp_path, tmp_path / "boot.toml", tmp_path / "linux.toml"))
    sector = before.index(mark) // 512
    uboot("virtio scan", "")
    uboot("ext4load virtio 0 84000000 /mark", f"{MARK} bytes read")
    uboot("crc32 84000000 1000", f"==> {zlib.crc32(mark):08x}")
    uboot("mw.b 85000000 42 1000", "")
    uboot(f"virtio write 85000000 {sector:x} 8", "8 blocks written: OK")
    said = wait_for_text(tmp_path / "linux.log", "done")
    assert hashlib.sha256(mark).hexdigest() in said and "FROM THE HOST" in said and "linuxdone" in said.replace("\r\n", ""), said
    uboot("ext4load virtio 0 86000000 /mark", f"{MARK} bytes read")
    uboot("cmp.b 85000000 86000000 1000", r"Total of 4096 byte\(s\) were the same")
    assert image.read_bytes() == before


# --- a store ---

SECTORS, FIRST, N = 2048, 100, 16


class Store:
    """An overlay that keeps what is written on another disk; apps/sector in place of a guest."""

    def __init__(self, folder):
        self.base, self.image, self.log = (folder / name for name in ("base.img", "store.img", "store.log"))
        self.content = random.Random(1).randbytes(SECTORS * 512)
        self.base.write_bytes(self.content)
        self.image.write_bytes(bytes(4 << 20))
        self.seed = 0  # of what was written last

    def run(self, commands: str, *words) -> list[str]:
        """The lines that it prints about each."""
        result = caisson("app", "--disk", f"{self.base},ro", "--disk", self.image, *words, "sector", "store", "vdb",
                         *commands.split())
        assert result.status == 0, result.text + result.err
        return result.text.splitlines()[2:]

    def write(self, seed: int) -> list[writelog.Entry]:
        """Write the N sectors and flush. What reached the store."""
        self.log.write_bytes(b"")
        self.run(f"write {FIRST} {N} {seed} flush", *writelog.options(1, self.log))
        return writelog.read(self.log)

    def see(self, store: bytes) -> bytes:
        return writelog.through_store(self.content, store)

    def wanted(self, seed: int) -> bytes:
        """What is to be seen when it was written with this seed; 0: never."""
        data = pattern(FIRST, N, seed) if seed else self.content[FIRST * 512:(FIRST + N) * 512]
        return self.content[:FIRST * 512] + data + self.content[(FIRST + N) * 512:]

    def assert_either(self, seen: bytes, *wanted: bytes) -> None:
        for place in range(0, len(seen), 512):
            assert seen[place:place + 512] in [form[place:place + 512] for form in wanted], f"sector {place // 512}"


def test_what_was_flushed_to_a_store_survives_a_power_cut(tmp_path):
    """Each sector is as it was flushed last, or as it was written since; nothing else of the base has changed."""
    store = Store(tmp_path)

    def write_once(chosen: random.Random) -> None:
        seed = store.seed = store.seed + 1
        before = store.image.read_bytes()
        entries = store.write(seed)
        forms = [writelog.power_cut(before, entries[:end], chosen) for end in list(range(len(entries) + 1)) * 4]
        for form in forms:
            store.assert_either(store.see(form), store.wanted(seed - 1), store.wanted(seed))
        assert store.see(forms[-1]) == store.wanted(seed)
        for form in (chosen.choice(forms), forms[-1]):
            store.image.write_bytes(form)
            assert store.run(f"crc 0 {SECTORS}") == [f"crc 0+{SECTORS}: crc {zlib.crc32(store.see(form)):08x}"]

    again_and_again(write_once, 3)
