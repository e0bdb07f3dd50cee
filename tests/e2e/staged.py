"""What a download has staged, held against its progress log (libpeer/staging/progress_log.h)."""

import os

CHUNK = 1 << 20
HEADER, RECORD, HAD = 48, 32, 1


def logged_chunks(log):
    """Numbers of the chunks that the log calls had."""
    had = set()
    for at in range(HEADER, len(log) - RECORD + 1, RECORD):
        kind, first, count = (int.from_bytes(log[at + 8 * i:at + 8 * i + 8], "little") for i in range(3))
        if kind == HAD:
            had.update(range(first, first + count))
    return had


def chunks_of(game):
    """(path, offset, length) of every chunk of a game of plain files, in the order of its manifest."""
    paths = sorted(os.fsencode(os.path.relpath(os.path.join(directory, name), game))
                   for directory, _, names in os.walk(game) for name in names)
    for path in paths:
        size = os.path.getsize(os.path.join(os.fsencode(game), path))
        for offset in range(0, size, CHUNK):
            yield path, offset, min(CHUNK, size - offset)


def assert_nothing_short(original, staging):
    """Every chunk that is logged lies there, with the right bytes; how many those are."""
    try:
        with open(os.path.join(staging, "log"), "rb") as file:
            had = logged_chunks(file.read())
    except FileNotFoundError:
        return 0
    for number, (path, offset, length) in enumerate(chunks_of(original)):
        if number not in had:
            continue
        staged = os.path.join(os.fsencode(staging), b"tree", path)
        size = os.path.getsize(staged) if os.path.exists(staged) else 0
        assert size >= offset + length, f"{path}: {size} bytes, but chunk {number} is logged up to {offset + length}"
        with open(os.path.join(os.fsencode(original), path), "rb") as a, open(staged, "rb") as b:
            a.seek(offset)
            b.seek(offset)
            assert a.read(length) == b.read(length), f"{path}: chunk {number} is logged, but its bytes are wrong"
    return len(had)
