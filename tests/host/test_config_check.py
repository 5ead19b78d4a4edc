"""`./caisson run --check`: says what would be done, or everything that is wrong, and does nothing."""
import os
import re
import tomllib

import pytest
from caisson import vmconfig

from hosttool import ROOT
from test_config import assert_refused


def check(tool, *words):
    result = tool.run("run", "--check", *words)
    assert not tool.started()
    return result


def keys(text: str, name: str) -> dict[str, tuple[str, str]]:
    """key -> (value, where it comes from) of one VM."""
    part = text[text.index(f", {name}:\n"):].split("\n\n")[0]
    return {key: (value, where) for key, value, where in re.findall(r"^  ([\w-]+) +(.*)  \((.*)\)$", part, re.MULTILINE)}


def test_check_says_every_key(tool):
    tool.file("initrd", b"070701 and so on")
    tool.file("vm.toml", '# one\ncpus = 3\nmemory = "64M"\nkernel = "kernel"\ninitrd = "initrd"\n\nentry = 0x80200000\nharts = [0, 1]\n')
    result = check(tool, "--harts", "2", "vm.toml")
    assert result.returncode == 0 and result.stderr == b""
    said = keys(result.stdout.decode(), "vm")
    assert list(said) == list(vmconfig.KEYS)
    assert said["name"] == ('"vm"', "the file's name")
    assert said["cpus"] == ("3", "vm.toml:2")
    assert said["memory"] == ("64M", "vm.toml:3")
    assert said["kernel"] == ("kernel, raw bytes, 12 bytes", "vm.toml:4")
    assert said["initrd"] == ("initrd, cpio archive, 16 bytes", "vm.toml:5")
    assert said["entry"] == ("0x80200000", "vm.toml:7")
    assert said["harts"] == ("[0, 1]", "vm.toml:8")
    assert said["load"] == ("from the image", "default")
    assert said["autostart"] == ("true", "default")
    assert said["append"] == ('""', "default")


def test_check_of_options(tool):
    result = check(tool, "--kernel", "kernel", "--append", "a b", "--memory", "128M")
    said = keys(result.stdout.decode(), "guest")
    assert said["kernel"] == ("kernel, raw bytes, 12 bytes", "--kernel")
    assert said["append"] == ('"a b"', "--append") and said["memory"] == ("128M", "--memory")
    assert said["cpus"] == ("1", "default") and said["name"] == ('"guest"', "default")
    assert keys(check(tool, "--kernel", "kernel").stdout.decode(), "guest")["memory"] == ("256M", "default")


def test_check_adds_the_machine_up(tool):
    tool.file("a.toml", 'kernel = "kernel"\nmemory = "64M"\ncpus = 4\n')
    tool.file("b.toml", 'kernel = "kernel"\nmemory = "32M"\ncpus = 2\nharts = [1]\n')
    text = check(tool, "--harts", "2", "a.toml", "b.toml").stdout.decode()
    assert "harts   2 (--harts); the VMs have 6 CPUs together" in text
    assert "memory  240M (64M + 32M for the VMs + " in text and "+ 128M, rounded up)" in text
    assert "note: 6 CPUs share 2 harts" in text and "note: the 2 CPUs of b share hart 1" in text
    assert "memory  512M (--ram)" in check(tool, "--ram", "512M", "a.toml").stdout.decode()
    assert "are more than that" in check(tool, "--harts", "2", "--ram", "64M", "a.toml", "b.toml").stdout.decode()
    assert "are more than that" not in check(tool, "--harts", "2", "--ram", "128M", "a.toml", "b.toml").stdout.decode()
    assert "share" not in check(tool, "--harts", "4", "a.toml").stdout.decode()


def test_check_counts_harts_that_have_an_owner(tool):
    tool.file("a.toml", 'kernel = "kernel"\ncpus = 2\nharts = [1, 2]\nexclusive = true\n')
    tool.file("b.toml", 'kernel = "kernel"\ncpus = 3\n')
    text = check(tool, "--harts", "4", "a.toml", "b.toml").stdout.decode()
    assert "note: hart 1, 2 belongs to a alone\n" in text and "note: 3 CPUs share 2 harts\n" in text


@pytest.mark.parametrize("words", [["a.toml"], ["a.toml", "b.toml"], ["--kernel", "kernel"]])
def test_what_check_adds_up_is_what_qemu_gets(tool, words):
    tool.file("a.toml", 'kernel = "kernel"\nmemory = "100M"\n')
    tool.file("b.toml", 'kernel = "kernel"\nmemory = "300M"\n')
    said = re.search(r"memory  (\d+)M \(", check(tool, *words).stdout.decode())[1]
    assert tool.run("run", "--batch", *words).returncode == 0
    assert f"{said}M" in tool.record()


def test_three_lines_are_enough(tool):
    tool.file("small.toml", 'kernel = "kernel"\nmemory = "64M"\nappend = "quiet"\n')
    assert tool.run("run", "--batch", "small.toml").returncode == 0
    assert tool.started()


