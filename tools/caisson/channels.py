"""Channels between VMs: the [[channel]] tables of their descriptions, checked one by one and together."""
import difflib
from dataclasses import dataclass, field
from typing import Any

from caisson.errors import Errors
from caisson.values import KIB, MIB, NAME, TableError, parse_size, show_size, want

# The limits of vmm/include/vmm/config.h and channel.h.
MAX_CHANNELS = 16
MAX_PER_VM = 4
MAX_MEMBERS = 8
MIN_SIZE, MAX_SIZE = 4 * KIB, 16 * MIB
KEYS = ("name", "size", "access", "allow")


@dataclass
class Channel:
    """One VM's [[channel]] table. The owner's has `allow`."""

    place: str  # "channel.0": the key of what was typed, for messages
    name: str
    size: int | None = None
    access: str = "rw"
    allow: dict[str, str] | None = None  # VM -> "rw" or "ro"

    def __str__(self) -> str:
        """As an inline table of TOML, for `run --check`."""
        parts = [f'name = "{self.name}"', f'access = "{self.access}"']
        if self.size is not None:
            parts.append(f'size = "{show_size(self.size)}"')
        if self.allow:
            parts.append("allow = [" + ", ".join(f'"{vm}:{access}"' for vm, access in self.allow.items()) + "]")
        return "{ " + ", ".join(parts) + " }"


@dataclass
class Shared:
    """A channel of the machine, put together from its owner's table."""

    name: str
    size: int
    owner: Any  # VmConfig
    table: Channel
    rights: dict[str, str] = field(default_factory=dict)  # VM -> access, the owner first


def read(value: Any, _typed: bool) -> list[Channel]:
    """The value of the key `channel`."""
    want(value, list, "a [[channel]] table")
    if len(value) > MAX_PER_VM:
        raise TableError(f"channel.{MAX_PER_VM}", f"a VM has at most {MAX_PER_VM} channels")
    found: dict[str, Channel] = {}
    for index, table in enumerate(value):
        want(table, dict, "a [[channel]] table")
        channel = _read_table(f"channel.{index}", table)
        if channel.name in found:
            raise TableError(f"{channel.place}.name", f"this VM has a channel {channel.name!r} already")
        found[channel.name] = channel
    return list(found.values())


def _read_table(place: str, table: dict) -> Channel:
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys of a channel are {', '.join(KEYS)}"
            raise TableError(f"{place}.{key}", f"unknown key {key!r}; {hint}")
    if "name" not in table:
        raise TableError(place, 'a channel needs a name (name = "NAME")')
    channel = Channel(place, "")
    for key, value in table.items():
        try:
            setattr(channel, key, _READERS[key](value))
        except ValueError as error:
            raise TableError(f"{place}.{key}", str(error)) from None
    if channel.allow is not None and channel.size is None:
        raise TableError(f"{place}.allow", 'the owner of a channel says its size too (size = "64K")')
    return channel


def _name(value: Any) -> str:
    want(value, str, "a string")
    if not NAME.fullmatch(value):
        raise ValueError("a name has 1 to 31 characters out of A-Z a-z 0-9 . _ -")
    return value


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        want(value, str, 'a size such as "64K"')
        size = parse_size(value)
    if not MIN_SIZE <= size <= MAX_SIZE or size & (size - 1):
        raise ValueError("a channel's size is a power of two from 4K to 16M")
    return size


def _access(value: Any) -> str:
    want(value, str, '"rw" or "ro"')
    if value not in ("rw", "ro"):
        raise ValueError('access is "rw" or "ro"')
    return value


def _allow(value: Any) -> dict[str, str]:
    want(value, list, 'a list such as ["VM:rw", "VM:ro"]')
    rights: dict[str, str] = {}
    for text in value:
        want(text, str, 'a list such as ["VM:rw", "VM:ro"]')
        name, colon, access = text.rpartition(":")
        if not colon or not NAME.fullmatch(name) or access not in ("rw", "ro"):
            raise ValueError(f'{text!r} is not "VM:rw" or "VM:ro"')
        if name in rights:
            raise ValueError(f"{name!r} is there twice")
        rights[name] = access
    if not rights:
        raise ValueError("the list is empty: nobody else could attach")
    if len(rights) >= MAX_MEMBERS:
        raise ValueError(f"a channel has at most {MAX_MEMBERS} members, its owner among them")
    return rights


_READERS = {"name": _name, "size": _size, "access": _access, "allow": _allow}


def gather(vms: list, errors: Errors | None = None) -> list[Shared]:
    """The machine's channels, once each VM by itself is right. `errors` gets what is wrong between the VMs."""
    errors = errors or Errors()
    shared: dict[str, Shared] = {}
    for vm in vms:
        for table in vm.channel:
            if table.allow is not None:
                _own(shared, vm, table, errors)
    names = {vm.name for vm in vms}
    for channel in shared.values():
        for name in channel.table.allow:
            if name not in names:
                errors.add(channel.owner.fail(f"{channel.table.place}.allow", f"no VM of this run is called {name!r}"))
    for vm in vms:
        for table in vm.channel:
            _check_member(shared, vm, table, errors)
    return list(shared.values())


def _own(shared: dict[str, Shared], vm, table: Channel, errors: Errors) -> None:
    if table.name in shared:
        errors.add(vm.fail(f"{table.place}.allow",
                           f"channel {table.name!r} has an owner already ({_where(shared[table.name])})"))
        return
    if vm.name in table.allow:
        errors.add(vm.fail(f"{table.place}.allow", f"{vm.name!r} is the owner, whose access is `access`"))
    if len(shared) == MAX_CHANNELS:
        errors.add(vm.fail(table.place, f"there are at most {MAX_CHANNELS} channels"))
    shared[table.name] = Shared(table.name, table.size, vm, table, {vm.name: table.access, **table.allow})


def _where(channel: Shared) -> str:
    return channel.owner.quotes.get(f"{channel.table.place}.allow", channel.owner.origin)


def _check_member(shared: dict[str, Shared], vm, table: Channel, errors: Errors) -> None:
    channel = shared.get(table.name)
    if not channel:
        errors.add(vm.fail(f"{table.place}.name",
                           f"no VM of this run owns a channel {table.name!r} (its owner says `allow`)"))
        return
    if vm.name not in channel.rights:
        errors.add(vm.fail(f"{table.place}.name", f"channel {table.name!r} does not allow {vm.name!r} ({_where(channel)})"))
    elif table.access == "rw" and channel.rights[vm.name] == "ro":
        key = f"{table.place}.access"
        errors.add(vm.fail(key if key in vm.quotes else f"{table.place}.name",
                           f'channel {table.name!r} allows {vm.name!r} to read only: say access = "ro" ({_where(channel)})'))
    if table.size not in (None, channel.size):
        errors.add(vm.fail(f"{table.place}.size", f"channel {table.name!r} has {show_size(channel.size)} ({_where(channel)})"))
