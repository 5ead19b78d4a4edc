"""B6: components are chosen by configuration. Every combination of the table builds and boots; what is off is not there."""
import re

import pytest

from machines import CAISSON, caisson, guest, run

# What each switch brings: source files (by the beginning of their path) and some of its symbols.
COMPONENTS = {
    "HEAP": (["core/mm/heap"], ["kalloc", "kfree"]),
    "PAGING": (["core/mm/pt.c", "core/mm/aspace", "core/init/kspace.c"], ["aspace_map_linear", "kernel_space"]),
    "HEAP_SLAB": (["core/mm/heap_slab.c"], []),
    "HEAP_LIBRARY": (["core/mm/heap_library.c"], ["_malloc_r", "sbrk"]),
    "DEBUG_HEAP": (["core/mm/heap_debug.c"], ["heap_leak_report"]),
    "DEBUG_FRAMES": (["core/mm/frame_debug.c"], []),
    "DEBUG_LOCKS": (["core/sync/lockcheck.c"], []),
    "DEBUG_FAIL_ALLOC": (["core/mm/fail.c"], ["alloc_fails"]),
    "IRQ": (["core/irq/", "core/time/timer.c", "arch/riscv64/timer.c"], ["irq_dispatch", "timer_interrupt"]),
    "MULTITASK": (["core/task/", "arch/riscv64/task_context.c"], ["sched_init", "context_switch"]),
    "SMP": (["core/smp/call.c", "core/smp/power.c"], ["smp_start_secondaries", "_start_secondary", "sbi_hart_start"]),
    "SCHED_FIFO": (["core/task/fifo.c"], []),
    "SCHED_RR": (["core/task/rr.c"], []),
    "SCHED_CFS": (["core/task/cfs.c"], []),
    "DRIVER_PLIC": (["drivers/irqchip/plic.c"], []),
    "DRIVER_NS16550": (["drivers/serial/ns16550.c"], []),
    "DRIVER_SIFIVE_UART": (["drivers/serial/sifive_uart.c"], []),
    "SERIAL_LINE": (["drivers/serial/line.c"], ["serial_start"]),
    "DRIVER_SIFIVE_TEST": (["drivers/reset/sifive_test.c"], []),
    "VIRTIO": (["drivers/virtio/"], []),
    "BLOCK": (["drivers/block/block.c"], ["block_register"]),
    "DRIVER_VIRTIO_BLK": (["drivers/block/virtio_blk.c"], []),
    "DRIVER_VIRTIO_CONSOLE": (["drivers/serial/virtio_console.c"], []),
    "NET": (["drivers/net/net.c"], ["net_register"]),
    "DRIVER_VIRTIO_NET": (["drivers/net/virtio_net.c", "drivers/net/virtio_net_rx.c", "drivers/net/virtio_net_tx.c"], []),
    "RANDOM": (["core/lib/random.c", "core/lib/chacha.c"], ["random_bytes"]),
    "DRIVER_VIRTIO_RNG": (["drivers/rng/"], []),
    "RTC": (["drivers/rtc/rtc.c"], ["rtc_register"]),
    "DRIVER_GOLDFISH_RTC": (["drivers/rtc/goldfish.c"], []),
    "FS": (["fs/vfs"], []),
    "FS_FAT": (["fs/fat/"], ["f_mount"]),
    "FS_INITRD": (["fs/cpio.c"], ["initrd_init"]),
    "PROCESS": (["process/"], []),
    "VMM": (["vmm/", "arch/riscv64/vcpu_csrs.c", "arch/riscv64/hext.c"], ["vcpu_resume", "hext_enable"]),
    "SHELL": (["shell/"], []),
}

# name: (what is built, switches on top of its defconfig)
COMBINATIONS = {
    "smallest": ("hello", []),
    "heap": ("hello", ["HEAP=y"]),
    "paging": ("hello", ["HEAP=y", "PAGING=y"]),
    "interrupts": ("hello", ["IRQ=y"]),
    "tasks-flat-fifo": ("hello", ["HEAP=y", "IRQ=y", "PAGING=n", "SMP=n", "SCHED_FIFO=y"]),
    "tasks-flat-rr-smp": ("hello", ["HEAP=y", "IRQ=y", "PAGING=n", "SMP=y", "SCHED_RR=y"]),
    "tasks-cfs": ("hello", ["HEAP=y", "IRQ=y", "PAGING=y", "SMP=y", "SCHED_CFS=y"]),
    "no-drivers": ("hello", ["DRIVER_NS16550=n", "DRIVER_SIFIVE_TEST=n"]),
    "both-lines": ("hello", ["DRIVER_SIFIVE_UART=y"]),
    "polled-line": ("hello", ["IRQ=y", "DRIVER_PLIC=n"]),
    "virtio": ("hello", ["HEAP=y", "IRQ=y", "VIRTIO=y"]),
    "disks": ("hello", ["HEAP=y", "IRQ=y", "VIRTIO=y", "BLOCK=y"]),
    "disks-polled": ("hello", ["HEAP=y", "PAGING=y", "VIRTIO=y", "BLOCK=y"]),
    "networks": ("hello", ["HEAP=y", "IRQ=y", "VIRTIO=y", "NET=y"]),
    "networks-polled": ("hello", ["HEAP=y", "PAGING=y", "VIRTIO=y", "NET=y"]),
    "random-and-time": ("hello", ["HEAP=y", "VIRTIO=y", "RANDOM=y", "RTC=y"]),
    "unikernel": ("unikernel", []),
    "unikernel-one-hart": ("unikernel", ["SMP=n"]),
    "unikernel-no-tasks": ("unikernel", ["MULTITASK=n"]),
    "unikernel-debug": ("unikernel", ["DEBUG=y"]),
    "unikernel-initrd": ("unikernel", ["FS_INITRD=y"]),
    "unikernel-fs-initrd": ("unikernel", ["FS=y", "FS_INITRD=y"]),
    "unikernel-fat": ("unikernel", ["BLOCK=y", "VIRTIO=y", "FS=y"]),
    "hypervisor": ("hypervisor", []),
    "hypervisor-one-hart": ("hypervisor", ["SMP=n"]),
    "hypervisor-fifo": ("hypervisor", ["SCHED_FIFO=y"]),
    "hypervisor-rr": ("hypervisor", ["SCHED_RR=y"]),
    "hypervisor-debug": ("hypervisor", ["DEBUG=y"]),
    "hypervisor-library-heap": ("hypervisor", ["HEAP_LIBRARY=y"]),
    "monolith": ("monolith", []),
    "monolith-library-heap-debug": ("monolith", ["HEAP_LIBRARY=y", "DEBUG=y", "DEBUG_FAIL_ALLOC=y"]),
}