def test_check_needs_no_qemu_and_fetches_nothing(tool):
    tool.environment |= {"CAISSON_QEMU": "/nonexistent/qemu", "PATH": "/nonexistent:" + os.environ["PATH"]}
    del tool.environment["CAISSON_IMAGE"]
    result = check(tool, "--kernel", "guest:debian/vmlinux", "--initrd", "guest:debian/initramfs")
    assert result.returncode == 0 and result.stderr == b""
    text = result.stdout.decode()
    assert re.search(r"kernel +guest:debian/vmlinux = .*/cache/caisson/guests/debian/vmlinux, to be fetched +\(--kernel\)", text)
    assert "guest:debian/initramfs: to be fetched" in text and "fetch the sources of libfdt" in text
    assert re.search(r"(build|bring up to date) build/hypervisor/caisson.bin", text)
    assert not (tool.folder / "cache").exists()


def test_check_of_the_demonstration(tool):
    result = check(tool)
    assert result.returncode == 0
    assert set(keys(result.stdout.decode(), "debian")) == set(vmconfig.KEYS) == set(keys(result.stdout.decode(), "tick"))
    assert not (tool.folder / "cache").exists()


DEMOS = sorted(path.name for path in (ROOT / "configs" / "demos").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", DEMOS)
def test_check_of_the_demonstrations_side_by_side(tool, folder):
    files = sorted((ROOT / "configs" / "demos" / folder).glob("*.toml"))
    result = check(tool, "--harts", "2", *files)
    assert result.returncode == 0, result.stderr
    for file in files:
        assert keys(result.stdout.decode(), tomllib.loads(file.read_text())["name"])
    assert f"| `{folder}` |" in (ROOT / "configs" / "demos" / "README.md").read_text()


def test_check_finds_every_error(tool):
    tool.file("a.toml", 'name = "a b"\ncpus = "x"\nfoo = 1\nkernel = "nope"\ninitrd = ""\nharts = [9]\nisa-hide = ["w"]\n')
    tool.file("b.toml", 'kernel = "kernel"\nname = "x"\nautostart = false\n')
    tool.file("c.toml", 'kernel = "kernel"\nname = "x"\nmemory = "1G"\n')
    tool.file("d.toml", 'kernel = \n')
    result = check(tool, "--batch", "--harts", "0", "--ram", "512M", "--log-level", "loud", "--log", "nope/log", "a.toml",
                   "b.toml", "c.toml", "d.toml", "e.toml")
    assert result.returncode == 2 and result.stdout == b""
    expected = ["--harts 0: ", "--log-level loud: ", "a.toml:3: foo = 1: ", 'a.toml:1: name = "a b": ',
                'a.toml:2: cpus = "x": ', 'a.toml:5: initrd = "": ', 'a.toml:7: isa-hide = ["w"]: ', 'a.toml:4: kernel = "nope": ',
                "d.toml:1: kernel =: ", "e.toml: no such file", "b.toml:3: autostart = false: ", 'c.toml:2: name = "x": ',
                'c.toml:3: memory = "1G": the machine has only 512M', "a.toml:6: harts = [9]: ", "--log nope/log: "]
    lines = result.stderr.decode().splitlines()
    for message in expected:
        assert [line for line in lines if line.startswith("caisson: " + message)], (message, lines)
    assert len(lines) <= len(expected) + 1  # (the VMs together have too much memory as well)


def test_check_looks_into_kernels(tool):
    tool.file("host", b"\x7fELF\2\1\1" + bytes(11) + (62).to_bytes(2, "little") + bytes(100))
    tool.file("narrow", b"\x7fELF\1\1\1" + bytes(11) + (243).to_bytes(2, "little") + bytes(100))
    tool.file("short", b"\x7fELF")
    tool.file("good", b"\x7fELF\2\1\1" + bytes(11) + (243).to_bytes(2, "little") + bytes(100))
    tool.file("large", bytes(3 << 20))
    for name in ("host", "narrow", "short"):
        assert_refused(check(tool, "--kernel", name), f"--kernel {name}: an ELF, but not for 64-bit RISC-V")
    assert "good, ELF, " in check(tool, "--kernel", "good").stdout.decode()
    assert_refused(check(tool, "--kernel", "large", "--memory", "2M"), "--memory 2M: its images alone have 3.0 MiB")


def test_check_is_in_the_help(tool):
    assert tool.run("run", "--help").stdout.count(b"--check") >= 2
    assert_refused(tool.run("debug", "--check"), "--check: no such option")


def test_messages_do_not_reach_the_terminal_raw(tool):
    tool.file("vm.toml", 'kernel = "kernel"\nname = "\\u001b[31m"\n')
    assert_refused(check(tool, "vm.toml"), "vm.toml:2: name")
    tool.file("vm.toml", b'kernel = "\x1b[31m"\n')
    result = check(tool, "vm.toml")
    assert b"\x1b" not in result.stderr and b"\\x1b[31m" in result.stderr
