"""The virtio console and the entropy device, as Debian's drivers meet them."""
import os
import re
import signal
import time

import pytest

from machines import CAISSON, PATIENCE, batch, guest, kill_all, start, wait_until
from prompt import to_monitor
from test_consoles import shrink_line

SHELL = "root@debian:~# "


@pytest.fixture
def linux(toml, debian):
    def make(name: str = "debian", **keys) -> str:
        return toml(name, **{"kernel": f"{debian}/vmlinux", "initrd": f"{debian}/initramfs", "memory": "256M",
                             "append": "console=hvc0", "console": "virtio", "stop-timeout": 600, **keys})

    return make


@pytest.fixture
def linux_batch(linux, debian, tmp_path):
    """Debian that runs these lines on hvc0, which is not there until its modules are, and powers off."""
    from caisson import fetch, initramfs, modules

    def run(*lines: str, **keys) -> str:
        initramfs.make(tmp_path / "init", debian / "busybox", ["exec >/dev/hvc0 2>&1", *lines],
                       files=modules.read(fetch.debian_folder() / "modules"))
        return linux(initrd=str(tmp_path / "init"), **keys)

    return run


def shell(child, line: str) -> str:
    """Type a line to Debian's shell; what it prints."""
    child.send(line + "\r")
    child.expect_exact(line)
    child.expect(SHELL)
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", child.before).strip()


def wait_for_size(child, size: str) -> None:
    """What the terminal's size is reaches the guest some time after it has changed."""
    wait_until(lambda: shell(child, "stty size") == size, lambda: f"the size never becomes {size}")


def test_debian_at_home_on_hvc0(spawn, linux):
    """Its output, its input and the terminal's size are there, and the size follows; SysRq keys shut it down."""
    child = spawn("run", "--quiet", linux(), encoding="utf-8")
    child.expect(SHELL)
    assert shell(child, "tty") == "/dev/hvc0"
    wait_for_size(child, "40 120")
    child.setwinsize(50, 132)
    wait_for_size(child, "50 132")
    assert shell(child, "echo a  'b' | wc -c") == "4"
    child.send("\x10\r")  # the line before comes again: Ctrl-P is no framing
    child.expect(r"\n4\r\n.*" + SHELL)
    text = shell(child, "seq 1000").split()
    assert text == [str(n) for n in range(1, 1001)]
    assert re.search(r"virtio[0-9]", shell(child, "grep virtio /proc/interrupts"))
    to_monitor(child)
    child.send("vm stop debian\r")
    child.expect("has shut down as it was asked to")


def test_the_size_is_right_after_a_switch(spawn, linux, toml):
    other = toml("other", kernel=guest("tick"), memory="16M")
    child = spawn("run", "--quiet", linux(), other, encoding="utf-8")
    child.expect(SHELL)
    to_monitor(child)
    child.send("]")
    child.expect("tick [0-9]+")
    child.setwinsize(24, 80)
    to_monitor(child)
    child.send("]")
    child.expect("console of debian")
    child.send("\r")
    child.expect(SHELL)
    wait_for_size(child, "24 80")


def test_a_login_on_the_other_console(spawn, linux):
    """What is typed goes to hvc0 as soon as its driver is there; SysRq keys reach the kernel's own console, the UART."""
    child = spawn("run", "--quiet", linux(append="console=ttyS0"), encoding="utf-8")
    child.expect(SHELL)
    child.send("typed-to-nobody\r")
    to_monitor(child)
    assert "typed-to-nobody" not in child.before
    child.send("vm stop debian\r")
    child.expect("has shut down as it was asked to")


def test_a_flood_loses_nothing(linux_batch):
    path = linux_batch("seq 4000 | sed s/$/-0123456789/")
    result = batch(path)
    assert result.status == 0, result.err
    numbers = re.findall(r"^([0-9]+)-0123456789\r$", result.text, re.MULTILINE)
    assert [int(n) for n in numbers] == list(range(1, 4001))


def test_a_line_that_stands_still_loses_nothing(linux_batch, toml):
    """QEMU's line is full for a while: the guest's kick waits, and others run meanwhile."""
    path = linux_batch("seq 1500 | sed s/$/-0123456789/")
    tick = toml("tick", kernel=guest("probe"), append="test=lines n=50", memory="16M")
    child = start([CAISSON, "run", "--batch", path, tick], bufsize=0)  # communicate() would not see what a buffer has
    try:
        while b"1-0123456789" not in (line := child.stdout.readline()):
            assert line, child.stderr.read()
        shrink_line(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(child.pid, signal.SIGCONT)
        out, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, err) == (0, b"")
    finally:
        kill_all(child)
    numbers = re.findall(r"^\[debian\] ([0-9]+)-0123456789\r*$", out.decode(), re.MULTILINE)
    assert [int(n) for n in numbers] == list(range(2, 1501))


def test_entropy_for_debian(linux_batch):
    path = linux_batch(
        "cat /sys/class/misc/hw_random/rng_current", "dd if=/dev/hwrng bs=512 count=200 iflag=fullblock of=/tmp/r 2>/dev/null",
        "stat -c %s /tmp/r", "gzip -c /tmp/r | wc -c", "dd if=/tmp/r bs=32 2>/dev/null | hexdump -ve '32/1 \"%02x\" \"\\n\"' | "
        "sort | uniq -d | wc -l", entropy=True)
    result = batch(path)
    assert result.status == 0, result.err
    found = re.search(r"^virtio_rng\S*\s+102400\s+([0-9]+)\s+0\s", result.text, re.MULTILINE)
    assert found and int(found[1]) > 102400, result.text  # it cannot be packed, and no 32 bytes are there twice
