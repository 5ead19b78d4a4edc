"""U: a file system on a disk. Images are made by mkfs.fat and mtools, and checked by fsck.fat and mtools."""
import subprocess

import pytest
from machines import ROOT, caisson, run

HELLO = b"hello from the host"
APP = ROOT / "apps" / "mount"
KINDS = {"fat12": (1440, ["-F", "12"]), "fat16": (8192, ["-F", "16", "-s", "1"]), "fat32": (36000, ["-F", "32", "-s", "1"])}


def tool(*words) -> str:
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def copy_in(image, name: str, data: bytes) -> None:
    file = image.parent / "copied"
    file.write_bytes(data)
    tool("mcopy", "-i", image, file, f"::/{name}")


def content(image, name: str) -> bytes:
    return tool("mtype", "-i", image, f"::/{name}").encode()


def assert_clean(image) -> None:
    checked = subprocess.run(["/usr/sbin/fsck.fat", "-n", str(image)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="session")
def program() -> bytes:
    """What apps/mount loads from its disk, built with it."""
    from caisson import building

    variant = building.Variant(app="mount")
    building.build(variant)
    return (variant.image.parent / "program.bin").read_bytes()


@pytest.fixture
def make_image(tmp_path, program):
    def make(kind: str):
        kib, words = KINDS[kind]
        image = tmp_path / "disk.img"
        tool("/usr/sbin/mkfs.fat", *words, "-C", image, kib)
        for name, data in (("hello.txt", HELLO), ("remove.me", b"x" * 3000), ("program.bin", program)):
            copy_in(image, name, data)
        return image
    return make


def mount(image, *words, access: str = "", options=()):
    return caisson("app", "--disk", f"{image}{access}", *options, "mount", *words)


def expected_status() -> int:
    """What the program computes from the file (apps/mount/program/program.c)."""
    return sum((1, 3, 5, 7)[i % 4] * byte for i, byte in enumerate(HELLO)) % 100


@pytest.mark.parametrize("kind", KINDS)
def test_U_mount_changes_a_file_system_and_runs_a_program_from_it(make_image, program, kind):
    image = make_image(kind)
    result = mount(image)
    text = (APP / "expected").read_text().format(size=len(program), status=expected_status())
    assert result.text == text and result.status == expected_status(), result.text + result.err
    assert_clean(image)
    assert content(image, "folder/Notes with a long name.txt") == b"one and two"
    assert content(image, "hello.txt") == HELLO
    assert tool("mdir", "-b", "-i", image, "::/").split() == ["::/hello.txt", "::/program.bin", "::/folder/"]


@pytest.mark.parametrize("harts, sched", [(1, "rr"), (4, "rr"), (4, "cfs"), (4, "fifo")])
def test_U_mount_tasks_that_write_at_once(make_image, harts, sched):
    image = make_image("fat16")
    result = mount(image, "vda", "many", options=["--harts", harts, "--sched", sched])
    assert (result.status, result.text.splitlines()) == (
        0, ["6 tasks have written 40 pieces each: all arrived", "unmounted"]), result.text + result.err
    assert_clean(image)
    lines = content(image, "log").decode().splitlines()
    assert sorted(lines) == sorted(f"writer {n} was here" for n in range(6) for _ in range(40))
    for n in range(6):
        pieces = "".join(chr(ord("a") + (n * 7 + i) % 26) * 299 + "\n" for i in range(40))
        assert content(image, f"file {n}") == pieces.encode()


def test_U_mount_without_tasks(make_image, program):
    image = make_image("fat12")
    result = mount(image, options=["--set", "MULTITASK=n"])
    assert result.status == expected_status(), result.text + result.err
    assert_clean(image)


def test_U_mount_read_only_disk_is_left_alone(make_image):
    image = make_image("fat16")
    before = image.read_bytes()
    result = mount(image, access=",ro")
    assert result.status == expected_status(), result.text + result.err
    assert {"write: error -30", "mkdir: error -30", "remove: error -30"} <= set(result.text.splitlines())
    assert f"/disk/hello.txt: {HELLO.decode()}" in result.text
    assert image.read_bytes() == before


def test_U_mount_full_disk(make_image):
    image = make_image("fat12")
    free = int(tool("mdir", "-i", image, "::/").splitlines()[-2].split("bytes free")[0].replace(" ", ""))
    copy_in(image, "big", b"b" * free)
    result = mount(image)
    assert "write: error -28" in result.text and "mkdir: error -28" in result.text, result.text
    assert result.status == expected_status()
    assert_clean(image)


@pytest.mark.parametrize("name", ["sector", "zeros", "noise", "cut"])
def test_U_mount_bad_images(make_image, tmp_path, name):
    image = make_image("fat16")
    data = image.read_bytes()
    bad = {"sector": bytes(512), "zeros": bytes(65536), "noise": bytes(i * i * 7 % 251 for i in range(65536)),
           "cut": data[:len(data) // 2]}[name]
    image.write_bytes(bad)
    result = mount(image)
    assert (result.status, result.text) == (1, "mount: error -22\n"), result.text + result.err
    assert image.read_bytes() == bad


def test_U_mount_no_such_device(make_image):
    result = mount(make_image("fat12"), "vdz")
    assert (result.status, result.text) == (1, "mount: error -19\n"), result.text


@pytest.mark.parametrize("size", [0, 1024 * 1024 + 1])
def test_U_mount_a_program_that_is_none(make_image, size):
    image = make_image("fat16")
    tool("mdel", "-i", image, "::/program.bin")
    copy_in(image, "program.bin", bytes(size))
    result = mount(image)
    assert result.status == 1 and "program: error -8" in result.text, result.text
    assert_clean(image)


def test_U_mount_a_program_cannot_write_to_itself(make_image):
    """W^X: what is executed was written before it was mapped, and never after."""
    image = make_image("fat16")
    tool("mdel", "-i", image, "::/program.bin")
    code = (0x00000297, 0x0002A023, 0x00008067)  # auipc t0, 0; sw zero, (t0); ret
    copy_in(image, "program.bin", b"".join(word.to_bytes(4, "little") for word in code))
    result = mount(image)
    assert result.status == 3 and "store page fault" in result.err, result.text + result.err


@pytest.mark.long
def test_U_mount_many_more_damaged_images():
    """The unit test's damage, thirty times as much of it."""
    run(["make", "-f", "tests/unit/unit.mk", "build/unit/test_fat_bad"], timeout=300, cwd=ROOT)
    result = run([ROOT / "build" / "unit" / "test_fat_bad"], timeout=900, environment={"CAISSON_FUZZ": "30"})
    assert result.status == 0, result.text[-3000:] + result.err[-3000:]
