"""The archive that hands VMs to the hypervisor (docs/host.md, "The bundle")."""
import os
from typing import BinaryIO

import libfdt

from caisson import channels, cpio, networks, vmdisks
from caisson.script import Script
from caisson.vmconfig import DEFAULT_STOP_TIMEOUT, IMAGES, VmConfig, attribute


def write(out: BinaryIO, vms: list[VmConfig], script: Script | None = None) -> int:
    """Write the bundle. Returns its size in bytes. An image that several VMs name is stored once."""
    files: dict[tuple[str, bool], tuple[str, bytes]] = {}
    for vm in vms:
        for key in IMAGES:
            image = getattr(vm, key)
            if image:
                files.setdefault(_identity(key, image), (f"file/{len(files)}", image.data))
    archive = cpio.Writer(out)
    archive.directory("vm")
    uplinked = networks.uplinks(vms)
    for index, vm in enumerate(vms):
        places = {key: files[_identity(key, image)][0] for key in IMAGES if (image := getattr(vm, key))}
        archive.file(f"vm/{index}.dtb", describe(vm, places, uplinked))
    if script:
        archive.file("script", script.text)
        archive.file("script-label", os.fsencode(script.label))
    shared = channels.gather(vms)
    if shared:
        archive.directory("channel")
    for index, channel in enumerate(shared):
        archive.file(f"channel/{index}.dtb", describe_channel(channel))
    archive.directory("file")
    for name, data in files.values():
        archive.file(name, data)
    archive.finish()
    return out.tell()


def _identity(key: str, image) -> tuple[str, bool]:
    """What makes two images the same bytes: kernels were unpacked, other files not."""
    return os.path.realpath(image.path), key == "kernel"


def describe(vm: VmConfig, places: dict[str, str], uplinked: list[str] | None = None) -> bytes:
    """The VM's description as a flattened device tree. `places`: key -> path in the bundle. `uplinked`: networks.uplinks."""
    tree = libfdt.FdtSw()
    tree.finish_reservemap()
    with tree.add_node(""):
        tree.property("compatible", b"caisson,vm\0")
        tree.property("name", vm.name.encode() + b"\0")
        tree.property_u32("cpus", vm.cpus)
        tree.property_u64("memory", vm.memory)
        for key, place in places.items():
            tree.property(key, place.encode() + b"\0")
            tree.property(f"{key}-label", os.fsencode(getattr(vm, key).label) + b"\0")
        if vm.append is not None:
            tree.property("bootargs", os.fsencode(vm.append) + b"\0")
        for key in ("entry", "load", "initrd-load", "dtb-load"):
            if (address := getattr(vm, attribute(key))) is not None:
                tree.property_u64(key, address)
        if vm.eager:
            tree.property("eager", b"")
        if vm.format:
            tree.property("format", vm.format.encode() + b"\0")
        if vm.weight != 100:
            tree.property_u32("weight", vm.weight)
        if vm.cap is not None:
            tree.property_u32("cap", vm.cap)
        if vm.restart != "never":
            tree.property("restart", vm.restart.encode() + b"\0")
        if vm.stop_timeout != DEFAULT_STOP_TIMEOUT:
            tree.property_u32("stop-timeout", vm.stop_timeout)
        if vm.watchdog is not None:
            tree.property_u32("watchdog", vm.watchdog)
        for key, names in (("isa-hide", vm.isa_hide), ("isa-require", vm.isa_require)):
            if names:
                tree.property(key, "".join(name + "\0" for name in names).encode())
        if vm.plugin:
            tree.property("plugins", "".join(name + "\0" for name in vm.plugin).encode())
        if vm.channel:
            tree.property("channels", "".join(f"{c.name}:{c.access}\0" for c in vm.channel).encode())
        if vm.entropy:
            tree.property("entropy", b"")
        if vm.console != VmConfig.console:
            tree.property("console", vm.console.encode() + b"\0")
        if vm.net:
            words = [networks.describe(vm, number, uplinked or []) for number in range(len(vm.net))]
            tree.property("nets", "".join(text + "\0" for text in words).encode())
        if vm.scrollback != VmConfig.scrollback:
            tree.property_u32("scrollback", vm.scrollback)
        if vm.log:
            tree.property("console-log", b"")
        if not vm.autostart:
            tree.property("no-autostart", b"")
        if vm.harts:
            tree.property_u64("harts", sum(1 << hart for hart in vm.harts))
        if vm.exclusive:
            tree.property("exclusive", b"")
        for number, disk in enumerate(vm.disk):
            with tree.add_node(f"disk{number}"):
                describe_disk(tree, disk)
    return bytes(tree.as_fdt().as_bytearray())


def describe_disk(tree: libfdt.FdtSw, disk: vmdisks.VmDisk) -> None:
    if disk.file is not None:
        tree.property("device", disk.device.encode() + b"\0")
        tree.property("label", os.fsencode(disk.file) + b"\0")
    else:
        tree.property_u64("ram", disk.ram)
    if disk.read_only:
        tree.property("read-only", b"")
    if disk.part is not None:
        tree.property_u32("part", disk.part)
    if disk.store_device:
        tree.property("store", disk.store_device.encode() + b"\0")
    elif disk.overlay:
        tree.property_u64("overlay", disk.limit())
    if disk.serial is not None:
        tree.property("serial", disk.serial.encode() + b"\0")


def describe_channel(channel: channels.Shared) -> bytes:
    """A channel's description, in the same form."""
    tree = libfdt.FdtSw()
    tree.finish_reservemap()
    with tree.add_node(""):
        tree.property("compatible", b"caisson,channel\0")
        tree.property("name", channel.name.encode() + b"\0")
        tree.property_u64("size", channel.size)
        tree.property("members", "".join(f"{vm}:{access}\0" for vm, access in channel.rights.items()).encode())
    return bytes(tree.as_fdt().as_bytearray())
