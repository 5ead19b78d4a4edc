"""Programs of tests/linux on Debian's kernel: what they print there is what they have to print here."""
import re

from caisson import cpio, fetch
from machines import PATIENCE, run


def boot(folder, files: dict[str, bytes], append: str, memory: str = "256M", timeout: float = PATIENCE) -> str:
    """Start Linux with an initramfs of these files, all executable, and an empty /dev. @return what the machine printed"""
    archive = folder / "linux.cpio"
    with open(archive, "wb") as out:
        writer = cpio.Writer(out)
        writer.directory("dev")
        for name, data in files.items():
            writer.file(name, data, 0o755)
        writer.finish()
    result = run(["qemu-system-riscv64", "-M", "virt", "-m", memory, "-nodefaults", "-display", "none", "-serial", "stdio",
                  "-no-reboot", "-kernel", fetch.debian() / "vmlinux", "-initrd", archive, "-append", "console=ttyS0 quiet " + append],
                 timeout=timeout)
    return result.text.replace("\r", "")


def between(text: str, first: str, last: str) -> list[str]:
    """The lines from the first of these marks to the last, whatever the kernel says around them."""
    text = text.replace("\r", "")
    return text[text.index(first):text.rindex(last)].splitlines()


def output(program: str, folder, *words: str, memory: str = "256M") -> str:
    """Run a static program as the only one of a Linux machine. @return what it printed"""
    text = boot(folder, {"program": open(program, "rb").read()}, "panic=-1 rdinit=/program -- " + " ".join(words), memory)
    return re.sub(r"^\[ *\d+\.\d+\] .*\n", "", text.partition("MEDELEG")[2].partition("\n")[2].lstrip("\n"), flags=re.MULTILINE)
