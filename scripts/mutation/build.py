"""Builds the test programs with every mutant in them, in build/mutate. Does not change the tree.

build/mutate/src is a copy of the tree. A file there is written only if its content changes, so that a second build is
incremental. Mutants that do not compile are dropped, and remembered until their file changes.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import zlib

from . import sites as finding

DIRECTORIES = ("runtime", "library", "staging", "access", "transfer", "sessions", "downloads", "node")
SUITES = ("unit_runtime", "contract_runtime", "unit_library", "unit_staging", "unit_access", "unit_transfer", "unit_sessions", "unit_downloads", "unit_node", "contract_store", "contract_net", "property_protocol",
          "property", "sim")
ERROR = re.compile(r"^(?:\S*/)?libpeer/(\S+?):(\d+):\d+:", re.M)

HEADER = """// A switch for each mutant. The environment variable PEERD_MUTANT names the one that is on.
#pragma once
extern const int peer_mutant_active;
extern bool peer_mutant_reached(int id) noexcept;
inline bool peer_mutant(int id) noexcept {
  if (peer_mutant_active == 0) [[likely]] return false;
  if (peer_mutant_active > 0) return peer_mutant_active == id;
  return peer_mutant_reached(id);
}
"""
SWITCH = """#include "libpeer/base/mutant.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace {
// The mutants that were reached, in a mapped file that survives an abort and is shared with child processes.
constexpr unsigned kSlots = 1 << 16;
std::atomic<int>* reached = nullptr;

int active() {
  const char* wanted = std::getenv("PEERD_MUTANT");
  if (wanted == nullptr) return 0;
  if (std::strcmp(wanted, "record") != 0) return std::atoi(wanted);
  const char* name = std::getenv("PEERD_MUTANTS_REACHED");
  const int file = name == nullptr ? -1 : open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0 || ftruncate(file, kSlots * sizeof(int)) != 0) std::abort();
  void* table = mmap(nullptr, kSlots * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (table == MAP_FAILED) std::abort();
  reached = static_cast<std::atomic<int>*>(table);
  return -1;
}
}  // namespace

const int peer_mutant_active = active();

