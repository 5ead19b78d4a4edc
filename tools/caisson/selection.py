"""Which tests a name on the command line chooses."""
import re


def is_id(name: str) -> bool:
    """A behaviour's id: H1, U-hello."""
    return re.fullmatch(r"[A-Z][0-9]+|U-\w+", name) is not None


def matches(name: str, test: str) -> bool:
    """An id matches as a whole word (H1 is not H10), anything else as a part."""
    if is_id(name):
        pattern = "[-_]".join(re.escape(part) for part in name.split("-"))
        return re.search(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", test) is not None
    return name.lower() in test.lower()
