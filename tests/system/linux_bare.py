"""Programs of tests/linux on Debian's kernel: what they print there is what they have to print here."""
import re

from caisson import cpio, fetch
from machines import run


def output(program: str, folder, *words: str, memory: str = "256M") -> str:
    """Run a static program as the only one of a Linux machine. @return what it printed"""
    archive = folder / "linux.cpio"
    with open(archive, "wb") as out:
        writer = cpio.Writer(out)
        writer.file("program", open(program, "rb").read(), 0o755)
        writer.finish()
    result = run(["qemu-system-riscv64", "-M", "virt", "-m", memory, "-nodefaults", "-display", "none", "-serial", "stdio",
                  "-no-reboot", "-kernel", fetch.debian() / "vmlinux", "-initrd", archive, "-append",
                  "console=ttyS0 quiet panic=-1 rdinit=/program -- " + " ".join(words)], timeout=120)
    text = result.text.replace("\r", "")
    return re.sub(r"^\[ *\d+\.\d+\] .*\n", "", text.partition("MEDELEG")[2].partition("\n")[2].lstrip("\n"), flags=re.MULTILINE)
