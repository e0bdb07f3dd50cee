"""Compares the data in a staging directory with its progress log (libpeer/staging/progress_log.h)."""

import os

CHUNK = 1 << 20
HEADER, RECORD, HAVE = 48, 32, 1


def logged_chunks(log):
    """Returns the numbers of the logged chunks."""
    logged = set()
    for at in range(HEADER, len(log) - RECORD + 1, RECORD):
        kind, first, count = (int.from_bytes(log[at + 8 * i:at + 8 * i + 8], "little") for i in range(3))
        if kind == HAVE:
            logged.update(range(first, first + count))
    return logged


def chunks_of(game):
    """Yields (path, offset, length) of every chunk of a game without symlinks, in manifest order."""
    paths = sorted(os.fsencode(os.path.relpath(os.path.join(directory, name), game))
                   for directory, _, names in os.walk(game) for name in names)
    for path in paths:
        size = os.path.getsize(os.path.join(os.fsencode(game), path))
        for offset in range(0, size, CHUNK):
            yield path, offset, min(CHUNK, size - offset)


def assert_logged_chunks(original, staging):
    """Checks that every logged chunk is in the staging directory with the right content. Returns the number of logged chunks."""
    try:
        with open(os.path.join(staging, "log"), "rb") as file:
            logged = logged_chunks(file.read())
    except FileNotFoundError:
        return 0
    for number, (path, offset, length) in enumerate(chunks_of(original)):
        if number not in logged:
            continue
        staged = os.path.join(os.fsencode(staging), b"tree", path)
        size = os.path.getsize(staged) if os.path.exists(staged) else 0
        assert size >= offset + length, f"{path}: {size} bytes, but chunk {number} is logged up to {offset + length}"
        with open(os.path.join(os.fsencode(original), path), "rb") as a, open(staged, "rb") as b:
            a.seek(offset)
            b.seek(offset)
            assert a.read(length) == b.read(length), f"{path}: chunk {number} is logged, but its bytes are wrong"
    return len(logged)
