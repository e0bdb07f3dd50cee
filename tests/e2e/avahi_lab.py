"""Hosts with mDNS: each has its own D-Bus system bus and avahi-daemon, which can be killed, stopped and restarted.

Daemons find the bus by DBUS_SYSTEM_BUS_ADDRESS. avahi-daemon runs in its own mount namespace, because its paths in /run are fixed.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from peer_lab import Skipped, wait_for

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow receive_sender="*"/><allow send_type="method_call"/></policy></busconfig>
"""
AVAHI = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=yes
ratelimit-interval-usec=1000000
ratelimit-burst=1000
[publish]
publish-workstation=no
publish-hinfo=no
[wide-area]
enable-wide-area=no
"""


class Avahi:
    """The D-Bus system bus and avahi-daemon of one host."""

    def __init__(self, lab, host):
        if not all(map(shutil.which, ("dbus-daemon", "avahi-daemon", "unshare"))):
            raise Skipped("mDNS needs dbus-daemon, avahi-daemon and unshare")
        self.lab, self.host = lab, host
        self.directory = lab.path("mdns-" + host.namespace)
        os.makedirs(self.directory)
        self.bus = os.path.join(self.directory, "bus")
        self.address = "unix:path=" + self.bus
        self._write("bus.conf", BUS.format(socket=self.bus))
        self._write("avahi.conf", AVAHI.format(name=host.namespace))
        self.dbus = self.avahi = None
        # Its log is shown with those of the daemons if the test fails.
        self.process, self.name = None, "avahi-daemon of " + host.namespace
        self.log = os.path.join(self.directory, "unshare.log")
        lab.daemons.append(self)

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    def _start(self, command):
        log = os.path.join(self.directory, os.path.basename(command[0]) + ".log")
        env = dict(self.lab.env, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        with open(log, "a") as file:
            process = subprocess.Popen(self.host.command(command), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)
        self.lab.processes.append(process)
        return process

    def start_dbus(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.bus)
        self.dbus = self._start(["dbus-daemon", "--config-file=" + os.path.join(self.directory, "bus.conf"), "--nofork",
                                 "--nopidfile"])
        wait_for("dbus-daemon listens", self._bus_answers)  # otherwise avahi-daemon exits at once

    def _bus_answers(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(self.bus)
            return True
        return False

    def bus_objects(self):
        """Counts the connections, names and match rules on the bus. None if this dbus-daemon has no statistics."""
        answer = subprocess.run(["dbus-send", "--bus=" + self.address, "--print-reply", "--dest=org.freedesktop.DBus",
                                 "/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats.GetStats"],
                                capture_output=True, text=True, env=self.lab.env).stdout
        found = dict(re.findall(r'string "(ActiveConnections|BusNames|MatchRules)"\s+variant\s+uint32 (\d+)', answer))
        return {name: int(count) for name, count in found.items()} or None

    def start_avahi(self):
        script = ('mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && '
                  f'exec avahi-daemon -f {self.directory}/avahi.conf --no-drop-root --no-chroot --no-rlimits')
        self.avahi = self._start(["unshare", "--mount", "--propagation", "private", "sh", "-c", script])

    def start(self):
        self.start_dbus()
        self.start_avahi()
        return self

    def kill_avahi(self):
        self.avahi.kill()
        self.avahi.wait()

    def kill_dbus(self):
        self.dbus.kill()
        self.dbus.wait()

    def pause(self):
        self.avahi.send_signal(signal.SIGSTOP)

    def resume(self):
        self.avahi.send_signal(signal.SIGCONT)


class MdnsLan:
    """A LAN of hosts with mDNS, with one daemon on each."""

    def __init__(self, lab, count, mdns=True):
        self.lab = lab
        self.lan = lab.lan(count)
        self.hosts = self.lan.hosts
        for host in self.hosts:
            host.avahi = Avahi(lab, host)
            if mdns:
                host.avahi.start()

    def daemon(self, name, host, **options):
        daemon = self.lab.daemon(name, host=host, mdns=host.avahi.address, listen="[::]:24747", **options)
        return daemon


def peers_of(daemon, state="connected"):
    """Returns the names of the peers in that state."""
    return {peer["name"] for peer in daemon.call("peers.list")["peers"] if peer["state"] == state}


def wait_peers(daemon, names, seconds=60):
    """Waits until exactly these peers are connected. Returns the seconds that it took."""
    begin = time.monotonic()
    wait_for(f"{daemon.name} sees {sorted(names)}", lambda: peers_of(daemon) == set(names), seconds)
    return time.monotonic() - begin
