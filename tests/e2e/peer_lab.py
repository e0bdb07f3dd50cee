"""Shared by the end-to-end tests: daemons (on hosts of a small LAN if the tests run as root), commands, waiting.

A test is a function test_x(lab). It waits for a state, up to a limit, and never for a fixed time. Its Lab ends every process
that it starts, removes every file that it makes, and shows the daemons' logs if the test fails.
PEERD and PEERCTL name the programs under test.
"""

import collections
import contextlib
import json
import os
import random
import select
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PEERD = os.environ.get("PEERD", "peerd")
PEERCTL = os.environ.get("PEERCTL", "peerctl")
LAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lan", "lan")
PATIENCE = 60  # seconds: the limit for any single step on a busy machine


class Skipped(Exception):
    """This machine cannot run the test."""


def wait_for(what, condition, seconds=PATIENCE, pause=0.02):
    """Returns the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {seconds} s waiting until {what}")
        time.sleep(pause)


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error
        self.word = error.get("data", {}).get("code")


class Rpc:
    """A connection to the control socket. Events that arrive during calls are collected in `events`."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.buffer = b""
        self.events = collections.deque()
        self.last_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_line(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def read_line(self, seconds=PATIENCE):
        """Returns one JSON value, or None when the connection is closed."""
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no line within {seconds} s on the control socket")
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.last_id += 1
        self.send_line(json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        while True:
            answer = self.read_line()
            if answer is None:
                raise ConnectionError("the daemon closed the connection")
            if answer.get("method") == "event":
                self.events.append(answer["params"])
            elif answer["id"] == self.last_id:
                if "error" in answer:
                    raise RpcError(answer["error"])
                return answer["result"]


class EventLog:
    """Collects all events of one daemon run until the daemon ends."""

    def __init__(self, path):
        self.rpc = Rpc(path)
        self.rpc.call("events.subscribe", since=0)
        self.seen = list(self.rpc.events)
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError, AssertionError, ValueError):
            while (line := self.rpc.read_line(1e6)) is not None:
                self.seen.append(line["params"])
        self.ended.set()

    def names(self, *only):
        return [e["event"] for e in self.seen if not only or e["event"] in only]

    def wait(self, name, seconds=PATIENCE, count=1):
        wait_for(f"event {name} ({count})", lambda: len(self.names(name)) >= count, seconds)
        return [e for e in self.seen if e["event"] == name][count - 1]


class Host:
    """A test host: its address, and how to run a program on it. The default is this machine's loopback interface."""

    def __init__(self, namespace=None, address="127.0.0.1"):
        self.namespace, self.address = namespace, address

    def command(self, arguments):
        # Not "ip netns exec", because it would also change the mounts.
        return [*(["nsenter", f"--net=/run/netns/{self.namespace}"] if self.namespace else []), *arguments]


class Lan:
    """One subnet of `count` hosts. `routed`: two such subnets with a router between them."""

    def __init__(self, count, mtu, routed=False):
        if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nft", "tc", "ethtool", "nsenter"))):
            raise Skipped("network namespaces need root, iproute2, nftables and ethtool")
        self.name = "p" + "".join(random.choices(string.ascii_lowercase, k=4))
        try:
            self.run(*(["routed", str(count)] if routed else ["up", str(count), str(mtu)]))
        except AssertionError as error:
            self.run("down")
            raise Skipped(f"cannot create network namespaces: {error}") from None
        def address(i):
            return f"10.77.{(1 if i <= count else 2) if routed else 0}.{i}"
        self.hosts = [Host(f"{self.name}{i}", address(i)) for i in range(1, (2 * count if routed else count) + 1)]

    def run(self, command, *arguments):
        done = subprocess.run([LAN, command, self.name, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"lan {command}: {done.stderr.strip()}"


class Daemon:
    def __init__(self, lab, name, host=None, peers=(), config="", arguments=(), listen=None, mdns=None):
        """`mdns`: the address of the D-Bus system bus with avahi-daemon. None: the daemon runs without mDNS."""
        self.mdns = mdns
        self.lab, self.name, self.host = lab, name, host or Host()
        self.directory = os.path.join(lab.directory, name)
        self.library = os.path.join(self.directory, "games")
        self.state = os.path.join(self.directory, "state")
        self.socket = os.path.join(lab.directory, name + ".sock")
        self.log = os.path.join(self.directory, "log")
        os.makedirs(self.library, exist_ok=True)
        self.config = os.path.join(self.directory, "peerd.toml")
        with open(self.config, "w") as file:
            file.write(config)
        port = ":24747" if self.host.namespace else ":0"
        self.listen = listen or self.host.address + port
        self.peers, self.arguments = list(peers), list(arguments)
        self.process = None
        lab.daemons.append(self)

    def command(self):
        peers = [word for peer in self.peers for word in ("--peer", getattr(peer, "address", peer))]
        return self.host.command([PEERD, "--config", self.config, "--library", self.library, "--state", self.state,
                                  "--socket", self.socket, "--listen", self.listen, "--name", self.name,
                                  *([] if self.mdns else ["--no-mdns"]), *peers, *self.arguments])

    def start(self):
        """Returns when the daemon answers commands."""
        with open(self.log, "a") as log:
            env = dict(self.lab.env, DBUS_SYSTEM_BUS_ADDRESS=self.mdns) if self.mdns else self.lab.env
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stderr=log, env=env)
        wait_for(f"{self.name} answers", self._answers)
        return self

    def _answers(self):
        assert self.process.poll() is None, f"{self.name} ended with exit code {self.process.returncode}"
        with contextlib.suppress(OSError, ConnectionError):
            with Rpc(self.socket) as rpc:
                return rpc.call("status")["pid"] == self.process.pid
        return False

    @property
    def address(self):
        """The address at which other peers reach it."""
        return self.call("status")["listen"][0] if self.listen.endswith(":0") else self.listen

    @property
    def pid(self):
        return self.process.pid

    def rpc(self):
        return Rpc(self.socket)

    def call(self, method, **params):
        with self.rpc() as rpc:
            return rpc.call(method, **params)

    def events(self):
        return EventLog(self.socket)

    def ctl(self, *arguments, code=0, seconds=PATIENCE):
        """Runs peerctl until it exits. `code`: the expected exit code; None: any."""
        command = [PEERCTL, "--socket", self.socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=self.lab.env,
                              stdin=subprocess.DEVNULL)
        if code is not None:
            assert done.returncode == code, (f"peerctl {' '.join(arguments)}: exit code {done.returncode}, not {code}\n"
                                             f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def ctl_json(self, *arguments, **options):
        return json.loads(self.ctl("--json", *arguments, **options).stdout)

    def start_ctl(self, *arguments):
        """Starts peerctl without waiting for it."""
        process = subprocess.Popen([PEERCTL, "--socket", self.socket, *arguments], stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.lab.env)
        self.lab.processes.append(process)
        return process

    def game(self, game):
        return next((g for g in self.call("games.list")["games"] if g["id"] == game), None)

    def local_state(self, game):
        found = self.game(game)
        return found and found["local"] and found["local"]["state"]

    def wait_ready(self, *games, seconds=PATIENCE):
        for game in games:
            wait_for(f"{self.name} offers {game}", lambda: self.local_state(game) == "ready", seconds)

    def wait_remote(self, *games, seconds=PATIENCE):
        for game in games:
            wait_for(f"{self.name} sees {game} at a peer", lambda: (self.game(game) or {}).get("remote"), seconds)

    def download(self, game):
        return next((d for d in self.call("downloads.list")["downloads"] if d["game"] == game), None)

    def wait_bytes(self, game, bytes_done):
        """Waits until the running download has that many bytes. Earlier downloads do not count."""
        def enough():
            rows = rpc.call("downloads.list")["downloads"]
            return any(d["game"] == game and d["state"] == "downloading" and d["bytes_done"] >= bytes_done for d in rows)
        with self.rpc() as rpc:
            wait_for(f"{self.name} has {bytes_done} bytes of {game}", enough, pause=0.005)

    def path(self, *parts):
        return os.path.join(self.library, *parts)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, number=signal.SIGTERM):
        """Stops the daemon cleanly. Returns the seconds that it took."""
        begin = time.monotonic()
        self.send_signal(number)
        code = self.process.wait(timeout=PATIENCE)
        assert code == 0, f"{self.name}: exit code {code} after {signal.Signals(number).name}"
        return time.monotonic() - begin


class Lab:
    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f"peerd-{name}-", dir="/tmp")
        self.daemons, self.processes, self.lans = [], [], []
        hidden = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "PEERD_SOCKET",
                  "NOTIFY_SOCKET")
        self.env = {k: v for k, v in os.environ.items() if k not in hidden}
        self.env.update(HOME=self.directory, XDG_RUNTIME_DIR=self.directory, LC_ALL="C.UTF-8")

    def lan(self, count, mtu=1500, routed=False):
        self.lans.append(Lan(count, mtu, routed))
        return self.lans[-1]

    def daemon(self, name, **options):
        return Daemon(self, name, **options)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def close(self, failed):
        for process in [*self.processes, *(d.process for d in self.daemons if d.process)]:
            if process.poll() is None:
                process.kill()
            process.wait()
        if failed:
            for daemon in self.daemons:
                show_log(daemon)
        for lan in self.lans:
            lan.run("down")
        shutil.rmtree(self.directory, ignore_errors=True)


def show_log(daemon):
    with contextlib.suppress(OSError), open(daemon.log, errors="replace") as file:
        lines = file.readlines()
        print(f"--- {daemon.name}'s log, the last 80 of {len(lines)} lines\n", *lines[-80:], sep="", file=sys.stderr)


def main(tests):
    """Runs the tests named in argv, or all. Exits with 77 if this machine can run none of them."""
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    outcomes = collections.Counter()
    for test in tests:
        begin = time.monotonic()
        lab = Lab(os.path.basename(sys.argv[0]).removeprefix("test_"))
        outcome = "FAILED"
        try:
            test(lab)
            outcome = "passed"
        except Skipped as reason:
            outcome = "skipped"
            print(f"{test.__name__}: {reason}")
        except Exception:
            traceback.print_exc()
        finally:
            lab.close(outcome == "FAILED")
        print(f"{outcome} {test.__name__} {time.monotonic() - begin:.1f} s")
        outcomes[outcome] += 1
    sys.exit(1 if outcomes["FAILED"] else 0 if outcomes["passed"] else 77)
