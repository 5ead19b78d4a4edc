"""What the tests of signals, groups, polls, timers and pipes expect of the monolith is what Debian's kernel does (P5)."""
import pytest

import linux_programs
import test_pipes
import test_polling
import test_signals
from machines import run

TEXTS = {"signals": test_signals.TEXT, "groups": test_signals.GROUPS, "sigthreads": test_signals.SIGTHREADS,
         "polling": test_polling.POLLING, "timers": test_polling.TIMERS, "pipes": test_pipes.TEXT}


@pytest.fixture(scope="module")
def on_linux(debian, tmp_path_factory):
    """What each program prints on the bare machine with Debian's kernel."""
    from caisson import cpio

    script = "#!/busybox sh\n" + "".join(f"echo begin {name}\n/{name}\necho end {name} $?\n" for name in TEXTS) + "/busybox poweroff -f\n"
    archive = tmp_path_factory.mktemp("linux") / "initrd"
    with open(archive, "wb") as out:
        writer = cpio.Writer(out)
        for folder in ("dev", "tmp"):
            writer.directory(folder)
        writer.file("busybox", (debian / "busybox").read_bytes(), 0o755)
        for name in TEXTS:
            with open(linux_programs.build(name), "rb") as program:
                writer.file(name, program.read(), 0o755)
        writer.file("init", script.encode(), 0o755)
        writer.finish()
    return run(["qemu-system-riscv64", "-M", "virt", "-m", "256M", "-nodefaults", "-display", "none", "-serial", "stdio",
                "-icount", "shift=0,sleep=off",  # so that a busy machine changes nothing
                "-kernel", debian / "vmlinux", "-initrd", archive, "-append", "console=ttyS0 quiet loglevel=0"]).text.replace("\r", "")


@pytest.mark.parametrize("name", TEXTS)
def test_P5_linux_does_what_is_expected_of_us(on_linux, name):
    text = on_linux.partition(f"begin {name}\n")[2].partition(f"end {name} ")
    assert text[0].splitlines() == TEXTS[name].splitlines()
    assert text[2].startswith("0\n")
