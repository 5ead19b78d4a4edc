"""Paths and files, call by call: tests/linux/files.c says the same on Debian's kernel and on the monolith (P5)."""
import pytest

import linux_programs
from machines import caisson, run


def lines(text):
    """From the first heading to the last, whatever the kernel says around it."""
    text = text.replace("\r", "")
    return text[text.index("--- opening"):text.rindex("--- end")].splitlines()


@pytest.fixture(scope="module")
def on_linux(debian, tmp_path_factory):
    """The words that it prints as process 1 of Debian's kernel on the bare machine."""
    from caisson import cpio

    archive = tmp_path_factory.mktemp("linux") / "initrd"
    with open(archive, "wb") as out:
        writer = cpio.Writer(out)
        writer.directory("dev")
        with open(linux_programs.build("files"), "rb") as program:
            writer.file("init", program.read(), 0o755)
        writer.file("halt", b"")
        writer.finish()
    result = run(["qemu-system-riscv64", "-M", "virt", "-m", "256M", "-nodefaults", "-display", "none", "-serial", "stdio",
                  "-kernel", debian / "vmlinux", "-initrd", archive, "-append", "console=ttyS0 quiet loglevel=0"], timeout=120)
    return lines(result.text)


@pytest.mark.parametrize("words", [[], ["--harts", "2"], ["--debug", "--log-level", "error"]])
def test_P5_files_as_on_linux(on_linux, words):
    result = caisson("exec", *words, linux_programs.build("files"), timeout=240)
    assert len(on_linux) > 300
    assert lines(result.text) == on_linux
    assert result.status == 0
