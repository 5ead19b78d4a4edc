"""Options and TOML files: good ones reach the bundle, bad ones are refused with what was typed."""
import gzip
import io
import os
import re

import libfdt
import pytest
from caisson import vmconfig

from hosttool import ROOT

BAD_OPTIONS = [
    (["--cpus", "0"], "--cpus 0: a VM has 1 to 8 CPUs"),
    (["--cpus", "9"], "--cpus 9: a VM has 1 to 8 CPUs"),
    (["--cpus", "two"], "--cpus two: not a whole number"),
    (["--cpus", "1.5"], "--cpus 1.5: not a whole number"),
    (["--cpus="], "--cpus : not a whole number"),
    (["--memory", "1M"], "--memory 1M: a VM needs at least 2M of memory"),
    (["--memory", "0"], "--memory 0: a VM needs at least 2M"),
    (["--memory", "-1"], "--memory -1: not a size"),
    (["--memory", "2049K"], "--memory 2049K: memory comes in multiples of 4K"),
    (["--memory", "256MB"], "--memory 256MB: not a size"),
    (["--memory", "lots"], "--memory lots: not a size"),
    (["--memory", "99999999999999999999G"], "--memory 99999999999999999999G: not a size"),
    (["--memory", "9999999999G"], "--memory 9999999999G: no machine has this much memory"),
    (["--memory", "60000G"], "--memory 60000G: this computer has only"),
    (["--memory", "512M", "--ram", "256M"], "--memory 512M: the machine has only 256M (--ram)"),
    (["--ram", "128M"], "--memory 256M (the default): the machine has only 128M (--ram)"),
    (["--ram", "60000G"], "--ram 60000G: this computer has only"),
    (["--ram", "1M"], "--ram 1M: the hypervisor needs at least 32M"),
    (["--ram", "300000K"], "--ram 300000K: the machine's memory comes in multiples of 1M"),
    (["--ram", "much"], "--ram much: not a size"),
    (["--harts", "0"], "--harts 0: a machine has 1 to"),
    (["--harts", "x"], "--harts x: not a whole number"),
    (["--harts", "1000"], "--harts 1000: a machine has 1 to"),
    (["--entry", "here"], "--entry here: not a whole number"),
    (["--entry", "-4"], "--entry -4: not a guest-physical address"),
    (["--load", "0x1ffffffffffffffff"], "--load 0x1ffffffffffffffff: not a guest-physical address"),
    (["--name", "a b"], "--name a b: a name has 1 to 31 characters"),
    (["--name", ""], "--name : a name has 1 to 31 characters"),
    (["--name", "x" * 32], "a name has 1 to 31 characters"),
    (["--append", "x" * 2048], "boot arguments have at most 2047 bytes, these have 2048"),
    (["--log-level", "loud"], "--log-level loud: not a log level"),
    (["--log", "/nonexistent/folder/log"], "--log /nonexistent/folder/log: No such file or directory"),
    (["--gdb", "99999"], "--gdb 99999: not a TCP port"),
    (["--cpu", ""], "--cpu : the value is empty"),
    (["--disk", "x.img"], "--disk x.img: No such file or directory"),
    (["--disk", "x.img,ro"], "--disk x.img,ro: No such file or directory"),
    (["--initrd", "nope"], "--initrd nope: no such file"),
    (["--dtb", "kernel"], "--dtb kernel: is not a flattened device tree"),
    (["--cpu"], "--cpu: a value is missing"),
    (["--frobnicate"], "--frobnicate: no such option"),
    (["other.toml"], "other.toml: --kernel describes the one VM"),
]


def assert_refused(result, message):
    assert result.returncode == 2, result.stderr
    assert result.stdout == b""
    assert message in result.stderr.decode()
    assert "Traceback" not in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words, message", BAD_OPTIONS, ids=lambda value: str(value)[:40])
def test_bad_option(tool, words, message):
    assert_refused(tool.run("run", "--batch", "--kernel", "kernel", *words), message)
    assert not tool.started()


