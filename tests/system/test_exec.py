"""./caisson exec: a program's input, output and status are its own."""
import hashlib
import random

import pytest

from machines import caisson


@pytest.fixture(scope="module")
def busybox():
    from caisson import fetch

    return str(fetch.debian() / "busybox")


def test_P5_output_and_status(busybox):
    result = caisson("exec", busybox, "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (result.status, result.text, result.err) == (9, "out\n", "err\n")


def test_P5_a_signal_is_128_and_its_number(busybox):
    assert caisson("exec", busybox, "sh", "-c", "kill -9 $$").status == 137


def test_P5_input_and_its_end(busybox):
    result = caisson("exec", busybox, "sort", "-r", data=b"a\nc\x10\x04\nb\n")
    assert (result.status, result.out) == (0, b"c\x10\x04\nb\na\n")


def test_P5_an_empty_root_and_the_program_at_its_own_name(busybox):
    assert caisson("exec", busybox, "ls", "/").text.split() == ["busybox", "dev", "proc", "tmp"]


def test_P5_a_root_folder(busybox, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(open(busybox, "rb").read())
    (tmp_path / "bin" / "tool").chmod(0o755)
    (tmp_path / "bin" / "cat").symlink_to("tool")
    (tmp_path / "script").write_text("#!/bin/cat -\nhello\n")
    result = caisson("exec", "--root", str(tmp_path), str(tmp_path / "bin" / "cat"), "/script")
    assert (result.status, result.text) == (0, "#!/bin/cat -\nhello\n")


@pytest.mark.parametrize("words, said", [
    (["/bin/ls"], "/ls: not for 64-bit RISC-V"),
    (["README.md"], "/README.md: not an ELF file"),
])
def test_P3_what_is_no_program_is_refused_with_a_reason(words, said):
    result = caisson("exec", *words)
    assert result.status == 126 and said in result.err


def test_P5_a_terminal(busybox, spawn):
    child = spawn("exec", busybox, "sh", "-i", encoding="utf-8")
    child.expect("# ")
    child.send("ech\x7fho a$((1+1))b\r")
    child.expect("a2b\r\n")
    child.send("/busybox stty size\r")
    child.expect("40 120")
    child.send("/busybox sleep 1000\r")
    child.expect("1000\r\n")
    child.send("\x03")
    child.expect("# ")
    child.send("/busybox cat\r")
    child.expect("cat\r\n")
    child.send("line\r")
    child.expect("line\r\n")
    child.send("\x04")
    child.expect("# ")
    child.send("exit 5\r")
    child.expect_exact("exit 5")
    child.wait()
    assert child.exitstatus == 5


def test_P5_megabytes_each_way(busybox):
    """Whole and in order. They pass in seconds, because the line takes pages and not bytes (docs/processes.md)."""
    data = random.Random(6).randbytes(3 << 20)
    result = caisson("exec", busybox, "cat", timeout=300, data=data)
    assert result.status == 0 and hashlib.sha256(result.out).digest() == hashlib.sha256(data).digest()
    result = caisson("exec", busybox, "sh", "-c", "/busybox yes 0123456789 | /busybox head -c 10000000; echo end >&2", timeout=300)
    assert (result.status, result.err) == (0, "end\n")
    assert result.out == b"0123456789\n" * 909090 + b"0123456789"
