"""Network devices of the machine: QEMU's words for them."""
MODERN = ["-global", "virtio-mmio.force-legacy=false"]
USER = "user"  # QEMU's user network, which needs no rights: 10.0.2.2 is the gateway


def qemu_words(count: int, first: str = USER) -> list[str]:
    """So many modern virtio network devices, net0 and so on in this order. first: QEMU's -netdev of the first."""
    words = []
    for number in range(count):
        words += ["-netdev", f"{USER if number else first},id=net{number}", "-device", f"virtio-net-device,netdev=net{number}"]
    return [*MODERN, *words] if count else []
