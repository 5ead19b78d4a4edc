"""Disks that fail: the guest whose disk it is gets an I/O error; the other VM, the machine and the guest itself go on."""
import re

import journal
import linux_disks
import pytest
from killing import read_acks
from machines import CAISSON, batch, kill_all, run, start

from caisson import initramfs, modules
from caisson.machine import qemu_program

LIMIT = 60  # records of the neighbour
TRY_SECTORS = 8


@pytest.fixture
def disks(tmp_path):
    """Two images: the one that will fail, and the neighbour's."""
    paths = tmp_path / "failing.img", tmp_path / "neighbour.img"
    for path in paths:
        path.write_bytes(bytes(journal.SIZE))
    return paths


@pytest.fixture
def two(toml, disks):
    """The TOML files of a VM that tries the first disk, and of one that keeps a journal on the second."""
    def write_one(name: str, image, append: str, more: str = "") -> str:
        path = toml(name, kernel="guest:journal", memory="16M", append=append)
        with open(path, "a") as file:
            file.write(f'[[disk]]\nfile = "{image}"\n{more}\n')
        return path

    def write(sectors: int = TRY_SECTORS, image=disks[0], more: str = "") -> list[str]:
        return [write_one("failing", image, f"do=try sectors={sectors}", more),
                write_one("neighbour", disks[1], f"limit={LIMIT}")]

    return write


_FILE = "file.driver=file,file.filename="
_BLKDEBUG = "file.driver=blkdebug,file.config={rules},file.image.driver=file,file.image.filename="
_WRAPPER = """\
#!/usr/bin/python3
import os, sys
words = [word.replace({old!r}, {new!r}) for word in sys.argv[1:]]
os.execvp({qemu!r}, [{qemu!r}, *words])
"""


def failing(tmp_path, *rules: dict) -> dict:
    """Have QEMU's blkdebug fail the first disk's requests. The environment for ./caisson: a QEMU with another -drive."""
    config, program = tmp_path / "rules", tmp_path / "qemu-system-failing"
    config.write_text("".join("[inject-error]\n" + "".join(f'{key} = "{value}"\n' for key, value in rule.items())
                              for rule in rules))
    first = "id=disk0,format=raw,"
    program.write_text(_WRAPPER.format(old=first + _FILE, new=first + _BLKDEBUG.format(rules=config), qemu=qemu_program()))
    program.chmod(0o755)
    return {"CAISSON_QEMU": str(program)}


def lines_of(result, name: str) -> list[str]:
    return [line.removeprefix(f"[{name}] ").rstrip("\r") for line in result.text.splitlines() if line.startswith(f"[{name}] ")]


def assert_neighbour_was_not_disturbed(result, image) -> None:
    said = [int(number) for number in re.findall(r"^\[neighbour\] ack (\d+)\.", result.text, re.MULTILINE)]
    assert said and said[-1] >= LIMIT, result.text + result.err
    assert journal.check(image.read_bytes(), said[-1]) == said[-1]


ERRORS = {
    "reading": ({"event": "read_aio", "iotype": "read", "errno": 5, "sector": 3}, {3: "write 0 flush 0 read 1 differs"}),
    "writing": ({"event": "write_aio", "iotype": "write", "errno": 5, "sector": 3}, {3: "write 1 flush 0 read 0 differs"}),
    "flushing": ({"event": "flush_to_disk", "iotype": "flush", "errno": 5, "once": "on"}, {0: "write 0 flush 1 read 0 same"}),
    "full": ({"event": "write_aio", "iotype": "write", "errno": 28, "sector": 3}, {3: "write 1 flush 0 read 0 differs"}),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_of_the_host_is_one_guests_alone(tmp_path, two, disks, kind):
    rule, wrong = ERRORS[kind]
    result = batch(*two(), environment=failing(tmp_path, rule))
    assert lines_of(result, "failing") == [f"sector {number} {wrong.get(number, 'write 0 flush 0 read 0 same')}"
                                           for number in range(TRY_SECTORS)], result.err
    assert_neighbour_was_not_disturbed(result, disks[1])
    assert result.status == 0, result.err


def test_an_error_under_an_overlay_is_one_guests_alone(tmp_path, two, disks):
    """What was written is read from the overlay, where nothing fails. The guest reads behind itself."""
    rule = {"event": "read_aio", "iotype": "read", "errno": 5, "sector": 3}
    result = batch(*two(more="overlay = true"), environment=failing(tmp_path, rule))
    assert lines_of(result, "failing") == [f"sector {number} write 0 flush 0 read 0 same" for number in range(TRY_SECTORS)]
    assert disks[0].read_bytes() == bytes(journal.SIZE)
    assert_neighbour_was_not_disturbed(result, disks[1])


@pytest.fixture
def small(tmp_path):
    """Words that run a command where FOLDER is a file system of so many KiB, with a copy of an image as `failing.img`."""
    def words(kib: int, image, command: list) -> list:
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                f'mount -t tmpfs -o size={kib}k tmpfs "$0" && cp --sparse=always "$1" "$0/failing.img" && shift && exec "$@"',
                folder, image, *command]

    folder = words.folder = tmp_path / "small"
    folder.mkdir()
    (folder / "failing.img").write_bytes(bytes(512))  # hidden by the copy
    if run(words(64, "/dev/null", ["true"])).status:
        pytest.skip("this user cannot mount a file system of its own")
    return words