def test_bad_kernel_files(tool):
    (tool.folder / "folder").mkdir()
    tool.file("empty", b"")
    packed = gzip.compress(os.urandom(5000))
    tool.file("short.gz", packed[:-2000])
    tool.file("broken.gz", packed[:100] + b"\0" * 50 + packed[150:])
    tool.file("nothing.gz", gzip.compress(b""))
    for name, message in {
        "nope": "no such file",
        "folder": "is a directory, not a file",
        "empty": "is empty",
        "/dev/zero": "is a device, not a file",
        "short.gz": "is a gzip file that ends too early (truncated?)",
        "broken.gz": "is a damaged gzip file",
        "nothing.gz": "unpacks to nothing",
        "": "the file name is empty",
        "guest:nope": "no such guest (there are guest:debian/vmlinux",
        "guest:app/nope": "no such guest (there are guest:app/affinity",
        "guest:app/": "no such guest (there are guest:app/affinity",
    }.items():
        assert_refused(tool.run("run", "--kernel", name), f"--kernel {name}: {message}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_kernel(tool):
    tool.file("secret").chmod(0)
    assert_refused(tool.run("run", "--kernel", "secret"), "--kernel secret: may not be read (permission denied)")


def test_unreadable_is_explained(monkeypatch):
    """The same as root sees it: the reason comes from the errno."""
    def refuse(*_):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ValueError, match="may not be read"):
        vmconfig.images.read("secret")


def test_bad_device_trees(tool):
    tool.file("short.dtb", b"\xd0\x0d\xfe\xed")
    tool.file("cut.dtb", b"\xd0\x0d\xfe\xed" + (1000).to_bytes(4, "big") + bytes(100))
    assert_refused(tool.run("run", "--kernel", "kernel", "--dtb", "short.dtb"), "--dtb short.dtb: is not a flattened")
    assert_refused(tool.run("run", "--kernel", "kernel", "--dtb", "cut.dtb"),
                   "--dtb cut.dtb: is a damaged device tree: its header says 1000 bytes, the file has 108")


def test_vm_option_without_kernel(tool):
    assert_refused(tool.run("run", "--cpus", "2"), "--cpus 2: belongs to a VM given with --kernel FILE")


