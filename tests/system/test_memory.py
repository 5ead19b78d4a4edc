"""M1, M3: every allocation of every object fails once; memory used wrongly is named by a debug build."""
import re

import pytest

from machines import ROOT, batch, caisson, guest, run

OBJECTS = ["address space", "device window", "task", "new stack", "task with a new stack",
           *[f"frames of order {order}" for order in range(11)],
           *[f"heap object of {size} bytes" for size in (16, 96, 2048, 4096, 65536)]]


@pytest.mark.parametrize("options", [["--harts", 1], ["--harts", 4], ["--debug"], ["--set", "HEAP_LIBRARY=y"],
                                     ["--debug", "--set", "HEAP_LIBRARY=y"]], ids=lambda o: " ".join(map(str, o)))
def test_M1_each_object_is_undone_at_each_failing_allocation(options):
    result = caisson("app", "--quiet", "--icount", *options, "failalloc")
    assert result.status == 0, result.text + result.err
    assert result.text.endswith("failalloc: done\n")
    points = {name: int(n) for name, n in re.findall(r"^OK (.*): (\d+) points of failure$", result.text, re.MULTILINE)}
    assert set(OBJECTS) <= set(points)
    for name in OBJECTS:
        assert points[name] >= 1, name
    assert points["address space"] > 500 and points["task with a new stack"] > points["new stack"] >= 2


def function_at(image, address: str) -> str:
    """The name of the function that holds a return address."""
    before = hex(int(address, 16) - 1)
    return run(["riscv64-unknown-elf-addr2line", "-f", "-e", image, before]).text.split()[0]


def named(image, text: str) -> set[tuple[str, str]]:
    """What the report says of who did what, as function names."""
    return {(what, function_at(image, address)) for what, address in re.findall(r"(allocated|freed) by 0x([0-9a-f]+)", text)}


@pytest.mark.parametrize("heap", ["SLAB", "LIBRARY"])
@pytest.mark.parametrize("fault, said, who", [
    ("double-free", r"freed twice: .* 100 bytes", {("allocated", "allocate_object"), ("freed", "free_object")}),
    ("use-after-free", r"used after it was freed: .* 100 bytes", {("allocated", "allocate_object"), ("freed", "free_object")}),
    ("overrun", r"written beyond the end: .* 100 bytes", {("allocated", "allocate_object")}),
    ("underrun", r"written before the start: .* 100 bytes", {("allocated", "allocate_object")}),
    ("frame-double-free", r"order 0 is not an allocated block", {("allocated", "allocate_frame"), ("freed", "free_frame")}),
    ("frame-use-after-free", r"4096 bytes, used after it was freed: 0x\w+ at 1000",
     {("allocated", "allocate_frame"), ("freed", "free_frame")}),
])
def test_debug_build_names_memory_used_wrongly(tmp_path, heap, fault, said, who):
    _, text = faulty(tmp_path, heap, fault, status=3)
    report = re.search(rf"^.*panic: .*{said}.*$", text, re.MULTILINE)
    assert report, text
    assert named(image_of(heap), report[0]) == who


def image_of(heap: str):
    return ROOT / "build" / "apps" / f"memfaults+HEAP_{heap}-y" / "caisson.elf"


def faulty(tmp_path, heap: str, fault: str, status: int):
    log = tmp_path / "log"
    result = caisson("app", "--quiet", "--icount", "--log", log, "--set", f"HEAP_{heap}=y", "memfaults", fault)
    text = log.read_text(errors="replace")
    assert result.status == status, text + result.err
    return result, text


@pytest.mark.parametrize("heap", ["SLAB", "LIBRARY"])
def test_debug_build_reports_leaks_at_exit(tmp_path, heap):
    result, text = faulty(tmp_path, heap, "leak", status=0)
    assert re.search(r"leaks: 3 objects, 300 bytes", text), text
    line = re.search(r"leak: 3 objects, 300 bytes, allocated by .*", text)
    assert named(image_of(heap), line[0]) == {("allocated", "allocate_object")}
    _, text = faulty(tmp_path, heap, "none", status=0)
    assert "no leaks" in text and "leak:" not in text


def test_release_build_has_none_of_it():
    from caisson import building

    chosen = building.Variant(flavour="unikernel")
    building.build(chosen)
    names = run(["riscv64-unknown-elf-nm", chosen.image.with_suffix(".elf")]).text
    for name in ("kalloc", "frame_alloc"):
        assert re.search(rf"\b{name}$", names, re.MULTILINE)
    for name in ("alloc_fails", "alloc_count", "heap_leak_mark", "heap_leak_report", "frame_debug_", "malloc", "sbrk"):
        assert name not in names


@pytest.mark.parametrize("words", [("--kernel", guest("hello")), ("--kernel", guest("probe"), "--append", "test=smp fences=5",
                                                                   "--cpus", "2", "--harts", "2")])
def test_M3_vms_leave_nothing(tmp_path, words):
    from caisson import building

    debug = building.variant(debug=True)
    building.build(debug)
    log = tmp_path / "log"
    result = batch("--log", log, "--memory", "32M", *words, environment={"CAISSON_IMAGE": str(debug.image)})
    assert result.status == 0, result.err
    assert "heap: no leaks" in log.read_text()