bool peer_mutant_reached(int id) noexcept {
  for (unsigned slot = static_cast<unsigned>(id) * 2654435761u >> 16;; slot = (slot + 1) % kSlots) {
    int held = reached[slot].load(std::memory_order_relaxed);
    if (held == id) return false;
    if (held == 0 && (reached[slot].compare_exchange_strong(held, id) || held == id)) return false;
  }
}
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def write_if_changed(path, text):
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Build:
    def __init__(self, root, jobs, headers):
        self.root, self.jobs, self.headers = root, jobs, headers
        self.work = root / "build/mutate"
        self.source = self.work / "src"
        self.out = self.source / "build/dev"  # as in the tree, so that ccache hits for files without mutants
        self.bin = self.out / "bin"
        self.sites = []

    def prepare(self):
        """Copies the tree, finds the mutants and builds. Sets `sites` to the mutants that compile."""
        self.copy()
        self.configure()
        found = self.find()
        self.number(found)
        self.compile(found)

    def copy(self):
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=self.root, check=True,
                                capture_output=True).stdout.decode().split("\0")
        names = {n for n in listed if n and (self.root / n).is_file()}
        for name in names:
            if self.mutated(name):
                continue  # compile() writes it, with its mutants
            target = self.source / name
            content = (self.root / name).read_bytes()
            if not target.exists() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.root / name, target)
                os.utime(target)
        for name in names:
            if self.mutated(name) and not (self.source / name).exists():
                (self.source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.root / name, self.source / name)
        write_if_changed(self.source / "libpeer/base/mutant.h", HEADER)
        write_if_changed(self.source / "libpeer/base/mutant.cc", SWITCH)
        kept = names | {"libpeer/base/mutant.h", "libpeer/base/mutant.cc"}
        for path in self.source.rglob("*"):
            name = str(path.relative_to(self.source))
            if not name.startswith("build/") and name != "build" and not path.is_dir() and name not in kept:
                path.unlink()
        self.names = sorted(n for n in names if self.mutated(n))

    def mutated(self, name):
        parts = name.split("/")
        return len(parts) == 3 and parts[0] == "libpeer" and parts[1] in DIRECTORIES and parts[2].endswith((".cc", ".h") if self.headers else ".cc")

    def configure(self):
        deps = self.source / "build/deps"
        if not deps.is_symlink():
            deps.parent.mkdir(parents=True, exist_ok=True)
            deps.symlink_to(self.root / "build/deps")
        script = "source scripts/lib; choose_compiler; cmake --preset dev"
        run = subprocess.run(["bash", "-c", script], cwd=self.source, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"scripts/mutate: cmake failed:\n{run.stdout}{run.stderr}")

    def arguments(self):
        """The compiler arguments for libclang, by file. A header gets those of a source file in its directory."""
        commands = json.loads((self.out / "compile_commands.json").read_text())
        by_file, by_directory = {}, {}
        for command in commands:
            words = shlex.split(command["command"])
            start = next(i for i, w in enumerate(words) if "clang" in os.path.basename(w) or w.endswith("++"))
            kept = [w for i, w in enumerate(words[start + 1:], start + 1)
                    if w not in ("-c", "-o", command["file"]) and words[i - 1] != "-o" and not w.startswith("-W")]
            kept = [w.replace(f"-I{self.source}/libpeer", f"-I{self.root}/libpeer") for w in kept]
            name = str(pathlib.Path(command["file"]).relative_to(self.source)) if command["file"].startswith(str(self.source)) else ""
            by_file[name] = kept
            by_directory[os.path.dirname(name)] = kept
        return {n: by_file.get(n) or by_directory[os.path.dirname(n)] for n in self.names}

    def find(self):
        arguments = self.arguments()
        tool = pathlib.Path(finding.__file__).read_text()
        found = []
        with concurrent.futures.ProcessPoolExecutor(self.jobs) as pool:
            jobs = [pool.submit(finding.cached_sites, n.removeprefix("libpeer/"), self.root / n, arguments[n], self.work / "sites", tool)
                    for n in self.names]
            for job in jobs:
                found += job.result()
        return found

    @staticmethod
    def number(found):
        """Numbers mutants by file and position, so that a change in one file does not renumber the others."""
        bases, taken, count = {}, set(), {}
        for site in found:
            if site.file not in bases:
                base = (zlib.crc32(site.file.encode()) & 0x7ffff) + 1
                while base in taken:
                    base += 1
                taken.add(base)
                bases[site.file] = base
            count[site.file] = count.get(site.file, -1) + 1
            site.id = bases[site.file] * 2048 + count[site.file]
            if count[site.file] >= 2048:
                raise SystemExit(f"scripts/mutate: {site.file} has more than 2048 mutants: split it")

    def compile(self, found):
        remembered = self.work / "dropped.json"
        dropped = json.loads(remembered.read_text()) if remembered.exists() else {}
        states = {n.removeprefix("libpeer/"): hashlib.sha256((self.root / n).read_bytes()).hexdigest() for n in self.names}
        out = {name: set(entry["keys"]) for name, entry in dropped.items() if states.get(name) == entry["state"]}
        for attempt in range(8):
            by_file = {}
            for site in found:
                by_file.setdefault(site.file, [])
                if site.key not in out.get(site.file, ()):
                    by_file[site.file].append(site)
            for name in self.names:
                short = name.removeprefix("libpeer/")
                source = (self.root / name).read_text()
                chosen = by_file.get(short)
                write_if_changed(self.source / name, finding.instrumented(source, chosen) if chosen else source)
            say(f"mutate: building the tests with {sum(map(len, by_file.values()))} mutants in them" + (f" (attempt {attempt + 1})" if attempt else ""))
            run = subprocess.run(["ninja", "-C", str(self.out), "-k", "0", "-j", str(self.jobs), *self.targets()], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
            (self.work / "build.log").write_text(run.stdout)
            if run.returncode == 0:
                break
            faults = self.faults(run.stdout)
            before = sum(map(len, out.values()))
            for name, lines in faults.items():
                at_fault = [s for s in by_file.get(name, ()) if any(s.line <= line <= s.last_line for line in lines)]
                if attempt >= 4 or not at_fault:
                    at_fault = by_file.get(name, [])
                out.setdefault(name, set()).update(s.key for s in at_fault)
            remembered.write_text(json.dumps({n: {"state": states[n], "keys": sorted(k)} for n, k in out.items() if n in states}))
            if sum(map(len, out.values())) == before:
                raise SystemExit(f"scripts/mutate: the build failed and no mutant is at fault: see {self.work / 'build.log'}")
        else:
            raise SystemExit(f"scripts/mutate: the build keeps failing: see {self.work / 'build.log'}")
        self.sites = [s for s in found if s.key not in out.get(s.file, ())]
        self.dropped = [s for s in found if s.key in out.get(s.file, ())]

    def targets(self):
        known = subprocess.run(["ninja", "-C", str(self.out), "-t", "targets", "all"], capture_output=True, text=True).stdout
        self.suites = [s for s in SUITES if re.search(rf"^{s}: phony", known, re.M) or re.search(rf"^bin/{s}:", known, re.M)]
        return self.suites

    @staticmethod
    def faults(log):
        """The lines, by file, that have an error or from which the failing code was instantiated."""
        faults, block = {}, []
        for line in log.splitlines():
            place = ERROR.match(line)
            if not place:
                continue
            block.append((place.group(1), int(place.group(2)), ": error:" in line or ": fatal error:" in line, ": note:" in line))
        in_error = False
        for name, line, error, note in block:
            in_error = error or (in_error and note)
            if error:
                faults.setdefault(name, set()).add(line)
        return faults