BAD_TOML = [
    ('kernel = "kernel"\ncpus = 9\n', "vm.toml:2: cpus = 9: a VM has 1 to 8 CPUs"),
    ('kernel = "kernel"\ncpus = 0\n', "vm.toml:2: cpus = 0: a VM has 1 to 8 CPUs"),
    ('kernel = "kernel"\n\n# note\ncpus = "2"\n', 'vm.toml:4: cpus = "2": a whole number is wanted here, not a string'),
    ('kernel = "kernel"\ncpus = true\n', "vm.toml:2: cpus = true: a whole number is wanted here, not a truth value"),
    ('kernel = "kernel"\ncpus = 1.5\n', "vm.toml:2: cpus = 1.5: a whole number is wanted here, not a number with"),
    ('kernel = "kernel"\ncpus = [1]\n', "vm.toml:2: cpus = [1]: a whole number is wanted here, not a list"),
    ('kernel = "kernel"\ncpus.max = 2\n', "vm.toml:2: cpus.max = 2: a whole number is wanted here, not a table"),
    ('kernel = "kernel"\n[cpus]\n', "vm.toml:2: [cpus]: a whole number is wanted here, not a table"),
    ('kernel = "kernel"\ncpus = 2024-01-01\n', "vm.toml:2: cpus = 2024-01-01: a whole number is wanted here, not a da"),
    ('kernel = 3\n', "vm.toml:1: kernel = 3: a file name is wanted here, not a whole number"),
    ('kernel = "nope"\n', 'vm.toml:1: kernel = "nope": no such file'),
    ('kernel = ""\n', 'vm.toml:1: kernel = "": the file name is empty'),
    ('kernel = "a\\u0000b"\n', "not a file name"),
    ('kernel = "kernel"\nmemory = "1M"\n', 'vm.toml:2: memory = "1M": a VM needs at least 2M of memory'),
    ('kernel = "kernel"\nmemory = 1048576\n', "vm.toml:2: memory = 1048576: a VM needs at least 2M of memory"),
    ('kernel = "kernel"\nmemory = -1\n', "vm.toml:2: memory = -1: a VM needs at least 2M of memory"),
    ('kernel = "kernel"\nmemory = 2.5\n', "vm.toml:2: memory = 2.5: a size such as"),
    ('kernel = "kernel"\nmemroy = "64M"\n', "vm.toml:2: memroy = \"64M\": unknown key 'memroy'; did you mean 'memory'?"),
    ('kernel = "kernel"\nzzz = 1\n', "vm.toml:2: zzz = 1: unknown key 'zzz'; the keys are name, cpus"),
    ('kernel = "kernel"\n[vm]\ncpus = 1\n', "vm.toml:2: [vm]: unknown key 'vm'"),
    ('kernel = "kernel"\ndisk = "x"\n', 'vm.toml:2: disk = "x": a [[disk]] table is wanted here, not a string'),
    ('kernel = "kernel"\nformat = "sv39"\n', 'vm.toml:2: format = "sv39": not a format of guest page tables (sv39x4'),
    ('kernel = "kernel"\nrestart = "often"\n', 'vm.toml:2: restart = "often": not a restart policy (never, on-crash, always'),
    ('kernel = "kernel"\nstop-timeout = -1\n', 'vm.toml:2: stop-timeout = -1: not a number of seconds from 0 to 3600'),
    ('kernel = "kernel"\nstop-timeout = "soon"\n', 'vm.toml:2: stop-timeout = "soon"'),
    ('kernel = "kernel"\nwatchdog = 0\n', 'vm.toml:2: watchdog = 0: not a number of seconds from 1 to 3600'),
    ('kernel = "kernel"\nwatchdog = 3601\n', 'vm.toml:2: watchdog = 3601: not a number'),
    ('kernel = "kernel"\nconsole = "vga"\n', 'vm.toml:2: console = "vga": not a kind of console (uart, virtio)'),
    ('kernel = "kernel"\nrestart = true\n', "vm.toml:2: restart = true: a string is wanted here, not a truth value"),
    ('kernel = "kernel"\nweight = 0\n', "vm.toml:2: weight = 0: a weight is 1 to 10000"),
    ('kernel = "kernel"\nweight = 10001\n', "vm.toml:2: weight = 10001: a weight is 1 to 10000"),
    ('kernel = "kernel"\nweight = "9"\n', 'vm.toml:2: weight = "9": a whole number is wanted here, not a string'),
    ('kernel = "kernel"\ncap = 0\n', "vm.toml:2: cap = 0: a cap is 1 to 800 per cent of a hart, 100 for each CPU"),
    ('kernel = "kernel"\ncap = 25.5\n', "vm.toml:2: cap = 25.5: a whole number is wanted here, not a number with"),
    ('kernel = "kernel"\ncap = 801\n', "vm.toml:2: cap = 801: a cap is 1 to 800 per cent of a hart"),
    ('kernel = "kernel"\ncap = 201\ncpus = 2\n', "vm.toml:2: cap = 201: more than its CPUs can use: 2 of them, 200 per cent"),
    ('kernel = "kernel"\ncap = 50\nexclusive = true\nharts = [1]\n',
     "vm.toml:2: cap = 50: of harts that are its own it has all (vm.toml:3: exclusive = true)"),
    ('kernel = "kernel"\nautostart = "no"\n', 'vm.toml:2: autostart = "no": true or false is wanted here, not a string'),
    ('kernel = "kernel"\nautostart = false\n', "vm.toml:2: autostart = false: with --batch there is no prompt"),
    ('kernel = "kernel"\neager = 1\n', "vm.toml:2: eager = 1: true or false is wanted here, not a whole number"),
    ('kernel = "kernel"\nisa-hide = "v"\n', 'vm.toml:2: isa-hide = "v": a list of ISA extensions is wanted here, not a string'),
    ('kernel = "kernel"\nisa-hide = [1]\n', "vm.toml:2: isa-hide = [1]: a list of ISA extensions is wanted here, not a wh"),
    ('kernel = "kernel"\nisa-hide = ["sstcc"]\n', """isa-hide = ["sstcc"]: unknown extension 'sstcc'; did you mean 'sstc'?"""),
    ('kernel = "kernel"\nisa-hide = ["SSTC"]\n', "unknown extension 'SSTC'; did you mean 'sstc'?"),
    ('kernel = "kernel"\nisa-hide = ["q1"]\n', "unknown extension 'q1'; there are i, m, a, f, d"),
    ('kernel = "kernel"\nisa-hide = ["v", "v"]\n', "the same extension is named twice"),
    ('kernel = "kernel"\nisa-hide = ["i"]\n', "'i' is the base, which cannot be hidden"),
    ('kernel = "kernel"\nisa-require = ["h"]\n', """vm.toml:2: isa-require = ["h"]: no guest has 'h' on this hypervisor"""),
    ('kernel = "kernel"\nisa-require = ["d"]\nisa-hide = ["f"]\n',
     """vm.toml:2: isa-require = ["d"]: 'd' is hidden from it (vm.toml:3: isa-hide = ["f"])"""),
    ('kernel = "kernel"\nplugin = "example"\n', 'vm.toml:2: plugin = "example": a list of names of plug-ins is wanted here, not a string'),
    ('kernel = "kernel"\nplugin = ["a b"]\n', """vm.toml:2: plugin = ["a b"]: 'a b' is no name of a plug-in"""),
    ('kernel = "kernel"\nplugin = ["a", "a"]\n', 'vm.toml:2: plugin = ["a", "a"]: the same plug-in is named twice'),
    ('kernel = "kernel"\nplugin = ["a", "b", "c", "d", "e"]\n', "a VM has at most 4 plug-ins"),
    ('kernel = "kernel"\ninitrd-load = 0x84000000\n', "vm.toml:2: initrd-load = 0x84000000: there is no initrd"),
    ('kernel = "kernel"\ndtb-load = 0x84000004\n', "vm.toml:2: dtb-load = 0x84000004: a device tree stands at a multiple of 8"),
    ('kernel = "kernel"\nharts = 1\n', "vm.toml:2: harts = 1: a list of hart numbers is wanted here, not a whole"),
    ('kernel = "kernel"\nharts = []\n', "vm.toml:2: harts = []: a VM needs at least one hart"),
    ('kernel = "kernel"\nharts = [0, 0]\n', "vm.toml:2: harts = [0, 0]: the same hart is named twice"),
    ('kernel = "kernel"\nharts = [64]\n', "vm.toml:2: harts = [64]: 64 is not a hart number"),
    ('kernel = "kernel"\nharts = [1]\n', "vm.toml:2: harts = [1]: the machine has no hart 1: --harts is 1"),
    ('kernel = "kernel"\nentry = "x"\n', 'vm.toml:2: entry = "x": not a whole number'),
    ('kernel = "kernel"\nentry = -1\n', "vm.toml:2: entry = -1: not a guest-physical address"),
    ('kernel = "kernel"\nappend = ["a"]\n', 'vm.toml:2: append = ["a"]: a string is wanted here, not a list'),
    ('kernel = "kernel"\nname = "a b"\n', 'vm.toml:2: name = "a b": a name has 1 to 31 characters'),
    ('cpus = 1\n', "vm.toml: a VM needs a kernel"),
    ('', "vm.toml: is empty"),
    ('kernel = "kernel"\ncpus = \n', "vm.toml:2: cpus =: Invalid value"),
    ('kernel = "kernel"\ncpus = 1\ncpus = 2\n', "vm.toml:3: cpus = 2: Cannot overwrite a value"),
    ('kernel\n', "vm.toml:1: kernel: Expected '='"),
    ('kernel = "kernel', "vm.toml:1: "),
    ('a = ' + '[' * 5000, "vm.toml: nested too deeply"),
    ('kernel = "kernel"\ncpus = ' + '9' * 5000 + '\n', "vm.toml"),
]


