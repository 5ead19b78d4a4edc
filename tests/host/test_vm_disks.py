"""Disks of VMs: --disk and [[disk]] tables; what is wrong is said with option or file and line, the rest reaches QEMU and the bundle."""
import os
import time

import libfdt
import pytest

from test_config import assert_refused, read_bundle

HEAD = 'kernel = "kernel"\n\n[[disk]]\n'


@pytest.fixture
def disk(tool):
    """A folder with images of one sector, and some that are none."""
    for name in ("d.img", "e.img", "a,b.img"):
        tool.file(name, bytes(512))
    tool.file("empty.img", b"")
    tool.file("odd.img", bytes(700))
    tool.file("q.img", b"QFI\xfb" + bytes(508))
    tool.file("kernel")
    (tool.folder / "link.img").symlink_to("d.img")
    return tool


TABLES = [
    ('kernel = "kernel"\ndisk = 1\n', "a.toml:2: disk = 1: a [[disk]] table is wanted here, not a whole number"),
    ('kernel = "kernel"\n[disk]\nfile = "d.img"\n', "a.toml:2: [disk]: a [[disk]] table is wanted here, not a table"),
    (HEAD, "a.toml:3: [[disk]]: a disk has either an image (file = "),
    (HEAD + 'file = "d.img"\nram = "1M"\n', "a.toml:3: [[disk]]: a disk has either an image"),
    (HEAD + 'flie = "d.img"\n', """a.toml:4: flie = "d.img": unknown key 'flie'; did you mean 'file'?"""),
    (HEAD + 'zzz = 1\n', "a.toml:4: zzz = 1: unknown key 'zzz'; the keys of a disk are file, part, ram, "),
    (HEAD + 'file = 1\n', "a.toml:4: file = 1: a file name is wanted here"),
    (HEAD + 'file = ""\n', "the file's name is missing"),
    (HEAD + 'file = "none.img"\n', 'a.toml:4: file = "none.img": No such file or directory'),
    (HEAD + 'file = "."\n', 'a.toml:4: file = ".": not a file with a disk image'),
    (HEAD + 'file = "empty.img"\n', "the file is empty: a disk has at least one sector"),
    (HEAD + 'file = "odd.img"\n', "its 700 bytes are no whole number of sectors of 512 (truncate -s %512 adds zeroes)"),
    (HEAD + 'file = "q.img"\n', "a qcow2 image; a disk is the plain bytes (qemu-img convert -O raw)"),
    (HEAD + 'file = "d.img"\nread-only = 1\n', "a.toml:5: read-only = 1: true or false is wanted here"),
    (HEAD + 'file = "d.img"\nserial = ""\n', "a.toml:5: serial = \"\": a serial number has 1 to 20 characters"),
    (HEAD + 'file = "d.img"\nserial = "123456789012345678901"\n', "a serial number has 1 to 20 characters"),
    (HEAD + 'file = "d.img"\nserial = "ü"\n', "a serial number has 1 to 20 characters of ASCII"),
    (HEAD + 'file = "d.img"\noverlay = 1\n', "a.toml:5: overlay = 1: true or false is wanted here"),
    (HEAD + 'file = "d.img"\noverlay = ""\n', "a.toml:5: overlay = \"\": the file's name is missing"),
    (HEAD + 'file = "d.img"\noverlay = "e.img"\n', 'a.toml:5: overlay = "e.img": changes to this image need 2097664 bytes'),
    (HEAD + 'file = "d.img"\noverlay = "none/x"\n', 'a.toml:5: overlay = "none/x": no file can be made there'),
    (HEAD + 'file = "d.img"\noverlay = "d.img"\n', 'a.toml:5: overlay = "d.img": changes to this image need'),
    (HEAD + 'file = "d.img"\noverlay = "s.img"\noverlay-limit = "1M"\n', "this disk has no overlay in memory"),
    (HEAD + 'file = "d.img"\noverlay = "s.img"\n[[disk]]\nfile = "e.img"\noverlay = "s.img"\n',
     'a.toml:8: overlay = "s.img": another disk writes to the same image (a.toml:5: overlay = "s.img")'),
    (HEAD + 'file = "d.img"\npart = 0\n', "a.toml:5: part = 0: a part of a partition table is 1 to 128"),
    (HEAD + 'file = "d.img"\npart = "1"\n', "a.toml:5: part = \"1\": the number of a part is wanted here"),
    (HEAD + 'ram = "1M"\npart = 1\n', "a.toml:5: part = 1: a disk in RAM begins with zeroes"),
    (HEAD + 'file = "d.img"\npart = 1\n[[disk]]\nfile = "d.img"\n', "a.toml:7: file = \"d.img\": another disk writes"),
    (HEAD + 'file = "d.img"\npart = 1\n[[disk]]\nfile = "d.img"\npart = 1\n', "a.toml:7: file = \"d.img\": another disk writes"),
    (HEAD + 'file = "d.img"\nread-only = true\noverlay = true\n', "a.toml:6: overlay = true: nothing is written to a read-only"),
    (HEAD + 'file = "d.img"\noverlay-limit = "1M"\n', "a.toml:5: overlay-limit = \"1M\": this disk has no overlay"),
    (HEAD + 'file = "d.img"\noverlay = true\noverlay-limit = 1\n', "an overlay has from 1M to 1024G of memory"),
    (HEAD + 'ram = "1M"\noverlay = true\n', "a.toml:5: overlay = true: a disk in RAM has no image"),
    (HEAD + 'ram = "1M"\nread-only = true\n', "a.toml:5: read-only = true: a disk in RAM begins with zeroes"),
    (HEAD + 'ram = 0\n', "a.toml:4: ram = 0: a disk in RAM is a whole number of sectors of 512 bytes"),
    (HEAD + 'ram = 513\n', "a whole number of sectors"),
    (HEAD + 'ram = "2000G"\n', "1024G at most"),
    (HEAD + 'ram = "x"\n', 'a.toml:4: ram = "x": not a size'),
    ('kernel = "kernel"\n' + '[[disk]]\nram = "1M"\n' * 9, "a.toml:18: [[disk]]: a VM has at most 8 disks"),
    (HEAD + 'file = "d.img"\n[[disk]]\nfile = "link.img"\n',
     'a.toml:6: file = "link.img": another disk writes to the same image (a.toml:4: file = "d.img")'),
]


