"""A victim, honest peers and an attacker on this machine, for tests/hostile and bench/hostile.

The attacker runs with a quarter of one core where control groups allow that. HOSTILE names the program; PEERD and PEERCTL are
those of peer_lab.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import threading
import time

from peer_lab import Rpc, wait_for

HOSTILE = os.environ.get("HOSTILE", os.path.join(os.path.dirname(os.environ.get("PEERD", "peerd")), "hostile"))
SHARE = 0.25  # of one core
GAME = "honest"
CLOSED = "127.0.0.1:9"
CONFIG = 'library.settle = "300ms"\n'


class CpuShare:
    """A control group whose processes get SHARE of one core. `name` is None if this machine has none to give."""

    def __init__(self):
        self.name = self._first() or self._second()

    def _make(self, parent, file, value):
        path = os.path.join(parent, f"peerd-hostile-{os.getpid()}")
        try:
            os.mkdir(path)
            with open(os.path.join(path, file), "w") as limit:
                limit.write(value)
            return path
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(path)
            return None

    def _first(self):
        return os.path.isdir("/sys/fs/cgroup/cpu") and self._make("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", str(int(SHARE * 100000)))

    def _second(self):
        return os.path.exists("/sys/fs/cgroup/cgroup.controllers") and self._make("/sys/fs/cgroup", "cpu.max", f"{int(SHARE * 100000)} 100000")

    def enter(self):
        if self.name:
            with open(os.path.join(self.name, "cgroup.procs"), "w") as group:
                group.write("0")

    def close(self):
        if self.name:
            with contextlib.suppress(OSError):
                os.rmdir(self.name)


class Attacker:
    """One run of the program `hostile`. `share`: None, or the CpuShare that it runs in."""

    def __init__(self, lab, attack, target, seconds, share=None, **options):
        words = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([HOSTILE, attack, target, f"--seconds={seconds}", *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=share.enter if share else None)
        lab.processes.append(self.process)
        assert select.select([self.process.stdout], [], [], 60)[0], f"{attack} is not in place after 60 s"
        self.placed = json.loads(self.process.stdout.readline())

    def stop(self):
        """Ends the attack. Returns its figures, or nothing if it had to be killed."""
        self.process.terminate()
        try:
            out = self.process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            return {}
        lines = out.strip().splitlines()
        return json.loads(lines[-1]) if lines else {}


class Poller:
    """Calls `status` again and again, and samples the victim's anonymous memory."""

    def __init__(self, daemon, pause=0.02):
        self.daemon, self.pause = daemon, pause
        self.latencies, self.peak = [], 0
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self._call, self._sample)]
        for thread in self.threads:
            thread.start()

    def _call(self):
        while not self.ended.is_set():
            begin = time.monotonic()
            try:
                with Rpc(self.daemon.socket) as rpc:
                    rpc.call("status")
            except (OSError, AssertionError, ConnectionError):
                pass
            self.latencies.append(time.monotonic() - begin)
            time.sleep(self.pause)

    def _sample(self):
        while not self.ended.is_set():
            self.peak = max(self.peak, anonymous_memory(self.daemon))
            time.sleep(0.05)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(timeout=70)

    def quantile(self, q):
        values = sorted(self.latencies)
        return values[min(len(values) - 1, int(q * len(values)))] if values else 0


class Heartbeats:
    """The daemon's notifications to a service manager. Set `environment` when the daemon starts."""

    LIMIT = 1.0  # seconds: the watchdog's; the daemon beats four times as often

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(int(self.LIMIT * 1e6))}
        self.beats = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                if b"WATCHDOG=1" in self.socket.recv(4096):
                    self.beats.append(time.monotonic())

    def longest_gap(self, begin, end):
        inside = [begin, *[b for b in list(self.beats) if begin < b < end], end]
        return max(b - a for a, b in zip(inside, inside[1:]))

    def close(self):
        self.socket.close()


def anonymous_memory(daemon):
    """RssAnon in bytes; 0 if the daemon has ended."""
    with contextlib.suppress(OSError, StopIteration), open(f"/proc/{daemon.pid}/status") as file:
        return int(next(line for line in file if line.startswith("RssAnon")).split()[1]) * 1024
    return 0


def is_connected(daemon, name):
    return any(p["name"] == name and p["state"] == "connected" for p in daemon.call("peers.list")["peers"])


def time_to_connect(daemon, name, seconds):
    """Starts `daemon` and returns the seconds from its first answer until `name` is connected, or None."""
    daemon.start()
    begin = time.monotonic()
    try:
        wait_for(f"{daemon.name} is connected with {name}", lambda: is_connected(daemon, name), seconds)
        return time.monotonic() - begin
    except AssertionError:
        return None


def transfer(daemon, seconds, game=GAME):
    """Downloads a game. Returns its rate in bytes a second, and whether it was completed within `seconds`."""
    begin = time.monotonic()
    with daemon.rpc() as rpc:
        rpc.call("downloads.start", game=game)
        done = 0
        while time.monotonic() - begin < seconds:
            row = next((d for d in rpc.call("downloads.list")["downloads"] if d["game"] == game), None)
            if row:
                done = row["bytes_done"]
                if row["state"] in ("finished", "failed", "cancelled", "peers_gone"):
                    return done / (time.monotonic() - begin), row["state"] == "finished"
            time.sleep(0.01)
    return done / seconds, False