def test_full_file_system_of_the_host_is_one_guests_alone(small, two, disks):
    files = two(journal.SIZE // 512, small.folder / "failing.img")
    result = run(small(64, disks[0], [CAISSON, "run", "--batch", *files]))
    lines = lines_of(result, "failing")
    errors = [number for number, line in enumerate(lines) if "write 1" in line]
    assert len(lines) == journal.SIZE // 512 and errors == list(range(errors[0], len(lines))), result.text + result.err
    assert 64 <= errors[0] <= 128
    assert all(line == f"sector {number} write 0 flush 0 read 0 same" for number, line in enumerate(lines[:errors[0]]))
    assert_neighbour_was_not_disturbed(result, disks[1])
    assert result.status == 0


_LINUX = """\
mount -t ext4 /dev/vda /mnt && echo small > /mnt/small && sync
dd if=/dev/urandom of=/mnt/big bs=64k count=256 conv=fsync || echo no room
cat /mnt/small
dmesg | grep -q "I/O error, dev vda" && echo told
echo alive
"""


def test_full_file_system_of_the_host_is_an_io_error_in_linux(small, two, disks, debian, tmp_path):
    """Its disk is full long before its file system is. Linux says so and goes on, and so does everybody else."""
    image = linux_disks.make(tmp_path / "ext4.img", "32M", {}, "^has_journal")  # Linux gives up a whole one whose journal fails
    initrd = tmp_path / "initramfs"
    initramfs.make(initrd, debian / "busybox", _LINUX.splitlines(), modules.read(debian / "modules"))
    linux = tmp_path / "linux.toml"
    linux.write_text(f'kernel = "{debian}/vmlinux"\ninitrd = "{initrd}"\nappend = "console=ttyS0 quiet loglevel=0"\n'
                     f'memory = "256M"\n[[disk]]\nfile = "{small.folder}/failing.img"\n')
    room = image.stat().st_blocks // 2 + 2048
    result = run(small(room, image, [CAISSON, "run", "--batch", linux, two()[1]]))
    said = lines_of(result, "linux")
    assert [line for line in said if line in ("no room", "small", "told", "alive")] == ["no room", "small", "told", "alive"], said
    assert_neighbour_was_not_disturbed(result, disks[1])
    assert result.status == 0, result.err


def test_disk_that_never_answers_holds_nobody_else_up(two, disks):
    """A read hangs. It ends as an error when its time is up; the neighbour has long been done."""
    result = batch(*two(1), "--qemu-arg=-set", "--qemu-arg=drive.disk0.throttling.bps-read=1")
    said = result.text.splitlines()
    late = [number for number, line in enumerate(said) if line.startswith("[failing] sector 0 write 0 flush 0 read 1 ")]
    assert len(late) == 1 and len(lines_of(result, "failing")) == 1, result.text + result.err
    assert late[0] > max(number for number, line in enumerate(said) if line.startswith("[neighbour] ack"))
    assert_neighbour_was_not_disturbed(result, disks[1])
    assert result.status == 0, result.err


@pytest.fixture
def other_machine(disks):
    """Another ./caisson, whose guest goes on writing to the second image."""
    child = start([CAISSON, "run", "--batch", "--kernel", "guest:journal", "--memory", "16M", "--disk", disks[1]])
    yield child
    kill_all(child)


@pytest.mark.parametrize("flags", ["", ",ro", ",overlay"])
def test_image_that_another_machine_writes_is_refused(other_machine, disks, flags):
    read_acks(other_machine, 3)
    option = f"{disks[1]}{flags}"
    result = batch("--kernel", "guest:journal", "--disk", option)
    assert result.status == 2 and f"--disk {option}: " in result.err and result.out == b"", result.err
    read_acks(other_machine, 100)


def test_image_that_another_machine_reads(disks):
    """Overlays of one image in two machines at once, which nobody may write."""
    first = start([CAISSON, "run", "--batch", "--kernel", "guest:journal", "--disk", f"{disks[1]},overlay"])
    try:
        read_acks(first, 3)
        result = batch("--kernel", "guest:journal", "--append", "limit=20", "--disk", f"{disks[1]},overlay")
        assert result.status == 0 and "found 0." in result.text
        result = batch("--kernel", "guest:journal", "--disk", disks[1])
        assert result.status == 2 and f"--disk {disks[1]}: " in result.err
        read_acks(first, 100)
    finally:
        kill_all(first)
    assert disks[1].read_bytes() == bytes(journal.SIZE)