@pytest.mark.parametrize("text, message", BAD_TOML, ids=lambda value: str(value)[:40].replace("\n", " "))
def test_bad_toml(tool, text, message):
    tool.file("vm.toml", text)
    assert_refused(tool.run("run", "--batch", "vm.toml"), message)
    assert not tool.started()


def test_toml_file_itself(tool):
    assert_refused(tool.run("run", "nope.toml"), "nope.toml: no such file")
    assert_refused(tool.run("run", "."), ".: is a directory, not a file")
    tool.file("binary", b"\x7fELF\0\1\2")
    assert_refused(tool.run("run", "binary"), "binary: this is not a TOML file (a kernel is given with --kernel FILE)")
    tool.file("latin", b"kernel = 'k'\nname = '\xe9'\n")
    assert_refused(tool.run("run", "latin"), "latin:2: this is not a TOML file")


def test_duplicate_names(tool):
    tool.file("a.toml", 'kernel = "kernel"\nname = "x"\n')
    tool.file("b.toml", 'kernel = "kernel"\n\nname = "x"\n')
    assert_refused(tool.run("run", "a.toml", "b.toml"),
                   "b.toml:3: name = \"x\": the name 'x' is taken by another VM (a.toml:2: name = \"x\")")


def test_vms_beyond_ram(tool):
    tool.file("a.toml", 'kernel = "kernel"\nmemory = "200M"\n')
    tool.file("b.toml", 'kernel = "kernel"\nmemory = "200M"\n')
    assert_refused(tool.run("run", "--ram", "128M", "a.toml"), 'the machine has only 128M (--ram)')
    # Together they may: memory is backed on first touch.
    assert tool.run("run", "--batch", "--ram", "256M", "a.toml", "b.toml").returncode == 0


