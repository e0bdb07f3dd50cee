"""Finds the places of a source file that can be mutated. libclang gives their exact extents.

A mutant only inserts text: it wraps an expression or a statement in a condition on peer_mutant(ID), which is true only in the
runs that try this mutant. So mutants can nest, and line numbers do not change.
"""
import bisect
import dataclasses
import functools
import hashlib
import json
import re

import clang.cindex as ci

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.S | re.M)
COMPARISON = re.compile(r"(?<= )(==|!=|<=|>=|<|>)(?=\s)")
INVERSE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

CANCELS = {"throw_if_requested", "request_stop", "request", "interrupt"}
RELEASES = {"release", "give_back", "refund", "reset", "close", "disarm", "clear", "erase", "erase_if", "remove", "discard", "finish", "unlock", "free"}
SYNCS = {"sync", "sync_file_system", "fsync", "fdatasync", "syncfs"}
VERIFIES = {"sealed", "verify", "unchanged", "intact", "same_content", "same_contents", "is_version_of"}
EXACT_TYPES = ("Digest", "FileStamp")  # compared to verify content
# Logging, and calls that only save memory, are not behaviour that a test must check.
IGNORED = {"debug", "info", "warn", "error", "reserve", "shrink_to_fit", "note"}

FUNCTIONS = {ci.CursorKind.FUNCTION_DECL, ci.CursorKind.CXX_METHOD, ci.CursorKind.CONSTRUCTOR, ci.CursorKind.DESTRUCTOR,
             ci.CursorKind.FUNCTION_TEMPLATE, ci.CursorKind.CONVERSION_FUNCTION}
LOOPS = {ci.CursorKind.FOR_STMT, ci.CursorKind.CXX_FOR_RANGE_STMT, ci.CursorKind.WHILE_STMT, ci.CursorKind.DO_STMT}


@dataclasses.dataclass
class Site:
    file: str
    line: int
    function: str
    operator: str
    change: str  # what the mutant does, as shown to people and as listed in tests/mutants.txt
    start: int
    end: int
    prefix: str  # "@" stands for peer_mutant(ID)
    suffix: str
    last_line: int = 0
    key: str = ""
    id: int = 0


def flat(text):
    """The source on one line, without comments."""
    kept = NOISE.sub(lambda m: "" if m.group(0)[0] == "/" else m.group(0), text)
    return re.sub(r"\s+", " ", kept).strip()


def blank(match):
    text = match.group(0)
    out = re.sub(r"[^\n]", " ", text)
    return '"' + out[1:-1] + '"' if text[0] in "\"'R" and len(text) > 1 else out


