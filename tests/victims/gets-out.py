# Tries what the path's last part names, to get out of its sandbox or to take too much. Answers "ESCAPED: what" or "refused: error".
# Every bomb ends by itself, in case that nothing stops it.
import ctypes
import errno
import os
import resource
import signal
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
LONGEST = 20  # s
OF_ITS_NAMESPACE = {"pid_max", "ns_last_pid"}  # numbers of its own processes; writing the second is refused


def call(number, *arguments):
    """A system call by its number; raises what it answers."""
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def others():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def attempt(what):
    """The result of `what`, or nothing if it was refused."""
    try:
        return what() or "done"
    except OSError:
        return None


def read(path):
    with open(path, "rb") as file:
        return file.read(64)


def read_memory(pid):
    with open(f"/proc/{pid}/mem", "rb") as file:
        file.seek(id(libc))  # forks have it at the same place
        return file.read(8)


def all_refused(attempts):
    done = [name for name, what in attempts.items() if attempt(what)]
    return f"ESCAPED: {done}" if done else f"refused: all of {len(attempts)}"


# -- files


def reads(path):
    return f"ESCAPED: {read(path)[:40]}"


def links(path):
    target = "/tmp/link"
    if not os.path.lexists(target):
        os.symlink(path, target)
    return reads(target)


def writes_its_source(_):
    for open_it in (lambda: open(__file__, "a"), lambda: os.unlink(__file__), lambda: os.chmod(__file__, 0o777),
                    lambda: open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "new"), "w")):
        if attempt(open_it):
            return "ESCAPED: its source is changed"
    return "refused: " + errno.errorcode[errno.EROFS] if not os.access(__file__, os.W_OK) else "ESCAPED: it may write"


def overwrites_the_interpreter(_):
    os.close(os.open("/proc/self/exe", os.O_WRONLY))
    return "ESCAPED: the interpreter may be written"


def writes_to_the_kernel(_):
    opened = [path for path in ("/proc/sysrq-trigger", "/proc/kcore", "/proc/kmsg", "/sys", "/dev/kmsg") if attempt(lambda: os.close(os.open(path, os.O_RDWR)))]
    for folder, _, files in os.walk("/proc/sys"):
        opened += [f"{folder}/{file}" for file in files if file not in OF_ITS_NAMESPACE and attempt(lambda: os.close(os.open(f"{folder}/{file}", os.O_WRONLY)))]
    return f"ESCAPED: {opened}" if opened else "refused: all"


# -- other processes


def reads_others(_):
    attempts = {}
    for pid in others():
        attempts |= {f"mem of {pid}": lambda pid=pid: read_memory(pid)}
        attempts |= {f"{file} of {pid}": lambda pid=pid, file=file: read(f"/proc/{pid}/{file}") for file in ("environ", "maps", "root/etc/passwd", "cwd/.", "exe")}
        attempts |= {f"descriptor {n} of {pid}": lambda pid=pid, n=n: os.close(os.open(f"/proc/{pid}/fd/{n}", os.O_PATH)) for n in range(20)}
    return all_refused(attempts) if attempts else "nobody is there"


def signals_others(_):
    attempts = {}
    for pid in others():
        attempts |= {f"kill {pid}": lambda pid=pid: os.kill(pid, signal.SIGKILL)}
        attempts |= {f"pidfd of {pid}": lambda pid=pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL)}
    return all_refused(attempts) if attempts else "nobody is there"


def limits_others(_):
    attempts = {f"limits of {pid}": lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)) for pid in others()}
    return all_refused(attempts)


def kills_everybody(_):
    os.kill(-1, signal.SIGKILL)
    return "ESCAPED: it was let"


def kills_its_group(_):
    os.kill(0, signal.SIGKILL)
    time.sleep(LONGEST)
    return "ESCAPED: it lives"


def lowers_others(_):
    """Groups and users have numbers that reach beyond what it can see."""
    return all_refused({
        f"{name} of {kind}": lambda change=change, which=which: change(which)
        for kind, which in {"its group": 1, "its user": 2}.items()
        for name, change in {
            "nice": lambda which: os.setpriority(which, 0, 19),
            "ioprio": lambda which: call(251, which + 1, 0, 3 << 13),
        }.items()
    })


def lists_descriptors(_):
    found = []
    for name in os.listdir("/proc/self/fd"):
        target = attempt(lambda name=name: os.readlink(f"/proc/self/fd/{name}"))
        if target:
            found.append(f"{name}={target}")
    return " ".join(found)


def leaves_a_child(_):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            libc.prctl(15, b"left-behind", 0, 0, 0)  # PR_SET_NAME
            os.closerange(0, 256)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(LONGEST)
        os._exit(0)
    time.sleep(0.2)
    return "left"


