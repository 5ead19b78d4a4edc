"""Bad files and bad options: said before the machine starts, quoting what was typed, with status 2."""
import gzip
import os
import struct
import subprocess

import pytest

from machines import assert_passed, batch, caisson, guest, probe


def refused(result, *quoted, status=2):
    """The contract for bad usage: nothing on standard output, one short reason on standard error."""
    assert result.status == status, result.err
    assert result.out == b""
    assert 0 < len(result.err.splitlines()) <= 3, result.err
    assert "Traceback" not in result.err
    for words in quoted:
        assert words in result.err


@pytest.fixture
def make(tmp_path):
    """Write a file; its path as text."""
    def write(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


def image_header(text_offset=0x200000, image_size=0x10000, magic2=b"RSC\x05", size=4096) -> bytes:
    """A RISC-V Image header; its first instruction is an illegal one."""
    return struct.pack("<IIQQQIIQ8s4sI", 0, 0, text_offset, image_size, 0, 2, 0, 0, b"RISCV\0\0\0", magic2,
                       0).ljust(size, b"\0")


def elf(machine=243, bits=2, data=1, entry=0x80200000, segments=((0x80200000, 0x1000, 0x1000),), kind=2) -> bytes:
    """A minimal ELF file with the given loadable segments (address, size in file, size in memory)."""
    header = b"\x7fELF" + bytes((bits, data, 1)) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
    offset = 64 + 56 * len(segments)
    for address, filesz, memsz in segments:
        header += struct.pack("<IIQQQQQQ", 1, 7, offset, address, address, filesz, memsz, 0x1000)
    return header + bytes(max((s[1] for s in segments), default=0) if segments else 0)


def test_missing_file():
    refused(batch("--kernel", "/no/such/file"), "--kernel", "/no/such/file")
    refused(batch("--kernel", guest("hello"), "--initrd", "/no/such/initrd"), "--initrd", "/no/such/initrd")
    refused(batch("--kernel", guest("hello"), "--dtb", "/no/such.dtb"), "--dtb", "/no/such.dtb")
    refused(batch("/no/such.toml"), "/no/such.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(make):
    path = make("secret", b"x")
    os.chmod(path, 0)
    refused(batch("--kernel", path), path)


def test_directory(tmp_path):
    refused(batch("--kernel", tmp_path), str(tmp_path))


def test_empty_file(make):
    refused(batch("--kernel", make("empty", b"")), "empty")


def test_elf_for_another_machine(make):
    refused(batch("--kernel", make("x86", elf(machine=62))), "x86")
    refused(batch("--kernel", make("rv32", elf(bits=1))), "rv32")
    refused(batch("--kernel", make("big-endian", elf(data=2))), "big-endian")


@pytest.mark.parametrize("name, data", [
    ("cut-off", elf()[:100]),
    ("no-segments", elf(segments=())),
    ("beyond-the-file", elf(segments=((0x80200000, 0x100000, 0x100000),))[:4096]),
    ("outside-memory", elf(segments=((0x10000000, 0x1000, 0x1000),))),
    ("end-wraps", elf(segments=((0xFFFFFFFFFFFFF000, 0x1000, 0x2000),))),
    ("larger-in-file", elf(segments=((0x80200000, 0x1000, 0x10),))),
    ("overlapping-itself", elf(segments=((0x80200000, 0x1000, 0x1000), (0x80200800, 0x1000, 0x1000)))),
    ("huge-in-memory", elf(segments=((0x80200000, 0x1000, 1 << 60),))),
], ids=lambda value: value if isinstance(value, str) else "")
def test_elf_that_contradicts_itself(make, name, data):
    refused(batch("--kernel", make(name, data)), name)


@pytest.mark.parametrize("name, data", [
    ("larger-than-memory", image_header(image_size=1 << 40)),
    ("wraps", image_header(image_size=(1 << 64) - 0x1000)),
    ("offset-beyond", image_header(text_offset=1 << 40)),
    ("smaller-than-its-file", image_header(image_size=0x100)),
    ("cut-off-header", image_header()[:60]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_image_header_that_contradicts_its_file(make, name, data):
    """Either refused, or not an Image at all and so a raw one, which then crashes in its first instruction."""
    result = batch("--kernel", make(name, data))
    if name == "cut-off-header":
        assert result.status in (1, 2)
    else:
        refused(result, name)


def test_image_larger_than_memory(make):
    refused(batch("--kernel", make("big", bytes(8 << 20)), "--memory", "8M"), "big")


def test_initrd_that_does_not_fit(make):
    refused(batch("--kernel", guest("hello"), "--initrd", make("initrd", bytes(9 << 20)), "--memory", "8M"), "initrd")


@pytest.mark.parametrize("cpus", ["0", "9", "-1", "two", "1.5", "", "99999999999999999999"])
def test_cpus(cpus):
    refused(batch("--kernel", guest("hello"), "--cpus", cpus), f"--cpus {cpus}")


@pytest.mark.parametrize("memory", ["0", "1M", "2097151", "-4M", "lots", "64X", "99999G", "3M+", "2100000", ""])
def test_memory(memory):
    refused(batch("--kernel", guest("hello"), "--memory", memory), f"--memory {memory}")


def test_memory_beyond_the_machine():
    refused(batch("--kernel", guest("hello"), "--memory", "600M", "--ram", "512M"), "--memory 600M")


@pytest.mark.parametrize("harts", ["0", "-1", "33", "many"])
def test_harts(harts):
    refused(batch("--kernel", guest("hello"), "--harts", harts), f"--harts {harts}")


def test_dtb_that_is_not_one(make):
    refused(batch("--kernel", guest("hello"), "--dtb", make("not.dtb", b"not a device tree" * 100)), "not.dtb")
    cut = b"\xd0\x0d\xfe\xed" + struct.pack(">9I", 4096, 56, 100, 40, 17, 16, 0, 40, 40)
    refused(batch("--kernel", guest("hello"), "--dtb", make("cut.dtb", cut)), "cut.dtb")
    lies = b"\xd0\x0d\xfe\xed" + struct.pack(">9I", 4096, 0xFFFFFFF0, 0xFFFFFFF0, 40, 17, 16, 0, 0xFFFFFFF0, 0xFFFFFFF0)
    refused(batch("--kernel", guest("hello"), "--dtb", make("lies.dtb", lies.ljust(4096, b"\0"))), "lies.dtb")


def test_truncated_gzip(make):
    packed = gzip.compress(open(guest("hello"), "rb").read())
    refused(batch("--kernel", make("cut.gz", packed[:len(packed) // 2])), "cut.gz")
    refused(batch("--kernel", make("bad.gz", packed[:-6] + b"\0\0\0\0\0\0")), "bad.gz")


@pytest.mark.parametrize("line, quoted", [
    ("colour = 1", "colour"), ("cpus = \"two\"", "cpus"), ("cpus = 9", "cpus = 9"), ("memory = true", "memory"),
    ("append = 5", "append"), ("cpus = ", "toml"), ("harts = [1]", "harts"), ("[nested]\nx = 1", "nested"),
    ("entry = \"nowhere\"", "entry"), ("name = \"a b\"", "name"), ("format = \"sv32\"", "format"),
])
def test_toml(make, line, quoted):
    path = make("vm.toml", f'kernel = "{guest("hello")}"\n{line}\n'.encode())
    refused(batch(path), "vm.toml", quoted)


def test_toml_that_is_not_text(make):
    refused(batch(make("vm.toml", b"\xff\xfe\x00kernel")), "vm.toml")


def test_two_vms_of_one_name(toml):
    refused(batch(toml("a", kernel=guest("hello"), name="same"), toml("b", kernel=guest("hello"), name="same")), "same")


def test_overlapping_ranges(make):
    """The load address puts the kernel over the end of RAM, below RAM, or into a device."""
    for load in ("0x87ffff000", "0x1000", "0x10000000", "0x8ffffff8"):
        refused(batch("--kernel", guest("hello"), "--load", load, "--memory", "256M"), "load", load)
    refused(batch("--kernel", guest("hello"), "--entry", "0x1000"), "entry")


@pytest.mark.parametrize("words", [
    ["--no-such-option"], ["--kernel"], ["--kernel", guest("hello"), "extra.toml", "--cpus", "2"],
    ["--kernel", guest("hello"), "--log-level", "loud"], ["--kernel", guest("hello"), "--log", "/no/such/folder/log"],
    ["--kernel", guest("hello"), "--ram", "1M"], ["--kernel", guest("hello"), "--append", "x" * 2048],
])
def test_bad_usage(words):
    refused(batch(*words))


def test_unknown_command():
    refused(caisson("fly"), "fly")


def test_no_h_extension():
    """H1: a clear error and a clean stop."""
    result = batch("--kernel", guest("hello"), "--cpu", "rv64,h=false")
    assert (result.status, result.out) == (3, b"")
    assert "H) extension" in result.err.splitlines()[0]


def test_H1_no_h_extension_on_several_harts():
    result = batch("--kernel", guest("hello"), "--cpu", "rv64,h=false", "--harts", "4")
    assert result.status == 3 and "H) extension" in result.err.splitlines()[0]


def test_unknown_cpu_model():
    assert batch("--kernel", guest("hello"), "--cpu", "no-such-cpu").status == 3
    assert batch("--kernel", guest("hello"), "--machine", "no-such-option=1").status == 3


# --- what is good, beside what is bad ---


def test_gzip_and_elf_and_image_kernels(make):
    hello = b"hello from a guest\n"
    folder = os.path.dirname(guest("hello"))
    for name in ("hello.bin", "hello.elf", "hello-image.bin"):
        path = os.path.join(folder, name)
        assert batch("--kernel", path).out == hello, name
        packed = make(name + ".gz", gzip.compress(open(path, "rb").read()))
        assert batch("--kernel", packed).out == hello, f"{name} packed"


def test_kernel_from_a_pipe():
    data = open(guest("hello"), "rb").read()
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    result = batch("--kernel", f"/dev/fd/{reader}", pass_fds=(reader,))
    os.close(reader)
    assert result.out == b"hello from a guest\n"


def test_largest_bootargs():
    words = "test=machine " + "x" * (2047 - 13)
    result = batch("--kernel", guest("probe"), "--append", words)
    assert result.status == 0
    assert "bootargs 'test=machine xxxx" in result.text


def test_eight_cpus_on_one_hart():
    assert_passed(probe("machine", "--cpus", "8"))


def test_own_device_tree(tmp_path):
    """--dtb: the guest sees the user's tree, with /chosen and memory brought up to date."""
    source = tmp_path / "own.dts"
    source.write_text("""
/dts-v1/;
/ { #address-cells = <2>; #size-cells = <2>; compatible = "own";
    chosen { bootargs = "old"; };
    memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x1000>; };
    cpus { #address-cells = <1>; #size-cells = <0>; timebase-frequency = <1234567>;
        cpu@0 { device_type = "cpu"; reg = <0>; compatible = "riscv"; riscv,isa = "rv64imac"; }; };
};
""")
    dtb = tmp_path / "own.dtb"
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", dtb, source], check=True)
    result = probe("machine", "--dtb", dtb, "--memory", "64M")
    assert "timebase 1234567\n" in result.text
    assert "ram 4000000 at 80000000\n" in result.text
    assert "bootargs 'test=machine'\n" in result.text