def read_bundle(tool) -> dict[str, bytes]:
    """name -> contents of the archive that the fake QEMU was given."""
    data, files, position = io.BytesIO((tool.folder / "record.bundle").read_bytes()), {}, 0
    while True:
        data.seek(position)
        header = data.read(110)
        assert header.startswith(b"070701")
        size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        name = data.read(name_size)[:-1].decode()
        if name == "TRAILER!!!":
            return files
        data.seek(-(-(position + 110 + name_size) // 4) * 4)
        files[name] = data.read(size)
        position = -(-data.tell() // 4) * 4


def text_of(tree, key):
    return bytes(tree.getprop(0, key)).rstrip(b"\0").decode()


def test_bundle_says_everything(tool):
    tool.file("initrd", b"initrd bytes")
    tool.file("image.gz", gzip.compress(b"packed kernel"))
    (tool.folder / "sub").mkdir()
    tool.file("sub/a.toml", 'name = "first"\nkernel = "../image.gz"\ninitrd = "../initrd"\ncpus = 3\nmemory = "64M"\n'
              'append = "a b=c"\nentry = 0x80200000\nload = "0x80300000"\neager = true\nformat = "sv48x4"\ninitrd-load = 0x81000000\ndtb-load = "0x82000000"\n'
              'harts = [0, 2]\nrestart = "on-crash"\nweight = 250\ncap = 150\nstop-timeout = 0\nwatchdog = 9\nconsole = "virtio"\nentropy = true\nplugin = ["a", "b"]\n')
    tool.file("b.toml", 'kernel = "kernel"\n')
    result = tool.run("run", "--batch", "--harts", "4", "sub/a.toml", "b.toml")
    assert result.returncode == 0, result.stderr
    files = read_bundle(tool)
    assert list(files)[:3] == ["vm", "vm/0.dtb", "vm/1.dtb"]
    tree = libfdt.FdtRo(files["vm/0.dtb"])
    assert text_of(tree, "compatible") == "caisson,vm"
    assert text_of(tree, "name") == "first"
    assert text_of(tree, "bootargs") == "a b=c"
    assert text_of(tree, "format") == "sv48x4"
    assert text_of(tree, "kernel-label") == "../image.gz"
    assert files[text_of(tree, "kernel")] == b"packed kernel"
    assert files[text_of(tree, "initrd")] == b"initrd bytes"
    assert tree.getprop(0, "cpus").as_uint32() == 3
    assert tree.getprop(0, "memory").as_uint64() == 64 << 20
    assert tree.getprop(0, "entry").as_uint64() == 0x80200000
    assert tree.getprop(0, "load").as_uint64() == 0x80300000
    assert tree.getprop(0, "initrd-load").as_uint64() == 0x81000000
    assert tree.getprop(0, "dtb-load").as_uint64() == 0x82000000
    assert tree.getprop(0, "harts").as_uint64() == 0b101
    assert bytes(tree.getprop(0, "eager")) == b""
    assert text_of(tree, "restart") == "on-crash" and text_of(tree, "console") == "virtio" and bytes(tree.getprop(0, "entropy")) == b""
    assert bytes(tree.getprop(0, "plugins")) == b"a\0b\0"
    assert tree.getprop(0, "weight").as_uint32() == 250 and tree.getprop(0, "cap").as_uint32() == 150
    assert tree.getprop(0, "stop-timeout").as_uint32() == 0 and tree.getprop(0, "watchdog").as_uint32() == 9
    second = libfdt.FdtRo(files["vm/1.dtb"])
    assert text_of(second, "name") == "b"
    assert tree.getprop(0, "cpus").as_uint32() == 3 and second.getprop(0, "cpus").as_uint32() == 1
    for absent in ("initrd", "bootargs", "entry", "load", "initrd-load", "dtb-load", "eager", "format", "harts", "dtb",
                   "restart", "weight", "cap", "stop-timeout", "watchdog", "console", "entropy", "plugins"):
        assert second.getprop(0, absent, [libfdt.NOTFOUND]) == -libfdt.NOTFOUND


def test_autostart_and_isa_reach_the_bundle(tool):
    tool.file("a.toml", 'kernel = "kernel"\nautostart = false\nisa-hide = ["sstc", "v"]\nisa-require = ["d"]\n')
    tool.file("b.toml", 'kernel = "kernel"\nautostart = true\n')
    assert tool.run("run", "a.toml", "b.toml").returncode == 0
    files = read_bundle(tool)
    first, second = (libfdt.FdtRo(files[f"vm/{n}.dtb"]) for n in range(2))
    assert bytes(first.getprop(0, "no-autostart")) == b""
    assert bytes(first.getprop(0, "isa-hide")) == b"sstc\0v\0"
    assert bytes(first.getprop(0, "isa-require")) == b"d\0"
    for key in ("no-autostart", "isa-hide", "isa-require"):
        assert second.getprop(0, key, [libfdt.NOTFOUND]) == -libfdt.NOTFOUND


def test_isa_names_are_those_of_the_hypervisor():
    text = (ROOT / "vmm" / "image" / "isa_names.c").read_text()
    assert re.findall(r'\] = "(\w+)"', text) == [*vmconfig.EXTENSIONS, *vmconfig.NO_GUESTS_EXTENSIONS]


def test_shared_image_is_stored_once(tool):
    for name in ("a", "b"):
        tool.file(f"{name}.toml", 'kernel = "kernel"\ninitrd = "kernel"\n')
    assert tool.run("run", "--batch", "a.toml", "b.toml").returncode == 0
    assert [name for name in read_bundle(tool) if name.startswith("file/")] == ["file/0", "file/1"]


def test_append_may_start_with_a_dash(tool):
    assert tool.run("run", "--batch", "--kernel", "kernel", "--append", "-v --quiet").returncode == 0
    assert text_of(libfdt.FdtRo(read_bundle(tool)["vm/0.dtb"]), "bootargs") == "-v --quiet"


def test_defaults(tool):
    assert tool.run("run", "--batch", "--kernel", "kernel").returncode == 0
    tree = libfdt.FdtRo(read_bundle(tool)["vm/0.dtb"])
    assert tree.getprop(0, "memory").as_uint64() == 256 << 20
    assert tree.getprop(0, "cpus").as_uint32() == 1
    assert tree.getprop(0, "bootargs", [libfdt.NOTFOUND]) == -libfdt.NOTFOUND
