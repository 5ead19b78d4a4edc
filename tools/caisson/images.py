"""Reading the files that a VM is made of, with everything wrong with them said before QEMU starts."""
import errno
import gzip
import io
import os
import stat
import zlib

from caisson.values import GIB

LARGEST = 4 * GIB - 1  # the bundle's format ends there
_LARGEST_UNPACKED = 2 * GIB
_GZIP_MAGIC = b"\x1f\x8b"
_FDT_MAGIC = b"\xd0\x0d\xfe\xed"


class NotThereYet(Exception):
    """A file that is fetched or built before the start; the text says which."""

    def __init__(self, path: str, what: str):
        super().__init__(what)
        self.path = path


def read(path: str) -> bytes:
    """The file's bytes. Raises ValueError saying why it cannot be used."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise ValueError(_reason(error)) from None
    except ValueError:
        raise ValueError("not a file name") from None
    try:
        data = _read_all(fd)
    except OSError as error:
        raise ValueError(_reason(error)) from None
    finally:
        os.close(fd)
    if not data:
        raise ValueError("is empty")
    if len(data) > LARGEST:
        raise ValueError("is larger than 4 GiB")
    return data


def _read_all(fd: int) -> bytes:
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise ValueError("is a directory, not a file")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise ValueError("is a device, not a file")
    with open(fd, "rb", closefd=False) as file:
        return file.read(LARGEST + 1)


def read_kernel(path: str) -> bytes:
    """A kernel image; one that is packed with gzip is unpacked here."""
    data = read(path)
    return _unpack(data) if data.startswith(_GZIP_MAGIC) else data


def read_device_tree(path: str) -> bytes:
    """A flattened device tree whose header agrees with its length."""
    data = read(path)
    if not data.startswith(_FDT_MAGIC) or len(data) < 40:
        raise ValueError("is not a flattened device tree (.dtb)")
    size = int.from_bytes(data[4:8], "big")
    if not 40 <= size <= len(data):
        raise ValueError(f"is a damaged device tree: its header says {size} bytes, the file has {len(data)}")
    return data


def _unpack(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        try:
            unpacked = packed.read(_LARGEST_UNPACKED + 1)
        except EOFError:
            raise ValueError("is a gzip file that ends too early (truncated?)") from None
        except (OSError, zlib.error) as error:
            raise ValueError(f"is a damaged gzip file: {error}") from None
    if len(unpacked) > _LARGEST_UNPACKED:
        raise ValueError("unpacks to more than 2 GiB")
    if not unpacked:
        raise ValueError("unpacks to nothing")
    return unpacked


def _reason(error: OSError) -> str:
    return {
        errno.ENOENT: "no such file",
        errno.EACCES: "may not be read (permission denied)",
    }.get(error.errno, error.strerror or str(error))
