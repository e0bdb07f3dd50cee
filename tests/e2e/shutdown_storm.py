"""Stops a busy daemon at random moments, in many situations.

Three hosts: the victim, which is stopped again and again; a source, which has games for it; and a sink, which fetches from it.
"""

import dataclasses
import datetime
import os
import random
import select
import shutil
import signal
import subprocess
import time

from peer_lab import wait_for
from trees import write_big_file

CONFIG = 'library.settle = "100ms"\nliveness.ping = "300ms"\nliveness.lost = "1500ms"\ndownloads.reserve = "0"\n'
RATE = 1000  # Mbit/s
BIG = 400 << 20
SMALL = 150 << 20
DISK = 200 << 20  # size of the disk that gets full
UNHASHED = 2 << 30
CUT = """table inet storm {
  chain arriving {
    type filter hook input priority 0
    iifname "eth0" drop
  }
  chain leaving {
    type filter hook output priority 0
    oifname "eth0" drop
  }
}
"""


@dataclasses.dataclass
class Outcome:
    situation: str
    seconds: float = 0.0
    code: int = 0
    goodbyes: list = dataclasses.field(default_factory=list)  # seconds until the Goodbye, one for each connected peer
    missing: list = dataclasses.field(default_factory=list)  # peers that received no Goodbye
    abandoned: list = dataclasses.field(default_factory=list)  # log lines about abandoned work
    other: str = ""

    def problem(self, seconds, goodbye_seconds):
        """Describes what went wrong. Empty if nothing did."""
        found = [self.other] if self.other else []
        if self.code != 0:
            found.append(f"exit code {self.code}")
        if self.seconds > seconds:
            found.append(f"took {self.seconds:.2f} s; {' | '.join(self.abandoned)}")
        found += [f"{peer} got no goodbye" for peer in self.missing]
        found += [f"a goodbye came after {s:.2f} s" for s in self.goodbyes if s > goodbye_seconds]
        return ", ".join(found)


class Stage:
    def __init__(self, lab, seed):
        self.lab, self.moments = lab, random.Random(seed)
        self.lan = lab.lan(3)
        self.lan.run("rate", str(RATE))
        victim, source, sink = self.lan.hosts
        options = {"config": CONFIG, "arguments": ["--log-level", "debug"]}
        self.source = lab.daemon("source", host=source, **options)
        self.sink = lab.daemon("sink", host=sink, peers=[victim, source], **options)
        self.victim = lab.daemon("victim", host=victim, peers=[source, sink], **options)
        self.full = lab.daemon("full", host=victim, peers=[source, sink], **options)
        write_big_file(self.source.path("big", "data"), BIG)
        write_big_file(self.source.path("small", "data"), SMALL, seed=2)
        write_big_file(self.victim.path("mine", "data"), BIG, seed=3)
        os.makedirs(self.victim.path("unhashed"))
        with open(self.victim.path("unhashed", "data"), "wb") as file:
            file.truncate(UNHASHED)
        self.source.start()
        self.sink.start()
        self.source.wait_ready("big", "small")
        self.logs = {"source": self.source.events(), "sink": self.sink.events()}
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "peerd-storm", self.full.library], check=True)
        self.victim.start()  # this run fills the hash cache
        self.victim.wait_ready("mine", "unhashed")
        self.victim.stop()

    def close(self):
        if self.full.process and self.full.process.poll() is None:
            self.full.kill()
        subprocess.run(["umount", "--lazy", self.full.library], check=False)

    def pause(self, longest):
        """Waits for a random time."""
        end = time.monotonic() + self.moments.uniform(0, longest)
        wait_for("a random time has passed", lambda: time.monotonic() >= end, pause=0.001)

    def on_victims_host(self, *command, text=None):
        subprocess.run(self.victim.host.command(command), check=True, capture_output=True, text=True, input=text)

    def clean(self, daemon):
        """Removes everything that was fetched."""
        for name in ("big", "small", *(["mine"] if daemon is self.sink else [])):
            shutil.rmtree(daemon.path(name), ignore_errors=True)
        shutil.rmtree(daemon.path(".peerd"), ignore_errors=True)
        if daemon is self.full and os.path.exists(daemon.path("filler")):
            os.remove(daemon.path("filler"))

    def begin(self, daemon, game):
        daemon.wait_remote(game)
        daemon.call("downloads.start", game=game)
        daemon.wait_bytes(game, 1)


def hashing(stage):
    then = time.time() - stage.moments.randrange(1000, 1_000_000)
    os.utime(stage.victim.path("unhashed", "data"), (then, then))
    stage.victim.start()
    wait_for("the victim hashes", lambda: stage.victim.local_state("unhashed") == "hashing", pause=0.002)
    stage.pause(0.4)


def handshaking(stage):
    # At this rate a handshake takes about 0.25 s.
    stage.on_victims_host("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", "250kbit", "burst", "1600",
                          "latency", "2s")
    stage.victim.start()
    stage.pause(0.25)


def sending(stage):
    stage.victim.start()
    stage.begin(stage.sink, "mine")
    stage.pause(1)


def receiving(stage):
    stage.victim.start()
    stage.begin(stage.victim, "big")
    stage.pause(1)


def network_cut(stage):
    stage.victim.start()
    stage.begin(stage.victim, "big")
    stage.on_victims_host("nft", "-f", "-", text=CUT)
    stage.pause(1.4)


