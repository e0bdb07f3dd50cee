"""The games to transfer: two from the distribution's packages, and one large file of random bytes."""
import os
import shutil
import subprocess
from pathlib import Path

GIB = 1 << 30


def package(cache, name):
    """The files of a package, extracted once."""
    game = cache / "games" / name
    if game.is_dir():
        return game
    debs = cache / "packages"
    debs.mkdir(parents=True, exist_ok=True)
    if not list(debs.glob(f"{name}_*.deb")):
        fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", name]
        if subprocess.run(fetch, cwd=debs, check=False).returncode != 0:
            raise SystemExit(f"cannot fetch the package {name}: run apt-get update as root, or leave {name} out (--data)")
    unfinished = cache / "games" / f".{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    subprocess.run(["dpkg", "-x", sorted(debs.glob(f"{name}_*.deb"))[-1], unfinished], check=True)
    unfinished.rename(game)
    return game


def random_file(cache, size):
    game = cache / "games" / f"random-{size / GIB:g}GiB"
    if game.is_dir():
        return game
    unfinished = cache / "games" / f".random-{size / GIB:g}GiB"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with open(unfinished / "data.bin", "wb") as file:
        left = size
        while left > 0:
            file.write(os.urandom(min(left, 8 << 20)))
            left -= min(left, 8 << 20)
    unfinished.rename(game)
    return game


def get(cache, name, random_size):
    """The game that `name` stands for: a package such as supertuxkart-data, "random", or a directory."""
    if name == "random":
        return random_file(cache, random_size)
    if "/" in name:
        return Path(name).resolve(strict=True)
    return package(cache, name)


class Summary:
    """Counts the files and bytes of a tree. Reading it also brings it into the page cache."""

    def __init__(self, game):
        self.files = self.bytes = self.symlinks = 0
        for folder, folders, files in os.walk(game):
            for name in files + folders:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    self.symlinks += 1
                elif os.path.isfile(path):
                    self.files += 1
                    self.bytes += os.path.getsize(path)


def warm(game):
    """Reads a tree into the page cache, so that the first tool does not wait for the disk."""
    buffer = bytearray(4 << 20)
    for folder, _, files in os.walk(game):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