def variant(name: str):
    from caisson import building

    what, switches = COMBINATIONS[name]
    return building.Variant(what if what in building.FLAVOURS else "unikernel",
                            None if what in building.FLAVOURS else what, tuple(switches))


def switches_of(image) -> set[str]:
    """What is on in a finished configuration."""
    return set(re.findall(r"^CONFIG_(\w+)=y$", (image.parent / "auto.conf").read_text(), re.MULTILINE))


def sources_of(image) -> set[str]:
    """The files that were compiled into an image, from its debug information."""
    out = run(["riscv64-unknown-elf-readelf", "--debug-dump=info", "--dwarf-depth=1", image.with_suffix(".elf")]).text
    return {re.sub(r"^.*: ", "", line).strip() for line in re.findall(r"DW_AT_name\s*:(.*)", out)}


def symbols_of(image) -> set[str]:
    out = run(["riscv64-unknown-elf-nm", image.with_suffix(".elf")]).text
    return {line.split()[-1] for line in out.splitlines()}


@pytest.fixture(params=COMBINATIONS)
def built_variant(request):
    from caisson import building

    chosen = variant(request.param)
    building.build(chosen)
    return chosen


def test_B6_what_is_off_left_nothing_behind(built_variant):
    on, sources, symbols = (f(built_variant.image) for f in (switches_of, sources_of, symbols_of))
    for switch, (files, names) in COMPONENTS.items():
        for file in files:
            there = [source for source in sources if source.startswith(file)]
            if switch in on:
                assert there, f"{switch} is on, but nothing of {file} is in the image"
            else:
                assert not there, f"{switch} is off"
        if switch not in on:
            assert not symbols & set(names), f"{switch} is off"


def test_B6_boots(built_variant):
    if built_variant.flavour == "hypervisor" and not built_variant.app:
        result = caisson("run", "--batch", "--kernel", guest("hello"), environment={"CAISSON_IMAGE": str(built_variant.image)})
        assert result.status == 0 and "hello" in result.text, result.err
        return
    harts = 2 if "SMP" in switches_of(built_variant.image) else 1
    result = run(["qemu-system-riscv64", "-M", "virt", "-smp", harts, "-m", "64M", "-nodefaults", "-display", "none",
                  "-serial", "stdio", "-kernel", built_variant.image])
    assert result.status == 0, result.text
    assert re.search(r" info +boot: main\r*\n", result.text), result.text
    assert "exit: status 0" in result.text
    if harts == 2:
        assert "2 of 2 harts online" in result.text


def test_B6_log_levels_above_the_highest_are_not_in_the_image():
    from caisson import building

    quiet = building.Variant(app="hello", switches=("LOG_MAX_LEVEL=0", "LOG_DEFAULT_LEVEL=0"))
    full = building.Variant(app="hello")
    for chosen in (quiet, full):
        building.build(chosen)
    assert b"constructors: %u run" in full.image.read_bytes()
    assert b"constructors: %u run" not in quiet.image.read_bytes()
    assert b"panic" in quiet.image.read_bytes()


def test_B6_each_switch_is_on_and_off_somewhere():
    from caisson import building

    seen = {True: set(), False: set()}
    for name in COMBINATIONS:
        building.build(variant(name))
        on = switches_of(variant(name).image)
        for switch in COMPONENTS:
            seen[switch in on].add(switch)
    assert seen[True] == seen[False] == set(COMPONENTS)


@pytest.mark.parametrize("switch, reason", [("SMP=y", "SMP"), ("NOSUCH=y", "no such switch"), ("HEAP=maybe", "HEAP")])
def test_B6_a_combination_that_cannot_be_is_refused(switch, reason):
    result = run([CAISSON, "app", "--set", switch, "hello"])
    assert result.status == 3 and reason in result.err


def test_B6_a_switch_that_has_the_value_already_may_be_set():
    result = run([CAISSON, "app", "--set", "IRQ=n", "hello"])
    assert result.status == 0 and "hello" in result.text, result.err