def disk_full(stage):
    stage.full.start()
    stage.begin(stage.full, "small")
    info = os.statvfs(stage.full.library)
    with open(stage.full.path("filler"), "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, info.f_bavail * info.f_frsize - (8 << 20)))
        except OSError:
            pass  # the disk was full earlier
    stage.pause(0.6)


def peerctl_attached(stage):
    stage.victim.start()
    stage.victim.wait_remote("big")
    stage.attached = [stage.victim.start_ctl("download", "big"), stage.victim.start_ctl("events"),
                      stage.victim.start_ctl("--json", "download", "nowhere", "--wait", "5m")]
    stage.victim.wait_bytes("big", 1)
    stage.pause(1)


SITUATIONS = [hashing, handshaking, sending, receiving, network_cut, disk_full, peerctl_attached]


def event_time(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def of_victim(log, name):
    return [e for e in list(log.seen) if e.get("name") == name and
            e["event"] in ("PeerConnected", "PeerGoodbye", "PeerLost")]


def stop(daemon):
    """Returns (wall-clock time of the signal, seconds until the exit, exit code)."""
    watch = os.pidfd_open(daemon.pid)
    try:
        told, begin = time.time(), time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        ended = select.select([watch], [], [], 30)[0]
        seconds = time.monotonic() - begin
    finally:
        os.close(watch)
    if not ended:
        daemon.kill()
    return told, seconds, daemon.process.wait()


def check_goodbyes(stage, outcome, name, told):
    for peer, log in stage.logs.items():
        before = [e for e in of_victim(log, name) if event_time(e) < told]
        if not before or before[-1]["event"] != "PeerConnected":
            continue
        def left():
            return [e for e in of_victim(log, name)[len(before):] if e["event"] != "PeerConnected"]
        try:
            first = wait_for("the peer has left", left, seconds=4)[0]
        except AssertionError:
            outcome.missing.append(peer)
            continue
        if first["event"] == "PeerGoodbye":
            outcome.goodbyes.append(max(0.0, event_time(first) - told))
        else:
            outcome.missing.append(f"{peer} ({first['event']})")


def once(stage, situation):
    outcome = Outcome(situation.__name__)
    stage.attached = []
    victim = stage.full if situation is disk_full else stage.victim
    begin_of_log = os.path.getsize(victim.log) if os.path.exists(victim.log) else 0
    situation(stage)
    told, outcome.seconds, outcome.code = stop(victim)
    if situation is network_cut:
        stage.on_victims_host("nft", "delete", "table", "inet", "storm")
    else:
        check_goodbyes(stage, outcome, victim.name, told)
    if situation is handshaking:
        stage.lan.run("rate", str(RATE))
    for process in stage.attached:
        if "events" in process.args:
            process.kill()  # otherwise it waits for the next start
        elif (code := process.wait(timeout=10)) != 3:
            outcome.other = f"peerctl {process.args[3:]} ended with {code}: {process.communicate()}"
        process.communicate()
    with open(victim.log, errors="replace") as file:
        file.seek(begin_of_log)
        outcome.abandoned = [line.strip() for line in file if "abandoned" in line or "ended now" in line]
    for peer in (stage.source, stage.sink):
        wait_for(f"{peer.name} is no longer connected to the victim", lambda: not [
            p for p in peer.call("peers.list")["peers"] if p["name"] == victim.name and p["state"] == "connected"])
    for each in stage.sink.call("downloads.list")["downloads"]:
        if each["state"] in ("queued", "downloading", "verifying"):
            stage.sink.call("downloads.cancel", game=each["game"])
    stage.clean(victim)
    stage.clean(stage.sink)
    return outcome


def run(lab, rounds, seed, report=lambda outcome: None, only=()):
    """Makes that many stops, in all situations in turn or only in the named ones. Returns their outcomes."""
    outcomes = []
    situations = [s for s in SITUATIONS if not only or s.__name__ in only]
    stage = Stage(lab, seed)
    try:
        for i in range(rounds):
            outcomes.append(once(stage, situations[i % len(situations)]))
            report(outcomes[-1])
    finally:
        stage.close()
    return outcomes


def distribution(values):
    """In milliseconds: minimum, median, 90th and 99th percentile, maximum."""
    values = sorted(values)
    if not values:
        return ["–"] * 5
    picks = [0] + [min(len(values) - 1, int(q * len(values))) for q in (0.5, 0.9, 0.99)] + [-1]
    return [f"{values[i] * 1000:.0f}" for i in picks]


def table(outcomes):
    """A Markdown table of the durations of the stops, and of the delays until the peers received a Goodbye."""
    lines = ["| Situation | Stops | Least ms | Median | 90th of 100 | 99th of 100 | Longest | Goodbyes | Median ms | Longest |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name in [*(s.__name__ for s in SITUATIONS), "all"]:
        some = [o for o in outcomes if name in (o.situation, "all")]
        if not some:
            continue
        goodbyes = [s for o in some for s in o.goodbyes]
        told = distribution(goodbyes)
        lines.append(f"| {name.replace('_', ' ')} | {len(some)} | {' | '.join(distribution([o.seconds for o in some]))} | "
                     f"{len(goodbyes)} | {told[1]} | {told[4]} |")
    return "\n".join(lines)
