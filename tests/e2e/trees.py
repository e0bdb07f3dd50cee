"""Trees of files: creates and compares them, and counts which files are opened."""

import ctypes
import hashlib
import os
import random
import stat
import sys

from peer_lab import Skipped


def describe_tree(root):
    """Returns {relative path: description}: content, executable bit and time of files, target of symlinks."""
    found = {}
    base = os.fsencode(root)
    for directory, directories, files in os.walk(base):
        for name in directories + files:
            path = os.path.join(directory, name)
            key = os.fsdecode(os.path.relpath(path, base))
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                found[key] = ("symlink", os.fsdecode(os.readlink(path)))
            elif stat.S_ISDIR(info.st_mode):
                found[key] = ("directory",)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "blake2b").hexdigest()
                found[key] = ("file", info.st_size, digest, bool(info.st_mode & 0o100), info.st_mtime_ns)
            else:
                found[key] = ("special",)
    return found


def assert_same_tree(original, copy, left_out=()):
    """`left_out`: paths of the original that must be missing from the copy."""
    want = describe_tree(original)
    for path in left_out:
        del want[path]
    have = describe_tree(copy)
    problems = [f"missing: {p!r}" for p in want.keys() - have.keys()]
    problems += [f"not in the original: {p!r}" for p in have.keys() - want.keys()]
    problems += [f"differs: {p!r}: {want[p]} became {have[p]}" for p in want.keys() & have.keys() if want[p] != have[p]]
    assert not problems, f"{len(problems)} differences:\n" + "\n".join(sorted(problems)[:20])


def write_file(path, data=b"", executable=False, time_ns=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    if executable:
        os.chmod(path, 0o755)
    if time_ns is not None:
        os.utime(path, ns=(time_ns, time_ns))


def write_big_file(path, size, seed=1, time_ns=None):
    """Writes random data, in which no chunk occurs twice."""
    source = random.Random(seed)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        while size > 0:
            file.write(source.randbytes(min(size, 4 << 20)))
            size -= 4 << 20
    if time_ns is not None:
        os.utime(path, ns=(time_ns, time_ns))


class FileOpens:
    """Records which files (not directories) below a tree are opened, by any process."""

    IN_OPEN, IN_Q_OVERFLOW, IN_ISDIR = 0x20, 0x4000, 0x40000000

    def __init__(self, root):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for directory, _, _ in os.walk(root):
            if libc.inotify_add_watch(self.fd, os.fsencode(directory), self.IN_OPEN) < 0:
                raise Skipped(f"no inotify watch on {directory}: {os.strerror(ctypes.get_errno())}")
        self.opened = set()

    def paths(self):
        while True:
            try:
                data = os.read(self.fd, 1 << 20)
            except BlockingIOError:
                return self.opened
            while data:
                watch, mask, _, length = (int.from_bytes(data[i:i + 4], sys.byteorder) for i in (0, 4, 8, 12))
                assert not mask & self.IN_Q_OVERFLOW, "too many file events to count"
                if not mask & self.IN_ISDIR:
                    self.opened.add((watch, data[16:16 + length].rstrip(b"\0")))
                data = data[16 + length:]

    def close(self):
        os.close(self.fd)
