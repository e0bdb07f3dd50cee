"""The tools to compare. Each downloads a game from host 0 to host 1 and reports what that cost."""
import os
import shutil
import subprocess
import time
from pathlib import Path

from support import measure, verify
from support.peerd import Daemon, Failed

NODE = Path(__file__).with_name("torrent_node.py")
PYTHON = "/usr/bin/python3"


class Peerd:
    """Two connected daemons. The time is that of `peerctl download`."""
    name = "peerd"

    def __init__(self, lan, work):
        self.lan, self.work = lan, work

    def download(self, game, destination):
        home = self.work / f"peerd-{game.name}"  # kept between rounds, so that the seeder hashes once
        library = home / "library"
        library.mkdir(parents=True, exist_ok=True)
        if not (library / game.name).exists():
            (library / game.name).symlink_to(game)
        daemons = []
        try:
            there, here = self.lan.addresses
            daemons.append(Daemon("sender", home, f"{there}:24747", library=library,
                                  command=lambda line: self.lan.inside(0, line)))
            sender = daemons[0]
            sender.wait_until(f"{game.name} is hashed", Daemon.ready, 600)
            daemons.append(Daemon("receiver", destination, f"{here}:24747", peers=[f"{there}:24747"],
                                  command=lambda line: self.lan.inside(1, line)))
            receiver = daemons[1]
            receiver.wait_until(f"it sees {game.name}", lambda d: d.sees(game.name), 60)
            with measure.Usage({"sender": sender.pid, "receiver": receiver.pid}) as usage:
                receiver.peerctl("--quiet", "download", game.name)
            left_out = verify.left_out_by_peerd(game)
            problems = {problem["path"] for problem in sender.games()[game.name]["local"].get("problems", [])}
            wrong = verify.differences(game, receiver.library / game.name, left_out)
            if problems != left_out:
                wrong.append(f"problems lists {sorted(problems)[:5]} instead of {sorted(left_out)[:5]}")
            while daemons:
                daemons.pop().stop()
            return usage, wrong
        finally:
            for daemon in daemons:
                daemon.kill()


class Rsync:
    """An rsync daemon over plain TCP. The client forks, so its memory is not counted."""
    name = "rsync"
    port = 8730

    def __init__(self, lan, work):
        self.lan, self.work = lan, work

    def download(self, game, destination):
        config = self.work / "rsyncd.conf"
        config.write_text(f"use chroot = no\nmunge symlinks = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n"
                          f"reverse lookup = no\n[game]\npath = {game}\nread only = yes\n")
        there = self.lan.addresses[0]
        line = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--address={there}", f"--port={self.port}"]
        daemon = subprocess.Popen(self.lan.inside(0, line), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait(daemon, there)
            copy = destination / game.name
            fetch = ["rsync", "-rlpt", f"rsync://{there}:{self.port}/game/", f"{copy}/"]
            before = os.times()
            with measure.Usage({"sender": daemon.pid}, memory=False) as usage:
                done = subprocess.run(self.lan.inside(1, fetch), stdin=subprocess.DEVNULL, capture_output=True,
                                      text=True, check=False)
            after = os.times()
            if done.returncode != 0:
                raise Failed(f"rsync ended with {done.returncode}: {done.stderr[-500:]}")
            deadline = time.monotonic() + 5  # the daemon's child ends a little later, and is counted only then
            while usage.cpu["sender"] == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
                usage.cpu["sender"] = measure.cpu_seconds(daemon.pid) - usage._before["sender"]
            usage.cpu["receiver"] = (after.children_user + after.children_system
                                     - before.children_user - before.children_system)
            return usage, verify.differences(game, copy)
        finally:
            daemon.terminate()
            daemon.wait()

    def _wait(self, daemon, address):
        probe = self.lan.inside(1, ["rsync", f"rsync://{address}:{self.port}/"])
        for _ in range(100):
            if daemon.poll() is not None:
                raise Failed(f"the rsync daemon ended with {daemon.returncode}")
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                time.sleep(0.2)  # until the daemon's child for the probe has ended
                return
            time.sleep(0.05)
        raise Failed("the rsync daemon does not answer")


class Libtorrent:
    """A seed and a leech over plain TCP, every piece hashed on arrival, with the torrent file made beforehand. This is the
    fastest setup: a v1 torrent, whose pieces cross file borders, and tuned settings."""
    name = "libtorrent"
    port = 6881
    form, settings = "v1", "tuned"

    def __init__(self, lan, work):
        self.lan, self.work = lan, work

    def _torrent(self, game):
        torrent = self.work / f"{game.name}.{self.form}.torrent"
        if not torrent.exists():
            subprocess.run([PYTHON, NODE, "create", game, torrent, self.form], check=True)
        return torrent

    def _node(self, host, word, *arguments):
        node = subprocess.Popen(self.lan.inside(host, [PYTHON, NODE, *arguments]), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self._nodes.append(node)
        self._expect(node, word)
        return node

    @staticmethod
    def _expect(node, word):
        if node.stdout.readline().strip() != word:
            raise Failed(f"a libtorrent node ended with {node.wait()} before it said {word}")

    def download(self, game, destination):
        torrent = self._torrent(game)
        there, here = self.lan.addresses
        self._nodes = []
        try:
            seed = self._node(0, "ready", "seed", self.settings, torrent, game.parent, there, self.port)
            leech = self._node(1, "connected", "leech", self.settings, torrent, destination, here, self.port, there, self.port)
            with measure.Usage({"sender": seed.pid, "receiver": leech.pid}) as usage:
                self._expect(leech, "done")
            for node in self._nodes:
                node.stdin.close()
                node.wait(timeout=30)
            return usage, verify.differences(game, destination / game.name, only_files=True)
        finally:
            for node in self._nodes:
                if node.poll() is None:
                    node.kill()
                    node.wait()


class LibtorrentDefault(Libtorrent):
    """libtorrent's defaults: a hybrid torrent and default settings. Slow with many files."""
    name = "libtorrent-default"
    form, settings = "hybrid", "default"


ALL = {tool.name: tool for tool in (Peerd, Rsync, Libtorrent, LibtorrentDefault)}


def versions(names):
    """The versions of the compared tools."""
    from support import peerd
    found = {}
    if "peerd" in names:
        found["peerd"] = peerd.version()
    if "rsync" in names and shutil.which("rsync"):
        found["rsync"] = subprocess.run(["rsync", "--version"], capture_output=True, text=True,
                                        check=True).stdout.split("\n")[0]
    if {"libtorrent", "libtorrent-default"} & set(names):
        found["libtorrent"] = subprocess.run([PYTHON, "-c", "import libtorrent; print(libtorrent.__version__)"],
                                             capture_output=True, text=True, check=True).stdout.strip()
    return found