@pytest.mark.parametrize("text, message", TABLES, ids=lambda value: str(value)[-40:].replace("\n", " "))
def test_bad_table(disk, text, message):
    disk.file("a.toml", text)
    assert_refused(disk.run("run", "--batch", "a.toml"), message)
    assert not disk.started()


@pytest.mark.parametrize("words, message", [
    (["none.img"], "--disk none.img: No such file or directory"),
    ([",ro"], "--disk ,ro: the file's name is missing"),
    (["odd.img,ro"], "--disk odd.img,ro: its 700 bytes"),
    (["d.img,ro,overlay"], "--disk d.img,ro,overlay: nothing is written to a read-only disk"),
    (["d.img,serial="], "--disk d.img,serial=: a serial number has"),
    (["d.img", "./d.img"], "--disk ./d.img: another disk writes to the same image (--disk d.img)"),
    (["d.img", "d.img,ro"], "--disk d.img,ro: another disk writes to this image, and this one reads it (--disk d.img)"),
    (["d.img,ro", "d.img"], "--disk d.img: this disk writes to its image, and another one reads that (--disk d.img,ro)"),
    (["d.img,ro", "d.img,overlay", "d.img"], "--disk d.img: this disk writes to its image"),
    (["d.img,part=x"], "--disk d.img,part=x: the number of a part is wanted here"),
    (["d.img,part=129"], "--disk d.img,part=129: a part of a partition table is 1 to 128"),
    (["d.img,overlay="], "--disk d.img,overlay=: the file's name is missing"),
    (["d.img,ro"] * 9, "--disk d.img,ro: a VM has at most 8 disks"),
])
def test_bad_option(disk, words, message):
    options = [option for word in words for option in ("--disk", word)]
    assert_refused(disk.run("run", "--batch", "--kernel", "kernel", *options), message)
    assert not disk.started()


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be read and written by root")
def test_images_that_may_not_be_opened(disk):
    (disk.folder / "d.img").chmod(0o400)
    assert_refused(disk.run("run", "--kernel", "kernel", "--disk", "d.img"), "--disk d.img: not writable")
    (disk.folder / "d.img").chmod(0)
    assert_refused(disk.run("run", "--kernel", "kernel", "--disk", "d.img,ro"), "--disk d.img,ro: not readable")


