"""The processes below one, counted by the kernel's own table rather than by the daemon's word."""

import pathlib
import time


def process_table():
    """(pid, parent, state) of every process."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        yield int(entry.name), int(parent), state


def below(pid):
    """Live processes below `pid`; one that has ended and waits to be reaped is not live."""
    children = {}
    for child, parent, state in process_table():
        children.setdefault(parent, []).append((child, state))
    found, todo = [], [pid]
    while todo:
        for child, state in children.get(todo.pop(), []):
            if state != "Z":
                found.append(child)
            todo.append(child)
    return found


def descendants(pid):
    return len(below(pid))


def mean_pss(pids):
    """Mean proportional set size in bytes, or None if none of them may be read."""
    sizes = []
    for pid in pids:
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes += [int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(sizes) / len(sizes) if sizes else None


def settled(pid, still, seconds):
    """Waits until the number has stood still for `still` seconds, at most `seconds`. Returns it."""
    now = time.monotonic()
    deadline, since, count = now + seconds, now, descendants(pid)
    while now - since < still and now < deadline:
        time.sleep(0.025)
        now, before, count = time.monotonic(), count, descendants(pid)
        if count != before:
            since = now
    return count


def wait_for_at_least(pid, count, seconds):
    deadline = time.monotonic() + seconds
    while descendants(pid) < count and time.monotonic() < deadline:
        time.sleep(0.2)
