"""Networks between VMs: the [[net]] tables of their descriptions, checked one by one and together; the machine's own devices."""
import difflib
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from caisson.errors import Errors
from caisson.values import NAME, want

# The limits of vmm/include/vmm/net.h and switch.h.
MAX_PER_VM = 4
MAX_SWITCHES = 8
MAX_PORTS = 32
MIN_MTU, MAX_MTU, DEFAULT_MTU = 68, 9000, 1500
DEFAULT_SWITCH = "lan"
KEYS = ("switch", "mac", "isolated", "uplink", "offload", "mtu")


@dataclass
class Net:
    """One VM's [[net]] table: a network device, which is a port of a switch."""

    place: str = "net"  # "net.0": the key of what was typed, for messages
    switch: str = DEFAULT_SWITCH
    mac: str | None = None  # None: made of the VM's name
    isolated: bool = False
    uplink: bool = False
    offload: bool = True
    mtu: int = DEFAULT_MTU

    def __str__(self) -> str:
        """As an inline table of TOML, for `run --check`."""
        parts = [f'switch = "{self.switch}"', *([f'mac = "{self.mac}"'] if self.mac else [])]
        parts += [f"{key} = {str(getattr(self, key)).lower()}" for key in ("isolated", "uplink", "offload")
                  if getattr(self, key) != getattr(Net, key)]
        if self.mtu != DEFAULT_MTU:
            parts.append(f"mtu = {self.mtu}")
        return "{ " + ", ".join(parts) + " }"


class TableError(ValueError):
    """An error about one key of one table."""

    def __init__(self, key: str, why: str):
        super().__init__(why)
        self.key = key


def read(value: Any, typed: bool) -> list[Net]:
    """The value of the key `net`. The option --net has none: a port with the machine's network."""
    if not typed:
        return [Net(uplink=True)]
    want(value, list, "a [[net]] table")
    if len(value) > MAX_PER_VM:
        raise TableError(f"net.{MAX_PER_VM}", f"a VM has at most {MAX_PER_VM} network devices")
    return [_read_table(f"net.{index}", table) for index, table in enumerate(value)]


def _read_table(place: str, table: Any) -> Net:
    want(table, dict, "a [[net]] table")
    net = Net(place)
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys of a network device are {', '.join(KEYS)}"
            raise TableError(f"{place}.{key}", f"unknown key {key!r}; {hint}")
        try:
            setattr(net, key, _READERS[key](value))
        except ValueError as error:
            raise TableError(f"{place}.{key}", str(error)) from None
    return net


def _switch(value: Any) -> str:
    want(value, str, "a string")
    if not NAME.fullmatch(value):
        raise ValueError("a name has 1 to 31 characters out of A-Z a-z 0-9 . _ -")
    return value


def _mac(value: Any) -> str:
    want(value, str, 'an address such as "02:00:00:00:00:01"')
    if not re.fullmatch("[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", value):
        raise ValueError('not an address such as "02:00:00:00:00:01"')
    if int(value[:2], 16) & 1:
        raise ValueError("an address of many: the first byte of one device's is even")
    if not value.strip("0:"):
        raise ValueError("all zero is nobody's address")
    return value.lower()


def _boolean(value: Any) -> bool:
    want(value, bool, "true or false")
    return value


def _mtu(value: Any) -> int:
    want(value, int, "a whole number")
    if not MIN_MTU <= value <= MAX_MTU:
        raise ValueError(f"an MTU is {MIN_MTU} to {MAX_MTU} bytes")
    return value


_READERS = {"switch": _switch, "mac": _mac, "isolated": _boolean, "uplink": _boolean, "offload": _boolean, "mtu": _mtu}


def mac_of(vm, number: int) -> str:
    """The address of a VM's n-th device. One that was not given is locally administered, and the same in every run."""
    if given := vm.net[number].mac:
        return given
    digest = hashlib.sha256(f"{vm.name}/{number}".encode()).digest()
    return "02:ca:" + ":".join(f"{byte:02x}" for byte in digest[:4])


def uplinks(vms: list) -> list[str]:
    """The switches that have the machine's network: the n-th has the machine's device net<n>."""
    return list(dict.fromkeys(net.switch for vm in vms for net in vm.net if net.uplink))


def describe(vm, number: int, uplinked: list[str]) -> str:
    """A device for the VM's description (docs/host.md)."""
    net = vm.net[number]
    words = [net.switch, f"mac={mac_of(vm, number)}", f"mtu={net.mtu}"]
    words += ["isolated"] if net.isolated else []
    words += [] if net.offload else ["plain"]
    words += [f"uplink=net{uplinked.index(net.switch)}"] if net.switch in uplinked else []
    return ",".join(words)


def check_together(vms: list, errors: Errors) -> None:
    """What must hold between VMs: no address twice on a switch, not too many switches and ports."""
    owners: dict[tuple[str, str], str] = {}
    ports: dict[str, int] = {}
    for vm in vms:
        for number, net in enumerate(vm.net):
            mac = mac_of(vm, number)
            if other := owners.setdefault((net.switch, mac), f"{vm.name}, net {number}"):
                if other != f"{vm.name}, net {number}":
                    errors.add(vm.fail(_key(vm, net, "mac"), f"{mac} on switch {net.switch!r} is another's ({other})"))
            if net.switch not in ports and len(ports) == MAX_SWITCHES:
                errors.add(vm.fail(_key(vm, net, "switch"), f"there are at most {MAX_SWITCHES} switches"))
            ports[net.switch] = ports.get(net.switch, 0) + 1
            if ports[net.switch] == MAX_PORTS:  # one is left for the uplink
                errors.add(vm.fail(_key(vm, net, "switch"), f"a switch has at most {MAX_PORTS - 1} of these ports"))


def _key(vm, net: Net, key: str) -> str:
    return f"{net.place}.{key}" if f"{net.place}.{key}" in vm.quotes else net.place