def test_nine_images_are_too_many_for_the_machine(disk):
    for number in range(9):
        disk.file(f"{number}.img", bytes(512))
    disk.file("a.toml", 'kernel = "kernel"\n' + "".join(f'[[disk]]\nfile = "{n}.img"\n' for n in range(5)))
    disk.file("b.toml", 'kernel = "kernel"\n' + "".join(f'[[disk]]\nfile = "{n}.img"\n' for n in range(5, 9)))
    assert_refused(disk.run("run", "--batch", "a.toml", "b.toml"),
                   'b.toml:9: file = "8.img": the machine has places for 8 disks, all VMs together')


def test_a_machine_without_disks(disk):
    assert_refused(disk.run("run", "--platform", "sifive_u", "--kernel", "kernel", "--disk", "d.img"),
                   "--platform sifive_u: this machine has no disks and networks")
    assert_refused(disk.run("app", "--platform", "sifive_u", "--disk", "d.img", "hello"), "--platform sifive_u: this machine has no")


def test_disks_and_uplinks_share_the_places(disk):
    words = [word for number in range(8) for word in ("--disk", f"{number}.img")]
    for number in range(8):
        disk.file(f"{number}.img", bytes(512))
    assert_refused(disk.run("run", "--kernel", "kernel", *words, "--net"), "8 disks and 1 uplinks: the machine has places for 8")


def test_two_writers_in_two_vms(disk):
    disk.file("a.toml", HEAD + 'file = "d.img"\n')
    disk.file("b.toml", HEAD + 'overlay = true\nfile = "link.img"\n')
    assert_refused(disk.run("run", "--batch", "a.toml", "b.toml"),
                   'b.toml:5: file = "link.img": another disk writes to this image, and this one reads it (a.toml:4: file = "d.img")')


def properties(blob: bytes, node: str) -> dict:
    fdt = libfdt.Fdt(blob)
    at = fdt.path_offset(node)
    found, offset = {}, fdt.first_property_offset(at, libfdt.QUIET_NOTFOUND)
    while offset >= 0:
        prop = fdt.get_property_by_offset(offset)
        found[prop.name] = bytes(prop)
        offset = fdt.next_property_offset(offset, libfdt.QUIET_NOTFOUND)
    return found


