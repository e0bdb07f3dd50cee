"""Starts daemons and controls them: over the control socket for waiting, with peerctl for what is measured."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERD = Path(os.environ.get("PEERD", ROOT / "build/release/bin/peerd")).resolve()
PEERCTL = Path(os.environ.get("PEERCTL", ROOT / "build/release/bin/peerctl")).resolve()


class Failed(Exception):
    """A tool failed; the message says how."""


def require_binaries():
    for binary in (PEERD, PEERCTL):
        if not os.access(binary, os.X_OK):
            raise SystemExit(f"{binary} is missing: run scripts/build, or set PEERD and PEERCTL")


def version():
    return subprocess.run([PEERD, "--version"], capture_output=True, text=True, check=True).stdout.strip()


class Daemon:
    """A peerd with its library, state and log below `home`. `command` wraps its command line (Lan.inside)."""

    def __init__(self, name, home, listen, peers=(), library=None, command=None):
        self.name = name
        self.home = Path(home)
        self.library = Path(library or self.home / "library")
        self.library.mkdir(parents=True, exist_ok=True)
        self.run = tempfile.TemporaryDirectory(prefix="peerd-bench-")  # socket paths must be short
        self.socket_path = Path(self.run.name, "socket")
        (self.home / "peerd.toml").touch()  # instead of the user's configuration
        line = [PEERD, "--config", self.home / "peerd.toml", "--library", self.library, "--state", self.home / "state",
                "--socket", self.socket_path, "--listen", listen, "--name", name, "--no-mdns", "--log-level", "info"]
        for peer in peers:
            line += ["--peer", peer]
        self.log_path = self.home / "log"
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(command(line) if command else list(map(str, line)), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self._connection = None

    @property
    def pid(self):
        return self.process.pid

    def call(self, method, **params):
        """Makes one JSON-RPC call. Raises OSError while the daemon does not answer yet."""
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self.socket_path))
            except OSError:
                connection.close()
                raise
            self._connection = connection.makefile("rwb")
            connection.close()  # the file object keeps it open
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._connection.write(json.dumps(request).encode() + b"\n")
        self._connection.flush()
        line = self._connection.readline()
        if not line:
            raise Failed(f"{self.name} closed its control socket\n{self.log_tail()}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(f"{self.name}: {method}: {reply['error']}")
        return reply["result"]

    def peerctl(self, *arguments):
        """The output of peerctl. Raises Failed if it fails."""
        done = subprocess.run([PEERCTL, "--socket", self.socket_path, *arguments], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failed(f"peerctl {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}"
                         f" {done.stdout.strip()[-500:]}\n{self.log_tail()}")
        return done.stdout

    def wait_until(self, what, condition, seconds, pause=0.05):
        """Polls condition(self). An OSError means "not yet"."""
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode} while we waited until {what}\n"
                             f"{self.log_tail()}")
            try:
                if condition(self):
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: gave up waiting until {what}\n{self.log_tail()}")
            time.sleep(pause)

    def games(self):
        return {game["id"]: game for game in self.call("games.list")["games"]}

    def ready(self, count=1):
        states = [game["local"]["state"] for game in self.games().values() if game["local"]]
        return states.count("ready") >= count

    def sees(self, game):
        return bool(self.games().get(game, {}).get("remote"))

    def listens_at(self):
        self.wait_until("it answers", lambda d: d.call("status"), 20)
        return self.call("status")["listen"][0]

    def log_tail(self, lines=15):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        """Sends SIGTERM and returns the seconds until the process has ended. Raises Failed if it does not end cleanly."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not stop within 15 s\n{self.log_tail()}") from None
        seconds = time.monotonic() - begin
        self.kill()
        if code != 0:
            raise Failed(f"{self.name} ended with {code}\n{self.log_tail()}")
        return seconds

    def kill(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.run.cleanup()
