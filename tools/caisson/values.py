"""Reading sizes, numbers and names as people type them. Errors are ValueErrors that say what was wanted."""
import re
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_SUFFIX = {"": 1, "K": KIB, "M": MIB, "G": GIB}
_SIZE = re.compile(r"([0-9]+)([KMG]?)", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9._-]{1,31}")


def parse_size(text: str) -> int:
    """'256M' -> bytes. Plain numbers are bytes."""
    match = _SIZE.fullmatch(text)
    if not match or len(text) > 20:
        raise ValueError("not a size (a number of bytes, or one with K, M or G such as 256M)")
    return int(match[1]) * _SUFFIX[match[2].upper()]


def parse_integer(text: str) -> int:
    """A whole number, decimal or with 0x."""
    try:
        if len(text) > 30:
            raise ValueError
        return int(text, 16) if text.lower().startswith("0x") else int(text, 10)
    except ValueError:
        raise ValueError("not a whole number") from None


def show_size(n: int) -> str:
    """Bytes -> the shortest exact form, for messages."""
    for suffix, unit in (("G", GIB), ("M", MIB), ("K", KIB)):
        if n and n % unit == 0:
            return f"{n // unit}{suffix}"
    return f"{n} bytes"


def round_up(n: int, unit: int) -> int:
    return -(-n // unit) * unit


_TYPE_NAMES = {bool: "a truth value", int: "a whole number", float: "a number with a fraction", str: "a string",
               list: "a list", dict: "a table"}


def want(value: Any, kind: type, wanted: str) -> None:
    """A value of a TOML file must be of this type; `wanted` says so in words."""
    is_bool = isinstance(value, bool)
    if not isinstance(value, kind) or (is_bool and kind is not bool):
        got = "a truth value" if is_bool else _TYPE_NAMES.get(type(value), "a date or time")
        raise ValueError(f"{wanted} is wanted here, not {got}")


class TableError(ValueError):
    """An error about one key of one table of several: "disk.0.file"."""

    def __init__(self, key: str, why: str):
        super().__init__(why)
        self.key = key
