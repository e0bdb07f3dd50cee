"""Two hosts of a small LAN, as network namespaces on a bridge in a third namespace, so that the rest of this machine is not
changed. Needs root."""
import os
import subprocess
from pathlib import Path

PREFIX = "peerd-bench-"


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


class Lan:
    """hosts[0] and hosts[1] are the namespaces, and `addresses` their addresses."""

    def __init__(self, mtu=1500):
        remove_left_over()
        name = f"{PREFIX}{os.getpid()}"
        self.switch = f"{name}-lan"
        self.hosts = [f"{name}-a", f"{name}-b"]
        self.addresses = ["10.77.0.1", "10.77.0.2"]
        try:
            self._make(mtu)
        except subprocess.CalledProcessError as error:
            self.close()
            raise SystemExit(f"cannot make network namespaces (are you root?): {error.stderr.strip()}") from None

    def _make(self, mtu):
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "bridge", "mtu", str(mtu), "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "bridge", "up")
        for i, (host, address) in enumerate(zip(self.hosts, self.addresses)):
            run("ip", "netns", "add", host)
            run("ip", "-n", self.switch, "link", "add", f"port{i}", "mtu", str(mtu), "type", "veth",
                "peer", "name", "eth0", "mtu", str(mtu), "netns", host)
            run("ip", "-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            run("ip", "-n", host, "link", "set", "lo", "up")
            run("ip", "-n", host, "link", "set", "eth0", "up")
            run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", host, "route", "add", "224.0.0.0/4", "dev", "eth0")

    def inside(self, host, command):
        """The command line that runs `command` on host 0 or 1. It replaces itself, so the pid is that of the command."""
        return ["ip", "netns", "exec", self.hosts[host], *map(str, command)]

    def close(self):
        for namespace in [*self.hosts, self.switch]:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)


def remove_left_over():
    """Removes the namespaces of runs that were killed."""
    for path in Path("/run/netns").glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).split("-")[0]
        if not Path("/proc", owner).exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False)
