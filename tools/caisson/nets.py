"""Network devices of the machine: QEMU's words for them."""
MODERN = ["-global", "virtio-mmio.force-legacy=false"]


def qemu_words(wanted: bool) -> list[str]:
    """A modern virtio network device on QEMU's user network, which needs no rights: 10.0.2.2 is the gateway."""
    if not wanted:
        return []
    return [*MODERN, "-netdev", "user,id=net0", "-device", "virtio-net-device,netdev=net0"]
