"""Scenes in which peers find each other by mDNS. The sizes are small in the test, and those of the requirements in
bench/discovery. Each scene returns its measurements as {name: value}."""

import json
import os
import signal
import statistics
import subprocess
import threading
import time

from avahi_lab import MdnsLan, peers_of, wait_peers
from peer_lab import Rpc, wait_for
from trees import assert_same_tree, write_big_file

LOST = 5
CONFIG = f'library.settle = "200ms"\nliveness.ping = "1s"\nliveness.lost = "{LOST}s"\n'
JUNK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mdns_junk.py")


def memory_mib(daemon):
    with open(f"/proc/{daemon.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def wait_all_see_all(daemons, seconds=60):
    names = {d.name for d in daemons}
    for daemon in daemons:
        wait_peers(daemon, names - {daemon.name}, seconds)


def port_packets(net, i):
    """Returns what host i has sent so far."""
    out = subprocess.run(["ip", "-n", f"{net.lan.name}sw", "-j", "-s", "link", "show", f"port{i}"], capture_output=True,
                         text=True, check=True)
    return json.loads(out.stdout)[0]["stats64"]["rx"]["packets"]


def transfer(net, size, rate=None, config=CONFIG):
    """Starts a download from the first host's daemon to the second's."""
    sender = net.daemon("sender", net.hosts[0], config=config)
    receiver = net.daemon("receiver", net.hosts[1], config=config)
    write_big_file(sender.path("game", "big"), size)
    if rate:
        net.lan.run("rate", str(rate))
    for daemon in (sender, receiver):
        daemon.start()
    sender.wait_ready("game")
    receiver.wait_remote("game")
    return sender, receiver


def ten_hosts(lab, count=10, idle=0):
    net = MdnsLan(lab, count)
    wait_for("avahi-daemon runs everywhere", lambda: all("startup complete" in open(
        os.path.join(h.avahi.directory, "unshare.log")).read() for h in net.hosts))
    # Idle traffic is counted with the default settings.
    config, lost = ('library.settle = "200ms"\n', 25) if idle else (CONFIG, LOST)
    daemons = [net.daemon(f"peer{i}", host, config=config) for i, host in enumerate(net.hosts)]
    for daemon in daemons:
        daemon.start()
    begin = time.monotonic()
    wait_all_see_all(daemons)
    figures = {"all see all, seconds after the last start": time.monotonic() - begin}
    found_by = {f for d in daemons for p in d.call("peers.list")["peers"] for f in p["found_by"]}
    assert "mdns" in found_by, found_by

    if idle:
        time.sleep(30)  # mDNS repeats the first queries
        before = [port_packets(net, i + 1) for i in range(count)]
        time.sleep(idle)
        after = [port_packets(net, i + 1) for i in range(count)]
        sent = sum(after) - sum(before)
        figures[f"packets an hour that {count} idle peers send, from {idle} s"] = sent * 3600 / idle
        figures["of these an hour and peer"] = sent * 3600 / idle / count

    leaver, killed = daemons[-1], daemons[-2]
    rest = daemons[:-2]
    leaver.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    for daemon in (*rest, killed):
        wait_for(f"{leaver.name} is gone at {daemon.name}", lambda: leaver.name not in peers_of(daemon))
    figures["gone everywhere after SIGTERM, seconds"] = time.monotonic() - begin
    assert leaver.process.wait() == 0
    killed.kill()
    begin = time.monotonic()
    for daemon in rest:
        wait_for(f"{killed.name} is gone at {daemon.name}", lambda: killed.name not in peers_of(daemon))
    figures[f"gone everywhere after kill -9, seconds (liveness.lost {lost} s)"] = time.monotonic() - begin
    return figures


def two_on_one_host(lab):
    """Two peers with the same name on one host: their DNS-SD names collide. A third peer sees both."""
    net = MdnsLan(lab, 2)
    first = net.daemon("first", net.hosts[0], config=CONFIG)
    second = net.daemon("second", net.hosts[0], config=CONFIG)
    second.listen = "[::]:24748"
    other = net.daemon("other", net.hosts[1], config=CONFIG)
    for daemon in (first, second):
        daemon.name = "twin"
    for daemon in (first, second, other):
        daemon.start()
    ids = {d.call("status")["peer_id"] for d in (first, second)}
    begin = time.monotonic()
    wait_for("the third sees both twins", lambda: {p["peer_id"] for p in other.call("peers.list")["peers"]
                                                   if p["state"] == "connected"} == ids)
    wait_peers(first, {"twin", "other"})
    wait_peers(second, {"twin", "other"})
    return {"two of one name on one host and a third see each other, seconds": time.monotonic() - begin}


def before_avahi(lab):
    """A daemon that starts without D-Bus and avahi-daemon serves, logs once what is missing, and finds its peers when
    both start."""
    net = MdnsLan(lab, 2, mdns=False)
    early, late = (net.daemon(name, host, config=CONFIG) for name, host in zip(("early", "late"), net.hosts))
    early.start()
    complaint = "mDNS is unavailable"
    wait_for("the missing service is logged", lambda: complaint in open(early.log).read())
    time.sleep(3)
    assert open(early.log).read().count(complaint) == 1, "the missing service is logged repeatedly"
    services = {s["name"]: s for s in early.call("status")["services"]}
    assert services["Discovery"]["state"] == "running" and services["Discovery"]["restarts"] == 0, services
    assert "avahi-daemon" in services["Discovery"]["problem"], services
    doctor = early.ctl("doctor", code=1).stdout
    assert "avahi-daemon must run" in doctor and "peerctl connect" in doctor, doctor
    net.hosts[0].avahi.start_dbus()
    time.sleep(1)
    for host in net.hosts:
        if host.avahi.dbus is None:
            host.avahi.start_dbus()
        host.avahi.start_avahi()
    begin = time.monotonic()
    late.start()
    wait_all_see_all([early, late])
    took = time.monotonic() - begin
    assert open(early.log).read().count(complaint) == 1
    assert not any("problem" in s for s in early.call("status")["services"])
    # late's hello may arrive before early finds it by mDNS.
    wait_for("early's doctor counts late", lambda: "published; peers found here: 1" in early.ctl("doctor").stdout)
    doctor = early.ctl("doctor").stdout
    assert "WRONG" not in doctor, doctor
    return {"found, seconds after avahi-daemon's start": took}


class Rates:
    """Watches the receiver's progress. Returns the longest time without new data."""

    def __init__(self, receiver):
        self.receiver, self.stop = receiver, threading.Event()
        self.longest, self.slowest_status, self.statuses = 0.0, 0.0, []
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        with Rpc(self.receiver.socket) as rpc:
            last, since = -1, time.monotonic()
            while not self.stop.wait(0.05):
                begin = time.monotonic()
                rpc.call("status")
                now = time.monotonic()
                self.statuses.append(now - begin)
                rows = [d for d in rpc.call("downloads.list")["downloads"] if d["state"] == "downloading"]
                done = rows[0]["bytes_done"] if rows else None
                if done is None or done != last:
                    last, since = done, now
                elif now - since > self.longest:
                    self.longest = now - since

    def end(self):
        self.stop.set()
        self.thread.join()
        return {"longest pause of the transfer, seconds": self.longest,
                "status p99, ms": 1000 * statistics.quantiles(self.statuses, n=100)[-1] if len(self.statuses) > 2 else 0}


def restarts(lab, rounds=3, rate=40, both=True):
    """avahi-daemon and D-Bus are killed and restarted on the receiver's host during a download."""
    net = MdnsLan(lab, 3)
    seconds = rounds * 7 + 5
    sender, receiver = transfer(net, int(rate * 1e6 / 8 * seconds * 0.9), rate)
    witness = net.daemon("witness", net.hosts[2], config=CONFIG)
    avahi = net.hosts[1].avahi
    ctl = receiver.start_ctl("download", "game")
    receiver.wait_bytes("game", 1 << 20)
    rates = Rates(receiver)
    back, sizes, objects = [], [], None
    for turn in range(rounds):
        receivers_log = open(receiver.log).read().count("mDNS is available")
        avahi.kill_avahi()
        if both:
            avahi.kill_dbus()
            avahi.start_dbus()
        avahi.start_avahi()
        begin = time.monotonic()
        # After the restart, a daemon that has just started and the receiver find each other.
        wait_for("mDNS works again", lambda: open(receiver.log).read().count("mDNS is available") > receivers_log)
        witness.start()
        found = lambda d, other: any(p["name"] == other.name and "mdns" in p["found_by"] and p["state"] == "connected"  # noqa: E731
                                     for p in d.call("peers.list")["peers"])
        wait_for("the receiver finds it again", lambda: found(witness, receiver))
        back.append(time.monotonic() - begin)
        witness.stop()
        sizes.append((memory_mib(receiver), descriptors(receiver)))
        if turn == 0:
            objects = avahi.bus_objects()
    wait_for("the bus has as many entries as after the first restart", lambda: avahi.bus_objects() == objects)
    figures = {f"back after a restart, seconds: median of {rounds}": statistics.median(back), "worst": max(back)}
    out, err = ctl.communicate(timeout=600)
    assert ctl.returncode == 0, err
    figures |= rates.end()
    assert_same_tree(sender.path("game"), receiver.path("game"))
    figures["memory MiB after the first and the last"] = f"{sizes[0][0]:.1f} {sizes[-1][0]:.1f}"
    figures["descriptors after the first and the last"] = f"{sizes[0][1]} {sizes[-1][1]}"
    figures["at the bus after the first and the last"] = str(objects)
    return figures


def hung(lab, seconds=6, rate=100):
    """avahi-daemon is suspended on the receiver's host during a download. The daemon gets SIGTERM while a call hangs."""
    net = MdnsLan(lab, 2)
    sender, receiver = transfer(net, int(rate * 1e6 / 8 * (seconds + 8)), rate)
    ctl = receiver.start_ctl("download", "game")
    receiver.wait_bytes("game", 1 << 20)
    rates = Rates(receiver)

    def rate_over(span):
        first = receiver.download("game")["bytes_done"]
        begin = time.monotonic()
        time.sleep(span)
        return (receiver.download("game")["bytes_done"] - first) / (time.monotonic() - begin) / 1e6

    figures = {"MB/s before": rate_over(min(3, seconds))}
    net.hosts[1].avahi.pause()
    # The revision changes, so that the daemon calls avahi-daemon and the call hangs.
    write_big_file(receiver.path("own", "file"), 1 << 20, seed=3)
    figures["MB/s while it hangs"] = rate_over(seconds)
    figures |= rates.end()
    begin = time.monotonic()
    ctl.kill()
    receiver.stop()
    figures["SIGTERM while it hangs, seconds"] = time.monotonic() - begin
    net.hosts[1].avahi.resume()
    return figures


def interface_changes(lab, rate=60, down=2):
    """The interface of the receiver, then that of the sender, goes down and up. Then the address of each changes."""
    net = MdnsLan(lab, 2)
    sender, receiver = transfer(net, int(rate * 1e6 / 8 * 50), rate, config='library.settle = "200ms"\n')
    ctl = receiver.start_ctl("download", "game")
    receiver.wait_bytes("game", 1 << 20)
    figures = {}

    def resumed(what):
        done = receiver.download("game")["bytes_done"]
        begin = time.monotonic()
        wait_for(f"the download continues after {what}", lambda: receiver.download("game")["bytes_done"] > done + (2 << 20)
                 or receiver.download("game")["state"] == "finished")
        figures[f"goes on after {what}, seconds"] = time.monotonic() - begin

    def ip(host, *words):
        subprocess.run(["ip", "-n", host.namespace, *words], check=True)

    for host, who in ((net.hosts[1], "the receiver"), (net.hosts[0], "the sender")):
        ip(host, "link", "set", "eth0", "down")
        time.sleep(down)
        ip(host, "link", "set", "eth0", "up")
        ip(host, "route", "replace", "224.0.0.0/4", "dev", "eth0")
        resumed(f"{who}'s interface was down for {down} s")
    for number, (host, who) in enumerate(((net.hosts[1], "the receiver"), (net.hosts[0], "the sender"))):
        ip(host, "addr", "add", f"10.77.0.{50 + number}/24", "dev", "eth0")
        ip(host, "addr", "del", f"{host.address}/24", "dev", "eth0")
        ip(host, "addr", "replace", f"10.77.0.{50 + number}/24", "dev", "eth0")
        ip(host, "route", "replace", "224.0.0.0/4", "dev", "eth0")
        resumed(f"{who}'s address changed")
    net.lan.run("rate", "1000")  # the rest may run at full speed
    out, err = ctl.communicate(timeout=300)
    assert ctl.returncode == 0, err
    assert_same_tree(sender.path("game"), receiver.path("game"))
    return figures


def junk(lab, seconds=5, rate=1000):
    """During a flood of forged records, a known peer restarts and is found."""
    net = MdnsLan(lab, 3)
    alpha, beta = (net.daemon(name, host, config=CONFIG) for name, host in zip(("alpha", "beta"), net.hosts))
    for daemon in (alpha, beta):
        daemon.start()
    wait_all_see_all([alpha, beta])
    id_of_beta = beta.call("status")["peer_id"]
    before = memory_mib(alpha)
    attacker = net.hosts[2]
    flood = subprocess.Popen(attacker.command([JUNK, attacker.address, str(rate), str(seconds), id_of_beta]),
                             stdout=subprocess.PIPE, text=True)
    lab.processes.append(flood)
    time.sleep(seconds / 3)
    beta.stop()
    wait_peers(alpha, set())
    beta.start()
    figures = {"a known peer that restarts in the flood is found, seconds": wait_peers(alpha, {"beta"})}
    most = memory_mib(alpha)
    while flood.poll() is None:
        most = max(most, memory_mib(alpha))
        time.sleep(0.1)
    connected = {p["peer_id"] for p in alpha.call("peers.list")["peers"] if p["state"] == "connected"}
    assert connected == {id_of_beta}, connected
    figures |= {"forged records": int(flood.communicate()[0] or 0), "memory MiB before": before, "at most": most,
                "descriptors": descriptors(alpha)}
    assert most < before + 64, figures
    return figures


SCENES = [ten_hosts, two_on_one_host, before_avahi, restarts, hung, interface_changes, junk]