def stops(_):
    os.kill(os.getpid(), signal.SIGSTOP)
    return "ESCAPED: it went on"


# -- system calls


def makes_call(number):
    call(int(number), 0, 0, 0, 0, 0)
    return "ESCAPED: it was let"


def raw_socket(_):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return "ESCAPED: a raw socket"


def packet_socket(_):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
    return "ESCAPED: a packet socket"


def odd_sockets(_):
    """Families and protocols that nobody needs; the first and the last two are what somebody does."""
    kinds = {
        "route": (socket.AF_NETLINK, socket.SOCK_RAW, 0), "diag": (socket.AF_NETLINK, socket.SOCK_RAW, 4),
        "xfrm": (socket.AF_NETLINK, socket.SOCK_RAW, 6), "audit": (socket.AF_NETLINK, socket.SOCK_RAW, 9),
        "netfilter": (socket.AF_NETLINK, socket.SOCK_RAW, 12), "uevent": (socket.AF_NETLINK, socket.SOCK_RAW, 15),
        "sctp": (socket.AF_INET, socket.SOCK_STREAM, 132), "mptcp": (socket.AF_INET6, socket.SOCK_STREAM, 262),
        "udplite": (socket.AF_INET, socket.SOCK_DGRAM, 136), "tcp": (socket.AF_INET6, socket.SOCK_STREAM, 6),
        "udp": (socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 17),
    }
    opened = []
    for name, kind in kinds.items():
        try:
            socket.socket(*kind).close()
            opened.append(name)
        except OSError as error:
            if error.errno != errno.EPROTONOSUPPORT:
                opened.append(f"{name}: {error}")
    return "opened: " + ", ".join(opened)


def reads_of_the_machine(_):
    """What the kernel was started with and does for others."""
    told = []
    for path in ("cmdline", "config.gz", "interrupts", "diskstats", "pressure/cpu"):
        try:
            with open("/proc/" + path, "rb") as file:
                if file.read(1):
                    told.append(path)
        except OSError:
            pass
    return f"told: {told}"


# -- the network


def connects(port):
    with socket.create_connection(("127.0.0.1", int(port)), 3) as connection:
        connection.sendall(b"GET /v1/functions HTTP/1.1\r\nhost: localhost:%s\r\nconnection: close\r\n\r\n" % port.encode())
        return "answered: " + connection.recv(64).decode()


def connects_abstract(name):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + name)
        return "ESCAPED: connected"


# -- too much


def forks(_):
    """At most 300, for 20 s."""
    children = 0
    for _ in range(300):
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(LONGEST)
                os._exit(0)
            children += 1
        except OSError:
            time.sleep(0.02)
    time.sleep(1)
    return f"ESCAPED: {children} children"


def eats_memory(_):
    """At most 512 MiB."""
    kept = [b"x" * (4 << 20) for _ in range(128)]
    time.sleep(1)
    return f"ESCAPED: {len(kept) * 4} MiB"



def opens_files(_):
    """At most 20,000."""
    opened = []
    try:
        while len(opened) < 20_000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
        return "ESCAPED: 20000"
    except OSError as error:
        return f"refused: {errno.errorcode[error.errno]} after {len(opened)}"
    finally:
        for each in opened:
            os.close(each)


def fills_the_disk(_):
    """At most 512 MiB, and 200,000 files."""
    written, files = 0, 0
    try:
        with open("/tmp/big", "wb", buffering=0) as file:
            while written < 512 << 20:
                written += file.write(b"x" * (1 << 20))
        return "ESCAPED: 512 MiB"
    except OSError as error:
        said = f"refused: {errno.errorcode[error.errno]} after {written >> 20} MiB"
    os.unlink("/tmp/big")
    try:
        for files in range(200_000):
            os.close(os.open(f"/tmp/{files}", os.O_CREAT | os.O_WRONLY))
        return "ESCAPED: 200000 files"
    except OSError as error:
        return f"{said}, {errno.errorcode[error.errno]} after {files} files"


def loops(_):
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        pass
    return "ESCAPED: it ended by itself"


def loops_deaf(_):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return loops(_)


def logs(_):
    """A gigabyte."""
    line = "the same line again and again, which nobody wants to read " * 250
    for _ in range((1 << 30) // len(line)):
        print(line)
    return "logged"


ATTEMPTS = {name: what for name, what in globals().items() if callable(what) and getattr(what, "__module__", "") == __name__}


def handler(event, context):
    name = event["rawPath"].rsplit("/", 1)[-1]
    given = (event.get("queryStringParameters") or {}).get("with", "")
    if name == "hold":
        time.sleep(float(given))
        return "held"
    if name not in ATTEMPTS:
        return "fine"
    try:
        return ATTEMPTS[name](given)
    except OSError as error:
        return f"refused: {errno.errorcode.get(error.errno, error)}"