def closing(text, at):
    """The position of the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


class Finder:
    def __init__(self, name, path, source):
        self.name, self.path, self.source = name, str(path), source
        self.bytes = source.encode()
        self.ascii = len(self.bytes) == len(source)
        self.clean = NOISE.sub(blank, source)
        self.lines = [0] + [m.end() for m in re.finditer("\n", source)]
        self.sites, self.seen = [], set()
        self.expressions = []  # (start, end, cursor, function) inside functions
        self.macros = [(m.start(), closing(self.clean, m.end() - 1)) for m in re.finditer(r"\b[A-Z][A-Z0-9_]{3,}\s*\(", self.clean)]

    def find(self, unit):
        for cursor in unit.cursor.get_children():
            if cursor.location.file and cursor.location.file.name == self.path:
                self.walk(cursor, None, [])
        self.comparisons()
        count = {}
        self.sites.sort(key=lambda s: (s.start, -s.end, s.operator, s.change))
        for site in self.sites:
            key = f"{site.file} {site.function} · {site.operator} · {site.change}"
            count[key] = count.get(key, 0) + 1
            site.key = key if count[key] == 1 else f"{key} #{count[key]}"
        return self.sites

    def offset(self, location):
        return location.offset if self.ascii else len(self.bytes[:location.offset].decode())

    def range(self, cursor):
        start, end = cursor.extent.start, cursor.extent.end
        if not start.file or start.file.name != self.path or not end.file or end.file.name != self.path:
            return None
        start, end = self.offset(start), self.offset(end)
        if start >= end or any(a < end and start <= b for a, b in self.macros):
            return None
        return start, end

    def line_of(self, at):
        return bisect.bisect_right(self.lines, at)

    def add(self, operator, function, start, end, prefix, suffix, change):
        if (start, end, prefix) in self.seen:
            return
        self.seen.add((start, end, prefix))
        self.sites.append(Site(self.name, self.line_of(start), function, operator, change, start, end, prefix, suffix, self.line_of(end)))

    def walk(self, cursor, function, ancestors):
        kind = cursor.kind
        if kind in FUNCTIONS:
            start = self.offset(cursor.extent.start)
            head = self.clean[start:start + 400].split("{")[0]
            if re.search(r"\b(constexpr|consteval)\b", head):
                return
            function = function or self.qualified(cursor)
        elif kind == ci.CursorKind.VAR_DECL and re.match(r"(static |inline )*constexpr\b", self.clean[self.offset(cursor.extent.start):][:40]):
            return
        elif kind == ci.CursorKind.STATIC_ASSERT:
            return
        if function is not None:
            self.visit(cursor, function, ancestors)
        ancestors.append(cursor)
        for child in cursor.get_children():
            self.walk(child, function, ancestors)
        ancestors.pop()

    def qualified(self, cursor):
        names = [re.sub(r"\(.*|<.*", "", cursor.spelling) if not cursor.spelling.startswith("operator") else cursor.spelling]
        parent = cursor.semantic_parent
        while parent is not None and parent.kind in (ci.CursorKind.CLASS_DECL, ci.CursorKind.STRUCT_DECL, ci.CursorKind.CLASS_TEMPLATE):
            names.insert(0, parent.spelling)
            parent = parent.semantic_parent
        return "::".join(names)

    def visit(self, cursor, function, ancestors):
        kind = cursor.kind
        extent = self.range(cursor)
        if extent is None:
            return
        start, end = extent
        if kind.is_expression():
            self.expressions.append((start, end, cursor, function))
            self.expression(cursor, function, start, end)
        if kind == ci.CursorKind.IF_STMT:
            self.condition(cursor, function, start)
        elif kind == ci.CursorKind.CXX_CATCH_STMT:
            at = self.clean.find("{", start) + 1
            if re.match(r"\s*throw\s*;", self.clean[at:]) is None:
                head = flat(self.source[start:at - 1])
                self.add("catch", function, at, at, " if (@) throw;", "", f"rethrow in {head}")
        if ancestors:
            self.statement(cursor, function, start, end, ancestors)

    def condition(self, cursor, function, start):
        match = re.match(r"if\s*\(", self.clean[start:])
        if not match:
            return  # constexpr
        left = start + match.end()
        right = closing(self.clean, left - 1)
        at, depth = left, 0
        for i in range(left, right):
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(self.clean[i], 0)
            if self.clean[i] == ";" and depth == 0:
                at = i + 1
        while at < right and self.clean[at].isspace():
            at += 1
        for child in cursor.get_children():
            if child.kind.is_expression() and self.range(child) == (at, right):
                text = self.source[at:right]
                if "co_await" in text:
                    return
                self.add("condition", function, at, right, "(static_cast<bool>(", ") != @)", f"if ({flat(text)}): negated")
                return

    def expression(self, cursor, function, start, end):
        if cursor.kind != ci.CursorKind.CALL_EXPR:
            return
        text = self.source[start:end]
        if "co_await" in text or self.clean[end - 1] != ")":
            return
        called = re.search(r"(\w+)\s*$", self.clean[start:self.opening(end - 1)])
        name = cursor.spelling or (called.group(1) if called else "")
        if called is None or called.group(1) != name:
            return
        canonical = cursor.type.get_canonical().spelling
        if name == "requested":
            self.add("cancel", function, start, end, "(!@ && (", "))", f"{flat(text)} is false")
        elif name in VERIFIES and canonical == "bool":
            self.add("verify", function, start, end, "(@ || (", "))", f"{flat(text)} is true")
        elif canonical.startswith("std::expected<void,") and not self.clean[:start].endswith("static_cast<void>("):
            operator = "sync" if name in SYNCS else "verify" if name in VERIFIES else "call"
            self.add(operator, function, start, end, "(@ ? ::peer::Result<void>{} : (", "))", f"{flat(text)} is not called, and succeeds")

    def opening(self, at):
        depth = 0
        for i in range(at, -1, -1):
            depth += {")": 1, "(": -1}.get(self.clean[i], 0)
            if depth == 0:
                return i
        return 0

    def statement(self, cursor, function, start, end, ancestors):
        """Drops a statement of a block, or the only statement of a branch."""
        parent = ancestors[-1]
        block = parent.kind == ci.CursorKind.COMPOUND_STMT
        branch = parent.kind == ci.CursorKind.IF_STMT or parent.kind in LOOPS
        if not (block or branch):
            return
        before = self.clean[:start].rstrip()[-1:]
        if before not in ("{", "}", ";", ")", ":") and not before.isalpha():
            return
        if branch and before == ";":
            return  # the header of a for
        after = re.match(r"\s*;", self.clean[end:])
        if not after:
            return
        end += after.end()
        text = flat(self.source[start:end])
        word = re.match(r"\w*", text).group(0)
        if word in ("return", "co_return", "continue", "break"):
            self.jump(function, start, end, text, ancestors)
            return
        if not cursor.kind.is_expression() or branch and before != ")" and not self.clean[:start].rstrip().endswith("else"):
            return
        operator = self.statement_operator(cursor, text, start, end)
        if operator:
            self.add(operator, function, start, end, "{ if (!@) ", " }", f"without {text}")

    def statement_operator(self, cursor, text, start, end):
        if re.match(r"--[\w.>()\[\]*-]*;$|[\w.>()\[\]*-]*( -= |--;)", text):
            return "release" if re.match(r"(--)?[\w()\[\]*]*(_\b|\.|->)", text) else None  # a counter that is visible elsewhere
        body = text[:-1]
        wrapped = re.match(r"static_cast<void>\((.*)\)$", body)
        if wrapped:
            body = wrapped.group(1)
        awaited = body.startswith("co_await ")
        if not body.endswith(")"):
            return None
        clean = NOISE.sub(blank, body)
        depth = 0
        for i in range(len(clean) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(clean[i], 0)
            if depth == 0:
                break
        called = re.search(r"(\w+)\s*(<[^()]*>)?$", clean[:i])
        if not called or re.search(r"(^|[^=!<>])=[^=]", re.sub(r"\(.*", "", clean)):
            return None
        name = called.group(1)
        if name in IGNORED or name in ("static_cast", "throw") or body.startswith("throw "):
            return None
        if name in CANCELS:
            return "cancel"
        if name in SYNCS:
            return "sync"
        if name in RELEASES and not awaited:
            return "release"
        return "call"

    def jump(self, function, start, end, text, ancestors):
        flip = re.match(r"(?:co_)?return (true|false);$", text)
        if flip:
            at = self.source.index(flip.group(1), start)
            to = "false" if flip.group(1) == "true" else "true"
            self.add("return", function, at, at + len(flip.group(1)), "(", " != @)", f"{text} returns {to}")
        # An early jump: the last statement in an `if` without else, with more statements after the `if`.
        chain = list(ancestors)
        guard = chain.pop()
        if guard.kind == ci.CursorKind.COMPOUND_STMT and chain:
            inside = self.range(guard)
            if inside is None or self.clean[end:inside[1] - 1].strip():
                return
            guard = chain.pop()
        if guard.kind != ci.CursorKind.IF_STMT or not chain or chain[-1].kind != ci.CursorKind.COMPOUND_STMT:
            return
        whole, block = self.range(guard), self.range(chain[-1])
        if whole is None or block is None:
            return
        if re.match(r"\s*(;\s*|}\s*)?else\b", self.clean[end:]) or re.search(r"\belse\s*{?\s*$", self.clean[:start]):
            return
        rest = self.clean[max(whole[1], end):block[1] - 1].strip(" \n;}")
        if not rest:
            return
        self.add("return", function, start, end, "{ if (!@) ", " }", f"without the early {text}")

    def comparisons(self):
        ordered = sorted(self.expressions, key=lambda e: e[1] - e[0])
        headers = []
        for match in re.finditer(r"\bfor\s*\(", self.clean):
            headers.append((match.end(), closing(self.clean, match.end() - 1)))
        conditions = {(s.start, s.end): s for s in self.sites if s.operator == "condition"}
        for match in COMPARISON.finditer(self.clean):
            at, sign = match.start(), match.group(1)
            if any(a <= at < b and ";" in self.clean[a:b] for a, b in headers):
                continue
            found = next((e for e in ordered if e[0] < at and match.end() < e[1]), None)
            if found is None:
                continue
            start, end, cursor, function = found
            text = self.source[start:end]
            if "co_await" in text or cursor.kind == ci.CursorKind.LAMBDA_EXPR:
                continue
            left, right = flat(self.source[start:at]), flat(self.source[match.end():end])
            children = list(cursor.get_children())
            types = " ".join(child.type.spelling for child in children)
            if sign in ("==", "!=") and (any(t in types for t in EXACT_TYPES) or re.search(r"\bhash\(|checksum", left + right)):
                wrap = ("(@ || (", "))") if sign == "==" else ("(!@ && (", "))")
                self.add("verify", function, start, end, *wrap, f"{flat(text)}: taken for equal")
            if (start, end) not in conditions:  # else it is the same mutant
                self.add("comparison", function, start, end, "(static_cast<bool>(", ") != @)", f"{flat(text)}: {INVERSE[sign]}")
            if sign in BOUNDARY:
                self.add("boundary", function, start, end, f"(@ ? static_cast<bool>({left} {BOUNDARY[sign]} {right}) : static_cast<bool>(", "))",
                         f"{flat(text)}: {BOUNDARY[sign]}")


def instrumented(source, sites):
    """The source text with these mutants inserted."""
    ranked = sorted(sites, key=lambda s: (s.start, -s.end, s.key))
    events = []
    for rank, site in enumerate(ranked):
        call = f"::peer_mutant({site.id})"
        events.append((site.start, 1, rank, site.prefix.replace("@", call)))
        events.append((site.end, 0 if site.end > site.start else 1, -rank if site.end > site.start else rank, site.suffix.replace("@", call)))
    out, position = [], 0
    for at, _, _, text in sorted(events, key=lambda e: e[:3]):
        out += [source[position:at], text]
        position = at
    out.append(source[position:])
    return '#include "libpeer/base/mutant.h"\n#line 1\n' + "".join(out)


@functools.cache
def index():
    return ci.Index.create()


def find_sites(name, path, arguments):
    """The mutants of a file. A header is parsed as a source file."""
    source = path.read_text()
    unit = index().parse(str(path), args=arguments + ["-x", "c++", "-ferror-limit=0"])
    wrong = [d for d in unit.diagnostics if d.severity >= ci.Diagnostic.Error]
    if wrong:
        raise RuntimeError(f"{name} does not parse: {wrong[0]}")
    return Finder(name, path, source).find(unit)


def cached_sites(name, path, arguments, cache, tool):
    """The cached result of find_sites() if neither the file nor this tool has changed."""
    state = hashlib.sha256(path.read_bytes() + tool.encode()).hexdigest()
    stored = cache / (name.replace("/", "+") + ".json")
    if stored.exists():
        content = json.loads(stored.read_text())
        if content["state"] == state:
            return [Site(**site) for site in content["sites"]]
    sites = find_sites(name, path, arguments)
    cache.mkdir(parents=True, exist_ok=True)
    stored.write_text(json.dumps({"state": state, "sites": [dataclasses.asdict(s) for s in sites]}))
    return sites
