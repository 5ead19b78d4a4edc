"""The machine's virtio console in place of its serial line: output, input, and when it is not wanted."""
import re
import subprocess

import pytest
from machines import caisson, probe

from caisson.machine import qemu_program

_WRAPPER = """\
#!/usr/bin/python3
import os, sys
words = sys.argv[1:]
words[words.index("-serial") + 1] = "chardev:uart"
at = words.index("-append") + 1
words[at] = "{append} " + words[at]
words += ["-chardev", "file,id=uart,path={uart}", "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device{device}",
          "-device", "virtconsole,chardev=serial0"]
os.execvp({qemu!r}, [{qemu!r}, *words])
"""


@pytest.fixture
def instead(tmp_path):
    """The environment in which ./caisson's line is a virtio console; what the UART says is in the file uart."""
    def make(append: str = "console=virtio", device: str = "") -> dict:
        program = tmp_path / "qemu-system-console"
        program.write_text(_WRAPPER.format(uart=tmp_path / "uart", append=append, device=device, qemu=qemu_program()))
        program.chmod(0o755)
        return {"CAISSON_QEMU": str(program)}

    return make


@pytest.mark.parametrize("harts, device", [(1, ""), (4, ""), (1, ",event_idx=off")])
def test_a_guest_writes_through_it(instead, tmp_path, harts, device):
    result = probe("lines n=500", "--harts", harts, "--log", tmp_path / "log", environment=instead(device=device))
    assert result.status == 0, result.err
    assert [int(line[:8]) for line in result.text.splitlines()[1:-1]] == list(range(500))
    log, uart = (tmp_path / "log").read_text(errors="replace"), (tmp_path / "uart").read_text(errors="replace")
    assert "boot: main" in log and "boot: main" not in uart
    assert re.search(r"virtio-console: virtio_mmio@[0-9a-f]+: the console", uart)


def test_a_guest_reads_from_it(instead):
    data = bytes(range(256)) * 40
    result = probe(f"cat n={len(data)}", data=data, environment=instead())
    assert result.status == 0
    assert result.out == b"test cat\n" + data + b"\nPASS cat\n"


def test_input_that_nobody_reads_stops_nothing(instead):
    result = probe("timer", data=b"x" * 300000, environment=instead())
    assert (result.status, result.text[-11:]) == (0, "PASS timer\n")


def test_a_panic_is_seen(instead):
    result = caisson("app", "--set", "VIRTIO=y", "stack-overflow", environment=instead())
    assert result.status == 3 and "overflow" in result.text + result.err


def test_it_is_taken_when_there_is_no_other_line(instead, tmp_path):
    tree = tmp_path / "machine.dtb"
    subprocess.run([qemu_program(), "-M", f"virt,dumpdtb={tree}", "-smp", "1", "-m", "256M"], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
    subprocess.run(["fdtput", "-t", "s", tree, "/soc/serial@10000000", "status", "disabled"], check=True)
    result = caisson("app", "--set", "VIRTIO=y", "--ram", "256M", "--qemu-arg=-dtb", f"--qemu-arg={tree}", "priority",
                     environment=instead(append="quiet"))
    assert result.status == 0 and result.text, result.err
    assert "boot: main" not in (tmp_path / "uart").read_text(errors="replace")


def test_it_is_not_taken_while_there_is_a_uart_and_nobody_asks(instead, tmp_path):
    result = caisson("app", "--set", "VIRTIO=y", "priority", environment=instead(append="quiet"))
    assert result.status != 0 or not result.text
    uart = (tmp_path / "uart").read_text(errors="replace")
    assert "virtio-console" not in uart and "boot: main" in uart
