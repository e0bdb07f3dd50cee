"""CPU time and memory of processes, from /proc."""
import os
import statistics
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process and its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def memory_bytes(pid, field):
    """RssAnon, VmHWM or another line of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def bytes_read(pid):
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    return 0


def stolen_seconds():
    """CPU time that the hypervisor gave to other machines, summed over all processors."""
    return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / TICKS


class Usage:
    """Measures named processes during a `with` block: seconds, cpu[name], peak_anon[name], peak_rss[name]."""

    PERIOD = 0.02

    def __init__(self, processes, memory=True):
        self.processes = processes
        self.memory = memory
        self.peak_anon = {}
        self.peak_rss = {}
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def _sample(self):
        while True:
            for name, pid in self.processes.items():
                try:
                    self.peak_anon[name] = max(self.peak_anon.get(name, 0), memory_bytes(pid, "RssAnon"))
                except OSError:
                    pass  # the process has ended; its owner notices
            if self._stop.wait(self.PERIOD):
                return

    def __enter__(self):
        for pid in self.processes.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM
        self._before = {name: cpu_seconds(pid) for name, pid in self.processes.items()}
        if self.memory:
            self._sampler.start()
        self._begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self._begin
        if self.memory:
            self._stop.set()
            self._sampler.join()
        if _[0] is not None:
            return  # the process may be gone
        self.cpu = {name: cpu_seconds(pid) - self._before[name] for name, pid in self.processes.items()}
        if self.memory:
            self.peak_rss = {name: memory_bytes(pid, "VmHWM") for name, pid in self.processes.items()}


def machine():
    cpus = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    return {"cpu": cpus[0] if cpus else os.uname().machine, "cores": len(os.sched_getaffinity(0)), "memory": memory,
            "kernel": os.uname().release}


def busy():
    """Share of the machine's processors in use, over half a second."""
    def idle():
        fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)
    before = idle()
    time.sleep(0.5)
    after = idle()
    return 1 - (after[0] - before[0]) / max(1, after[1] - before[1])


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None