def test_what_qemu_and_the_hypervisor_are_told(disk):
    """Images that several share take one place of the machine; commas belong to a name."""
    disk.file("a.toml", HEAD + 'file = "d.img"\nread-only = true\n[[disk]]\nfile = "a,b.img"\nserial = "S 1"\n')
    disk.file("b.toml", HEAD + 'file = "link.img"\noverlay = true\noverlay-limit = "2M"\n[[disk]]\nram = "1M"\n')
    result = disk.run("run", "--batch", "a.toml", "b.toml")
    assert result.returncode == 0, result.stderr
    drives = [word for word in disk.record() if word.startswith("if=none")]
    assert len(drives) == 2
    assert "/d.img," in drives[0] and drives[0].endswith("read-only=on")
    assert "/a,,b.img," in drives[1] and "read-only" not in drives[1]
    bundle = read_bundle(disk)
    assert properties(bundle["vm/0.dtb"], "/disk0") == {"device": b"vda\0", "label": b"d.img\0", "read-only": b""}
    assert properties(bundle["vm/0.dtb"], "/disk1") == {"device": b"vdb\0", "label": b"a,b.img\0", "serial": b"S 1\0"}
    assert properties(bundle["vm/1.dtb"], "/disk0") == {"device": b"vda\0", "label": b"link.img\0",
                                                        "overlay": (2 << 20).to_bytes(8, "big")}
    assert properties(bundle["vm/1.dtb"], "/disk1") == {"ram": (1 << 20).to_bytes(8, "big")}


def test_options_stand_in_any_order_behind_the_name(disk):
    result = disk.run("run", "--batch", "--kernel", "kernel", "--disk", "a,b.img,serial=X,ro")
    assert result.returncode == 0, result.stderr
    assert properties(read_bundle(disk)["vm/0.dtb"], "/disk0") == {"device": b"vda\0", "label": b"a,b.img\0",
                                                                 "read-only": b"", "serial": b"X\0"}


def test_a_file_for_the_changes_is_made_and_used_again(disk):
    """Without the real hypervisor it stays empty; --check makes none."""
    disk.file("a.toml", HEAD + 'file = "d.img"\noverlay = "new.img"\n')
    assert disk.run("run", "--check", "a.toml").returncode == 0
    assert not (disk.folder / "new.img").exists()
    for _ in range(2):
        assert disk.run("run", "--batch", "a.toml").returncode == 0
        assert (disk.folder / "new.img").stat().st_size == (2 << 20) + 512
    assert properties(read_bundle(disk)["vm/0.dtb"], "/disk0") == {"device": b"vda\0", "label": b"d.img\0", "store": b"vdb\0"}
    drives = [word for word in disk.record() if word.startswith("if=none")]
    assert drives[0].endswith("read-only=on") and "/new.img," in drives[1]


def test_parts_of_an_image_have_writers_of_their_own(disk):
    disk.file("a.toml", HEAD + 'file = "d.img"\npart = 1\n')
    disk.file("b.toml", HEAD + 'file = "link.img"\npart = 2\n')
    assert disk.run("run", "--batch", "a.toml", "b.toml").returncode == 0
    assert properties(read_bundle(disk)["vm/1.dtb"], "/disk0") == {"device": b"vda\0", "label": b"link.img\0",
                                                                 "part": b"\0\0\0\2"}
    assert len([word for word in disk.record() if word.startswith("if=none")]) == 1


def test_check_shows_them(disk):
    disk.file("a.toml", HEAD + 'file = "d.img"\noverlay = true\n[[disk]]\nram = "3M"\n')
    shown = disk.run("run", "--check", "a.toml").stdout.decode()
    assert '{ file = "d.img", overlay = true, overlay-limit = "256M" }: the machine\'s vda, 512 bytes' in shown
    assert '{ ram = "3M" }' in shown and "259M for their disks in memory" in shown


def test_another_run_with_the_same_image(disk):
    """Its lock ends with it, however it ends."""
    first = disk.start("run", "--batch", "--kernel", "kernel", "--disk", "d.img", script="time.sleep(1000)")
    try:
        while not disk.started():
            assert first.poll() is None
            time.sleep(0.02)
        for words, message in ((["d.img"], "another ./caisson has this image open"),
                               (["link.img,ro"], "another ./caisson writes to this image")):
            assert_refused(disk.run("run", "--check", "--kernel", "kernel", "--disk", *words), message)
    finally:
        first.kill()
        first.communicate()
    assert disk.run("run", "--check", "--kernel", "kernel", "--disk", "d.img").returncode == 0
