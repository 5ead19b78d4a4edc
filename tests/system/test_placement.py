"""H8: the initrd and the device tree stand where the description says."""
import re

import pytest

from machines import assert_passed, batch, guest


def test_H8_debian_takes_them_from_there(debian, toml, tmp_path):
    from caisson import initramfs

    root = tmp_path / "initramfs"
    initramfs.make(root, debian / "busybox", ["od -An -tx1 /proc/device-tree/chosen/linux,initrd-start", "echo up"])
    path = toml("placed", kernel=debian / "vmlinux", initrd=root, append="console=ttyS0", memory="256M",
                **{"initrd-load": 0x86001000, "dtb-load": 0x8a000008})
    result = batch("--log", tmp_path / "log", path)
    assert result.status == 0 and re.search(r"^up\s*$", result.text, re.MULTILINE), result.err
    assert "00 00 00 00 86 00 10 00" in result.text
    assert re.search(r"placed: kernel .* initrd 86001000\+\w+, device tree 8a000008", (tmp_path / "log").read_text())


def test_H8_device_tree_at_the_start_of_ram(toml):
    path = toml("low", kernel=guest("probe"), append="test=machine", memory="16M", **{"dtb-load": 0x80000000})
    assert_passed(batch(path))


@pytest.mark.parametrize("keys, why", [
    ({"dtb-load": 0x80200000}, "dtb-load: at 0x80200000 the device tree, which needs 64 KiB, would overlap the kernel"),
    ({"dtb-load": 0x90000000}, "dtb-load: 0x90000000 is outside the VM's RAM"),
    ({"dtb-load": 0}, "dtb-load: 0x0 is outside the VM's RAM"),
])
def test_H8_impossible_places_are_refused(toml, keys, why):
    result = batch(toml("bad", kernel=guest("probe"), memory="16M", **keys))
    assert result.status == 2 and f"bad: {why}" in result.err and result.out == b""
