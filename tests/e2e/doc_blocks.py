"""Finds the code blocks of README.md and docs/*.md, checks their command lines, runs them and compares their output.

The kinds of blocks:

    an indented block, or a fence without a language    shell: commands, or a transcript (`$ command`, then its output)
    a fence with the language toml                      a configuration that peerd accepts
    a fence with another language (text, ini, json)     not shell

A shell block that the tests cannot run has `<!-- not run: REASON -->` before it. A document whose indented blocks are not
shell contains `<!-- indented blocks are not shell: REASON -->` once.
"""

import contextlib
import functools
import glob
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess

from peer_lab import PEERCTL, PEERD, wait_for
from terminal import Terminal

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
NOT_RUN = re.compile(r"\s*<!-- not run: (\S.*) -->")
NOT_SHELL = re.compile(r"<!-- indented blocks are not shell: \S.* -->")
PROMPT = re.compile(r"(?:(\w+)@(\w+) )?([$#]) (.*)")
HIDDEN = {"complete"}  # commands that --help does not list
PROGRAM = re.compile(r"\s*(?:[$#] )?(?:(?:peerctl|peerd|systemctl|journalctl|cp|apt|sudo) |scripts/)")


def documents():
    return ["README.md", *sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "*.md")))]


def read_document(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def catches_interrupt(group):
    """Whether every peerctl of a process group has installed its SIGINT handler."""
    caught = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            status = pathlib.Path("/proc", pid, "status").read_text()
            if os.getpgid(int(pid)) == group and status.startswith("Name:\tpeerctl"):
                caught.append(int(re.search(r"^SigCgt:\s*(\w+)", status, re.M)[1], 16) >> (signal.SIGINT - 1) & 1)
    return bool(caught) and all(caught)


class Block:
    def __init__(self, document, line, language, lines, reason):
        """`reason`: why the block is not run, if it is marked so. `language`: "sh" for every kind of shell."""
        indent = min((len(text) - len(text.lstrip()) for text in lines if text.strip()), default=0)
        self.lines = [text[indent:].rstrip() for text in lines]
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        self.where, self.language, self.reason = f"{document}:{line}", language, reason

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    @property
    def is_shell(self):
        return self.language == "sh"

    def entries(self):
        """Yields (user, host, command, lines of output) of a transcript."""
        found = []
        for line in self.lines:
            if prompt := PROMPT.fullmatch(line):
                found.append((prompt[1], prompt[2], prompt[4], []))
            elif found:
                found[-1][3].append(line)
        for _, _, _, output in found:
            while output and not output[-1]:
                output.pop()
        return found

    def commands(self):
        """Yields (where, line) of each line that a reader would type."""
        entries = self.entries()
        typed = [command for _, _, command, _ in entries] if entries else self.lines
        return [(self.where, line) for line in typed if line and not line.startswith("#")]


def blocks(document):
    text = read_document(document)
    indented = "text" if NOT_SHELL.search(text) else "sh"
    lines = text.split("\n")
    found, i, above = [], 0, ""  # `above`: the last line that is not blank and not in a block
    while i < len(lines):
        reason = NOT_RUN.fullmatch(above)
        reason = reason and reason[1]
        begin = i
        if fence := re.fullmatch(r" *```(\w*)", lines[i]):
            i += 1
            while lines[i].strip() != "```":
                i += 1
            found.append(Block(document, begin + 1, fence[1] or "sh", lines[begin + 1:i], reason))
            above, i = "", i + 1
        elif lines[i].startswith("    ") and lines[i].strip() and (i == 0 or not lines[i - 1].strip()):
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                i += 1
            found.append(Block(document, begin + 1, indented, lines[begin:i], reason))
            above = ""
        else:
            above = lines[i] if lines[i].strip() else above
            i += 1
    return found


# --- command lines

@functools.cache
def usage(program, command=None):
    """Parses --help: ({option: takes a value}, maximum number of arguments, commands)."""
    path = PEERCTL if program == "peerctl" else PEERD
    done = subprocess.run([path, *([command] if command else []), "--help"], capture_output=True, text=True, check=True)
    text = done.stdout.split("\nExit codes:\n")[0].split("\nExamples:\n")[0]
    options = {name: bool(value) for name, value in re.findall(r"^  (?:-\w,)?(--[\w-]+)( [A-Z][A-Z:\[\]]*(?= |$))?", text, re.M)}
    arguments = re.findall(r"^  \[?([A-Z-]+)\]?  ", text, re.M)
    return options | {"-h": False}, len(arguments), set(re.findall(r"^  ([a-z]\S*) ", text, re.M))


def shell_commands(line):
    """Splits a line into simple commands, each a list of words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    commands = [[]]
    for word in lexer:
        if word and set(word) <= set("();<>|&"):
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def line_problem(line):
    """Describes wrong options, commands or numbers of arguments for peerctl and peerd. None if the line is correct."""
    for words in shell_commands(line):
        names = [os.path.basename(word) for word in words]
        program = next((i for i, name in enumerate(names) if name in ("peerctl", "peerd")), None)
        if program is None or (program > 0 and names[0] not in ("timeout", "sudo", "exec")):
            continue
        problem = words_problem(names[program], words[program + 1:])
        if problem:
            return f"{names[program]} {problem}"
    return None


def words_problem(program, words):
    general, _, commands = usage(program)
    options, command, arguments, most = general, None, 0, 0
    i = 0
    while i < len(words):
        word = words[i]
        if word.startswith("-") and len(word) > 1 and word != "--":
            name = word.split("=")[0]
            if name not in options:
                return f"{command or ''} has no option {name}"
            i += options[name] and "=" not in word
        elif program == "peerctl" and command is None:
            if word in HIDDEN:
                return None
            if word not in commands:
                return f"has no command {word}"
            command = word
            own, most, _ = usage(program, command)
            options = general | own
        elif word != "--":
            arguments += 1
        i += 1
    return f"{command or ''} takes {most} arguments, not {arguments}" if arguments > most else None


# --- outputs

def shape(text):
    """Replaces everything that differs between runs by a placeholder."""
    text = re.sub(r"\[[0-9a-f:]+(?:%\w+)?\]:\d+|\b\d+\.\d+\.\d+\.\d+:\d+", "ADDRESS", text)
    text = re.sub(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b", "ID", text)
    text = re.sub(r"\b\d+(?:\.\d+)* [kMGT]?B/s", "RATE", text)
    text = re.sub(r"\b\d+(?:\.\d+)* (?:[kMGT]B|B|KiB)\b", "SIZE", text)
    text = re.sub(r"\b\d+(?:\.\d+)* (?:ms|s|min|h)\b", "TIME", text)
    text = re.sub(r"\b\d+(?:\.\d+)*", "N", text)
    return re.sub(r"\s+", " ", text).strip()


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def cell_kind(cell):
    found = shape(cell)
    return found if re.match(r"(ADDRESS|ID|RATE|SIZE|TIME|N)\b", found) else "-" if cell == "-" else "WORD"


def is_heading(line):
    return bool(re.fullmatch(r"\s*[A-Z]+(\s+[A-Z]+)+", line))


def is_json(line):
    return line.startswith("{") and line.endswith("}")


def is_progress(line):
    """Whether the line depends on the time at which it was drawn."""
    return bool(re.fullmatch(r"\S+: +(?:queued|verifying|\d+ %.*)", line))


def rows_problem(heading, want, have):
    """Compares two rows of a table with that heading."""
    want, have = (row + ["-"] * (len(heading) - len(row)) for row in (want, have))  # the last cells may be empty
    if len(have) != len(want):
        return f"{len(want)} columns against {len(have)}"
    for title, one, other in zip(heading, want, have):
        kinds = cell_kind(one), cell_kind(other)
        if kinds[0] != kinds[1] and "-" not in kinds:
            return f"{title}: {one!r} against {other!r}"
    return None


def doctor_subjects(lines):
    """The subjects of doctor's findings, except those that depend on the machine."""
    found = [match[1] for line in lines if (match := re.match(r"(?:ok|warning|WRONG) +([^:]+):", line))]
    return sorted(s for s in found if s not in ("time service", "firewall") and not s.startswith("mDNS"))


def output_problem(command, want, have):
    """Describes how two outputs (lists of lines) of the command differ. None if they do not."""
    if "peerctl doctor" in command:
        subjects = doctor_subjects(want), doctor_subjects(have)
        return None if subjects[0] == subjects[1] else f"doctor's findings: {subjects[0]} against {subjects[1]}"
    want, have = ([line for line in lines if line.strip() and not is_progress(line)] for lines in (want, have))
    heading = None
    for number in range(max(len(want), len(have))):
        one, other = (lines[number] if number < len(lines) else None for lines in (want, have))
        problem = None
        if one is None or other is None:
            problem = "a line that only one output has"
        elif is_heading(one):
            heading = cells(one)
            problem = None if cells(other) == heading else "another heading"
        elif is_json(one) and is_json(other):
            keys = list(json.loads(one)), list(json.loads(other))
            problem = None if keys[0] == keys[1] else f"keys {keys[0]} against {keys[1]}"
        elif heading and len(cells(one)) in (len(heading) - 1, len(heading)):
            problem = rows_problem(heading, cells(one), cells(other))
        elif shape(one) != shape(other):
            problem = "another text"
        if problem:
            return f"{problem}\n  document: {one}\n  program:  {other}"
    return None


# --- running

class Player:
    """Runs blocks of a document. Each machine in the document has an environment. `replaced`: texts of the document, with
    their replacements for the test."""

    def __init__(self, lab, document):
        self.lab, self.document = lab, document
        self.blocks = blocks(document)
        self.played = set()
        self.replaced, self.running = {}, []
        self.before = []  # (beginning of a line, function to call before the line runs)

    def environment(self, home, socket=None, **extra):
        programs = self.lab.path("programs")
        if not os.path.isdir(programs):
            os.mkdir(programs)
            os.symlink(os.path.abspath(PEERCTL), os.path.join(programs, "peerctl"))
            # Daemons in documents use the loopback interface only.
            self.program("peerd", f'exec {shlex.quote(os.path.abspath(PEERD))} --no-mdns --listen 127.0.0.1:0 $PEER "$@"')
        os.makedirs(home, exist_ok=True)
        path = ":".join([programs, os.path.join(ROOT, "docs", "recipes"), os.environ["PATH"]])
        env = self.lab.env | {"HOME": home, "XDG_RUNTIME_DIR": home, "PATH": path, "TERM": "xterm-256color", "PEER": ""} | extra
        return env | ({"PEERD_SOCKET": socket} if socket else {})

    def program(self, name, script):
        path = os.path.join(self.lab.path("programs"), name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + script + "\n")
        os.chmod(path, 0o755)

    def block(self, first_line):
        found = [b for b in self.blocks if b.lines and b.lines[0].startswith(first_line) and b not in self.played]
        assert found, f"{self.document} has no block that begins with {first_line!r}"
        assert not found[0].reason, f"{found[0].where} runs in this test, but is marked as not run: {found[0].reason}"
        self.played.add(found[0])
        return found[0]

    def here(self, text):
        for theirs, ours in self.replaced.items():
            text = text.replace(theirs, ours)
        return text

    def there(self, text):
        for theirs, ours in self.replaced.items():
            text = text.replace(ours, theirs)
        return text

    def shell(self, env, line, merged=False):
        return subprocess.run(["bash", "-c", self.here(line)], env=env, cwd=env["HOME"], text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT if merged else subprocess.PIPE)

    def limited(self, env, command, lines):
        """Runs a command under `timeout`, with longer and longer times, until it prints enough. Returns the output."""
        for seconds in (1, 5, 30):
            done = self.shell(env, re.sub(r"^timeout \S+", f"timeout {seconds}", command), merged=True)
            if len(done.stdout.splitlines()) >= lines:
                break
        return done

    def prepare(self, line):
        for beginning, action in list(self.before):
            if line.startswith(beginning):
                self.before.remove((beginning, action))
                action()

    def run(self, env, first_line):
        """Runs a block of commands line by line. Each must exit with 0, or run until it is interrupted."""
        block = self.block(first_line)
        for _, line in block.commands():
            self.prepare(line)
            command = line.split("  #")[0].rstrip()
            if re.match(r"peerd (?!.*--check-config)", command):
                self.start_daemon(env, block, command)
            elif command.startswith("peerctl top"):
                self.run_top(env, block, command)
            elif command.startswith("peerctl events"):
                self.start(env, block, command)
            else:
                done = self.shell(env, command)
                assert done.returncode == 0, f"{block.where}: {command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return block

    def start(self, env, block, command):
        process = subprocess.Popen(["bash", "-c", self.here(command)], env=env, cwd=env["HOME"], text=True, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lab.processes.append(process)
        self.running.append((process, block, command))
        return process

    def start_daemon(self, env, block, command):
        process = self.start(env, block, "exec " + command)

        def answers():
            assert process.poll() is None, f"{block.where}: {command}: exit code {process.returncode}\n{process.stderr.read()}"
            return self.shell(env, "peerctl status").returncode == 0
        wait_for(f"{block.where}: {command}: answers", answers)

    def run_top(self, env, block, command):
        with Terminal(["bash", "-c", self.here(command)], env, 100, 30) as terminal:
            terminal.wait("q quits")
            terminal.type("q")
            code = terminal.finish()
        assert code in (0, None), f"{block.where}: {command}: exit code {code}"

    def interrupt(self):
        """Interrupts the commands that are still running, as Ctrl-C does."""
        for process, block, command in reversed(self.running):
            assert process.poll() is None, f"{block.where}: {command}: ended by itself\n{process.stderr.read()}"
            if command.startswith("peerctl "):
                wait_for(f"{block.where}: {command}: catches Ctrl-C", lambda: catches_interrupt(process.pid))
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=60)
            # In a pipeline, Ctrl-C may end the shell itself.
            wanted = (0,) if "peerd " in command else (0, 130, -signal.SIGINT) if "|" in command else (0, 130)
            assert process.returncode in wanted, f"{block.where}: {command}: exit code {process.returncode} after Ctrl-C"
        self.running = []

    def transcript(self, first_line, environments, not_run=()):
        """Runs a transcript and compares the output. `environments`: by "user@host". `not_run`: users whose commands are skipped."""
        block = self.block(first_line)
        for user, host, command, want in block.entries():
            if user in not_run:
                continue
            self.prepare(command)
            code = 0
            if want and (ended := re.fullmatch(r"\(exit code (\d+)\)", want[-1])):
                code, want = int(ended[1]), want[:-1]
            env = environments[f"{user}@{host}"]
            done = self.limited(env, command, len(want)) if command.startswith("timeout ") else self.shell(env, command, merged=True)
            assert done.returncode == code, f"{block.where}: {command}: exit code {done.returncode}, not {code}\n{done.stdout}"
            problem = output_problem(command, want, self.there(done.stdout).splitlines())
            assert not problem, f"{block.where}: {command}: the output differs from the document: {problem}"

    def configurations(self, **replaced):
        """Checks that peerd accepts every toml block as a configuration."""
        for number, block in enumerate(b for b in self.blocks if b.language == "toml"):
            path = self.lab.path(f"{number}.toml")
            with open(path, "w") as file:
                file.write(functools.reduce(lambda text, pair: text.replace(*pair), replaced.items(), self.here(block.text)))
            command = [PEERD, "--check-config", "--config", path, "--library", self.lab.path("library")]
            done = subprocess.run(command, env=self.lab.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, f"{block.where}: {done.stderr}"

    def done(self):
        self.interrupt()
        assert not self.before, f"{self.document} no longer has a line {self.before[0][0]!r}"
        left = [b for b in self.blocks if b.is_shell and not b.reason and b not in self.played]
        assert not left, f"{left[0].where}: this block is neither run nor marked '<!-- not run: REASON -->': {left[0].lines[0]}"
