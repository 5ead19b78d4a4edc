"""The cache's manners: one maker at a time, nothing half-made in its final place."""
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from caisson import paths
from caisson.errors import CannotStart


@contextmanager
def lock(maker: str):
    """Only one process has a maker's lock. What one left that was killed is removed."""
    try:
        paths.cache().mkdir(parents=True, exist_ok=True)
        fd = os.open(paths.cache() / f"{maker}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise CannotStart(f"{paths.cache()}: {error.strerror} (fetched files go there)") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        for left_over in paths.cache().glob(f"{maker}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield
    finally:
        os.close(fd)


@contextmanager
def workplace(maker: str):
    """A folder beside the final places, so that moving is a rename. For whom has the lock."""
    with tempfile.TemporaryDirectory(prefix=f"{maker}-", dir=paths.cache()) as folder:
        yield Path(folder)


def move(ready: Path, target: Path) -> None:
    """Put a finished folder in its place, so that nobody ever sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(ready.with_name("old"))
    ready.rename(target)
