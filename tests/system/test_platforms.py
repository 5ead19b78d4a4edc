"""B7: one source on several machines and address maps, by configuration alone."""
import re
import subprocess

import pytest

from machines import ROOT, Result, caisson, guest, run

MAP = {"LINEAR_BASE": 0xFFFFFFD000000000, "KSTACK_BASE": 0xFFFFFFC200000000, "IO_BASE": 0xFFFFFFC400000000,
       "IMAGE_BASE": 0xFFFFFFC080000000}
SHIFTED = [f"--set={name}={base:#x}" for name, base in MAP.items()]


@pytest.fixture
def app(tmp_path):
    """Run an application; the log goes to app.log."""
    def app(*words, **options) -> Result:
        result = caisson("app", "--log", tmp_path / "log", *words, **options)
        app.log = (tmp_path / "log").read_text(errors="replace")
        return result

    return app


@pytest.fixture
def device_tree(tmp_path):
    """QEMU virt's device tree, with changes made by fdtput; the options to use it."""
    def make(harts: int, ram: str, *changes) -> list:
        path = tmp_path / "machine.dtb"
        subprocess.run(["qemu-system-riscv64", "-M", f"virt,dumpdtb={path}", "-smp", str(harts), "-m", ram],
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)
        for change in changes:
            subprocess.run(["fdtput", *change[:1], path, *change[1:]], check=True)
        return ["--harts", str(harts), "--ram", ram, "--qemu-arg=-dtb", f"--qemu-arg={path}"]

    return make


def test_B7_another_board(app):
    """Another serial line, timebase and interrupt controller; hart 0 is not ours and another one boots."""
    result = app("--platform", "sifive_u", "--harts", "4", "harts")
    assert result.status == 0 and "terminating" not in result.err, result.text + result.err
    assert "SiFive HiFive Unleashed A00, 4 harts, timebase 1000000 Hz" in app.log
    assert "sifive-uart: bound to serial@10010000" in app.log
    assert re.search(r"entered on hart [1-4] \(a0\)", app.log)
    assert {int(hart) for hart in re.findall(r"hart (\d+): secondary_main", app.log)} <= {1, 2, 3, 4}
    assert "4 of 4 harts online" in app.log and result.text.endswith("harts: done\n")


@pytest.mark.parametrize("harts", [1, 2])
def test_B7_another_board_with_fewer_harts(app, harts):
    assert app("--platform", "sifive_u", "--harts", harts, "heap").status == 0
    assert app.log.count("secondary_main") == 0  # heap is built without SMP


def test_B7_the_exit_status_comes_from_a_board_that_has_no_way_for_it(app):
    assert app("--platform", "sifive_u", "status", "7").status == 7


def test_B7_a_panic_there(app):
    result = app("--platform", "sifive_u", "stack-overflow")
    assert result.status == 3 and "overflow" in result.err + app.log


def test_B7_the_hypervisor_says_that_it_cannot_run_there():
    result = caisson("run", "--batch", "--platform", "sifive_u", "--kernel", guest("hello"))
    assert (result.status, result.out) == (3, b"")
    assert "this machine has no hypervisor (H) extension" in result.err


@pytest.mark.parametrize("words, message", [
    (["--platform", "nosuch", "hello"], "--platform nosuch: no such platform (there are: sifive_u, virt)"),
    (["--platform", "sifive_u", "--harts", "5", "hello"], "--harts 5: a machine has 1 to 4 harts"),
    (["--platform", "sifive_u", "--cpu", "rv64", "hello"], "--cpu rv64: the CPUs of sifive_u cannot be chosen"),
])
def test_B7_wrong_platform_options(words, message):
    result = caisson("app", *words)
    assert result.status == 2 and message in result.err


@pytest.mark.parametrize("harts, name", [(1, "hello"), (1, "heap"), (4, "harts")])
def test_B7_a_shifted_virtual_map(app, harts, name):
    assert app(*SHIFTED, "--harts", harts, name).status == 0, app.log
    base = MAP["IMAGE_BASE"]
    assert base < int(re.search(r"running at pc ([0-9a-f]{16})", app.log)[1], 16) < base + (1 << 30)


