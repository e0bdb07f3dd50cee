"""Runs test cases: once to record which mutants each reaches, then for each mutant those that reach it."""
import array
import concurrent.futures
import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

MEMORY = 6 << 30  # a mutant may allocate in an endless loop
FILE_SIZE = 2 << 30


def quoted(name):
    return re.sub(r'([\\,\[\]"*~])', r"\\\1", name)


def run_cases(program, cases, variables, timeout):
    """Returns (state, case). The state is passed, failed, crashed or hung; the case is the one that failed."""
    directory = tempfile.mkdtemp(prefix="peerd-mutate-")
    environment = {**os.environ, **variables, "TMPDIR": directory}
    out = os.path.join(directory, "out.xml")
    limited = ["prlimit", f"--as={MEMORY}", f"--fsize={FILE_SIZE}", "--core=0", str(program)]
    try:
        with open(out, "wb") as file:
            process = subprocess.Popen([*limited, ",".join(map(quoted, cases)), "--abort", "-r", "xml"], stdin=subprocess.DEVNULL,
                                       stdout=file, stderr=subprocess.DEVNULL, env=environment, start_new_session=True, cwd=directory)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = None
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        if status == 0:
            return "passed", ""
        names = re.findall(rb'<TestCase name="([^"]*)"', open(out, "rb").read())
        case = html.unescape(names[-1].decode()) if names else (cases[0] if len(cases) == 1 else "")
        return "hung" if status is None else "failed" if 0 < status < 128 and names else "crashed", case
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", directory], capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)


def cases_of(program):
    listed = subprocess.run([str(program), "--list-tests", "-v", "quiet"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.strip()]


def cover(program, case):
    with tempfile.NamedTemporaryFile(prefix="peerd-reached-") as table:
        begun = time.monotonic()
        state, _ = run_cases(program, [case], {"PEERD_MUTANT": "record", "PEERD_MUTANTS_REACHED": table.name}, 300)
        seconds = time.monotonic() - begun
        reached = array.array("i")
        reached.frombytes(open(table.name, "rb").read())
        return {"case": case, "state": state, "seconds": round(seconds, 3), "reached": sorted(i for i in reached if i)}


def coverage(build, jobs, say):
    """The cases of each suite, with their times and the mutants that they reach. Cached until the program changes."""
    covered = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for suite in build.suites:
            program = build.bin / suite
            state = hashlib.sha256(program.read_bytes()).hexdigest()
            stored = build.work / "coverage" / (suite + ".json")
            if stored.exists():
                content = json.loads(stored.read_text())
                if content["state"] == state:
                    covered[suite] = content["cases"]
                    continue
            say(f"mutate: recording which mutants the cases of {suite} reach")
            covered[suite] = list(pool.map(lambda case: cover(program, case), cases_of(program)))
            stored.parent.mkdir(parents=True, exist_ok=True)
            stored.write_text(json.dumps({"state": state, "cases": covered[suite]}))
            for case in covered[suite]:
                if case["state"] != "passed":
                    say(f"mutate: skipped because it fails without a mutant: {suite}: {case['case']} ({case['state']})")
    return covered


class Judge:
    def __init__(self, build, covered):
        self.build = build
        self.reaching = {}
        for suite, cases in covered.items():
            for case in cases:
                if case["state"] != "passed":
                    continue
                entry = (case["seconds"] * (10 + len(case["reached"])), suite, case["case"], case["seconds"])
                for mutant in case["reached"]:
                    self.reaching.setdefault(mutant, []).append(entry)
        for entries in self.reaching.values():
            entries.sort()  # fast and specific cases first

    def try_mutant(self, site):
        """Returns the state (killed, survived, not covered) and, if killed, by which suite and case, and how."""
        begun = time.monotonic()
        entries = self.reaching.get(site.id, [])
        if not entries:
            return {"state": "not covered", "cases": 0, "seconds": 0}
        for suite, cases, seconds in self.batches(entries):
            how, case = self.run(site, suite, cases, seconds)
            if how != "passed":
                return {"state": "killed", "suite": suite, "case": case, "how": how, "cases": len(entries), "seconds": round(time.monotonic() - begun, 1)}
        return {"state": "survived", "cases": len(entries), "seconds": round(time.monotonic() - begun, 1)}

    def batches(self, entries):
        budget, position = 0.5, 0
        while position < len(entries):
            batch, total = {}, 0.0
            while position < len(entries) and (not batch or total + entries[position][3] < budget):
                _, suite, case, seconds = entries[position]
                batch.setdefault(suite, []).append((case, seconds))
                total += seconds
                position += 1
            for suite, cases in batch.items():
                yield suite, [case for case, _ in cases], sum(seconds for _, seconds in cases)
            budget = min(budget * 3, 15)

    def run(self, site, suite, cases, seconds):
        program = self.build.bin / suite
        timeout = 10 + 6 * seconds
        for _ in range(3):
            how, case = run_cases(program, cases, {"PEERD_MUTANT": str(site.id)}, timeout)
            # On a busy machine a case may take this long without the mutant too; then the run does not count.
            if how != "hung" or run_cases(program, cases, {}, timeout / 2)[0] == "passed":
                break
            timeout *= 2
        return how, case
