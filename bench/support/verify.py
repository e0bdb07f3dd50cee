"""Verifies a copy: compares every byte, executable bit, time, symlink and empty directory."""
import os
import stat


def leads_out(path, target):
    """Whether a symlink is not allowed in a game: absolute, or leading out of it ('..' only before the first name)."""
    if not target or target.startswith("/"):
        return True
    above = path.count("/")
    named = False
    for part in target.split("/"):
        if part == "..":
            if named or above == 0:
                return True
            above -= 1
        elif part not in ("", "."):
            named = True
    return False


def tree(top):
    """Maps each relative path to ("file", size, executable, mtime), ("symlink", target) or ("directory",)."""
    entries = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in os.scandir(os.path.join(top, folder)):
            path = os.path.join(folder, entry.name)
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(info.st_mode):
                entries[path] = ("symlink", os.readlink(entry.path))
            elif stat.S_ISDIR(info.st_mode):
                entries[path] = ("directory",)
                pending.append(path)
            elif stat.S_ISREG(info.st_mode):
                entries[path] = ("file", info.st_size, bool(info.st_mode & stat.S_IXUSR), info.st_mtime_ns // 10**9)
    return entries


def same_bytes(a, b):
    size = 1 << 20
    left, right = bytearray(size), bytearray(size)
    with open(a, "rb", buffering=0) as x, open(b, "rb", buffering=0) as y:
        while True:
            n, m = x.readinto(left), y.readinto(right)
            if n != m:  # a regular file returns all bytes that it has
                return False
            if n == 0:
                return True
            if left[:n] != right[:m]:
                return False


def left_out_by_peerd(game):
    """Paths that a copy by peerd must lack, and that `problems` must list."""
    return {path for path, entry in tree(game).items() if entry[0] == "symlink" and leads_out(path, entry[1])}


def differences(game, copy, left_out=frozenset(), only_files=False):
    """The first few differences between the copy and the game without `left_out`. `only_files` ignores symlinks, directories,
    bits and times, for tools that do not transfer them."""
    expected, actual = tree(game), tree(copy)
    found = []
    for path, entry in sorted(expected.items()):
        have = actual.pop(path, None)
        if only_files and entry[0] != "file":
            continue
        if path in left_out:
            if have is not None:
                found.append(f"{path} should have been left out")
        elif have is None:
            found.append(f"{path} is missing")
        elif (entry[:2] != have[:2]) if only_files else (entry != have):
            found.append(f"{path} is {have} instead of {entry}")
        elif entry[0] == "file" and not same_bytes(os.path.join(game, path), os.path.join(copy, path)):
            found.append(f"{path} has other content")
        if len(found) >= 10:
            return found
    found += [f"{path} is too much" for path in sorted(actual)[:5]]
    return found