def test_B7_a_shifted_virtual_map_of_the_hypervisor():
    from caisson import building

    variant = building.Variant(switches=tuple(word.removeprefix("--set=") for word in SHIFTED))
    building.build(variant)
    result = caisson("run", "--batch", "--kernel", guest("hello"), environment={"CAISSON_IMAGE": str(variant.image)})
    assert (result.status, result.text) == (0, "hello from a guest\n"), result.err


@pytest.mark.parametrize("switch", ["IMAGE_BASE=0x80000000", "IO_BASE=0xffffffc000000000", "IMAGE_BASE=0xffffffff80200000"])
def test_B7_an_impossible_map_is_refused_by_the_build(switch):
    result = caisson("app", "--set", switch, "hello")
    assert result.status == 3 and "arch/riscv64/Kconfig" in result.err


def loaded_at(image, address: int, folder) -> str:
    """An ELF file that brings a flat image, and nothing before it, to a physical address and is entered there."""
    source, elf = folder / "image.S", folder / "image.elf"
    source.write_text(f'.globl image\nimage: .incbin "{image}"\n')
    subprocess.run(["riscv64-unknown-elf-gcc", "-march=rv64imac", "-mabi=lp64", "-nostdlib", "-Wl,-e,image", "-Wl,-N",
                    "-Wl,--no-warn-rwx-segments", f"-Wl,-Ttext={address:#x}", "-o", elf, source], check=True)
    return str(elf)


@pytest.mark.parametrize("name, harts", [("heap", 1), ("harts", 4)])
def test_B7_ram_and_image_elsewhere(app, device_tree, tmp_path, name, harts):
    """RAM begins at 0x9000_0000 by the device tree, with holes, and our image is at 0xa040_0000."""
    from caisson import building

    variant = building.Variant(app=name)
    building.build(variant)
    tree = device_tree(harts, "1G", ("-tx", "/memory@80000000", "reg", "0", "90000000", "0", "10000000",
                                     "0", "a0400000", "0", "1fc00000"))
    elf = loaded_at(variant.image, 0xA0400000, tmp_path)
    result = app(*tree, "--qemu-arg=-kernel", f"--qemu-arg={elf}", name)
    assert result.status == 0, app.log + result.err
    place = re.search(r"running at pc ([0-9a-f]{16}), .*offset ([0-9a-f]{16})", app.log)
    assert 0xA0400000 <= (int(place[1], 16) - int(place[2], 16)) % (1 << 64) < 0xA0600000
    assert 740 < int(re.search(r"allocator: (\d+) MiB free", app.log)[1]) < 764


def test_B7_gaps_in_the_hart_ids(app, device_tree):
    """Also ids beyond the number of harts; QEMU's cannot be renamed, so some are switched off."""
    off = [("-ts", f"/cpus/cpu@{hart}", "status", "disabled") for hart in (0, 1, 3, 5)]
    assert app(*device_tree(8, "256M", *off), "harts").status == 0
    assert "4 of 4 harts online" in app.log
    assert set(re.findall(r"hart (\d+): secondary_main", app.log)) <= {"2", "4", "6", "7"}


def test_B7_the_timebase_is_what_the_tree_says(app, device_tree):
    """The same instructions, with a clock said to be four times slower, take four times as long by the log."""
    ends = []
    for hz in (10_000_000, 2_500_000):
        tree = device_tree(1, "256M", ("-tx", "/cpus", "timebase-frequency", f"{hz:x}"))
        assert app(*tree, "--icount", "heap").status == 0
        assert f"timebase {hz} Hz" in app.log
        ends.append(float(re.search(r"\[ *([0-9.]+)\] .*exit: status", app.log)[1]))
    assert 3.8 < ends[1] / ends[0] < 4.2


def test_B7_platform_files_are_sound():
    from caisson import platforms

    for name in platforms.names():
        platform = platforms.read(name)
        assert platform.description and platform.max_harts >= 1
        listed = run(["qemu-system-riscv64", "-M", "help"]).text
        assert re.search(rf"^{platform.machine} ", listed, re.MULTILINE)
        kconfigs = "".join(path.read_text() for path in ROOT.glob("*/Kconfig"))
        for switch in platform.switches:
            assert f"config {switch.partition('=')[0]}\n" in kconfigs
