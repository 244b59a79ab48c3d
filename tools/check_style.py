#!/usr/bin/env python3
"""Checks for habits that cost data, crashes or readability, and that a compiler does not see.

usage: check_style.py [ROOT]     exit code 0: nothing found, 1: findings, one per line; notes on long files do not fail
"""

import os
import re
import sys

import cpp_text

LINES_WORTH_A_LOOK = 400
LINES_MAX = 600
COUNTED = cpp_text.CPP_SUFFIXES + (".py", ".sh", ".sql", ".cmake")
READ_TOO = COUNTED + (".md", ".proto", ".yml", ".yaml", ".txt", ".json", ".toml", ".js", ".html", ".css")

# Written in two parts so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w./-])(/wo" + r"rk/|/ho" + r"me/\w|/ro" + r"ot/|/Us" + r"ers/\w|[A-Z]:\\\\?Us" + r"ers)|\.\./sh" + r"ared\b")

# (what, pattern on code without comments and literals, may the file do it?)
FORBIDDEN = [
    ("detached work swallows its exception: spawn it into a task_group", re.compile(r"\basio::detached\b|,\s*detached\s*\)|\bdetached_t\b|boost/asio/detached\.hpp"), lambda path: False),
    ("io_context::stop() leaves frames behind: cancel, join, let run() return",
     re.compile(r"\bio_context::stop\b|\b(ioc?|io_context|ctx|context)_?(\.|->)stop\s*\(\s*\)"), lambda path: False),
    ("randomness comes from common/base/random.h", re.compile(r"\b(std::(mt19937(_64)?|random_device|minstd_rand0?)|s?rand(om)?\s*\(\s*\)|drand48)"),
     lambda path: path.startswith("libs/common/base/") or cpp_text.is_test(path)),
    ("the environment is read by common/config only", re.compile(r"\b(std::)?(secure_)?getenv\s*\("),
     lambda path: path.startswith(("libs/common/config/", "libs/common/runtime/")) or cpp_text.is_test(path)),
    ("a blocking sleep stops the event loop", re.compile(r"\bstd::this_thread::sleep_|\b(::)?(u|nano)sleep\s*\("),
     # The topic administrator is a command-line step without an event loop.
     lambda path: path == "libs/common/kafka/rd_admin.cpp" or cpp_text.is_test(path)),
    ("GCC before 14 and our toolchain lack std::format: use fmt::format", re.compile(r"\bstd::format\s*\("), lambda path: False),
]

SQL_START = r"\s*(?:select\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s|where\s+\w|values\s*\(|order\s+by\s|alter\s|create\s|drop\s)"
SQL_LITERAL = r'(?:"' + SQL_START + r'(?:\\.|[^"\\\n])*"|R"(\w*)\(' + SQL_START + r'.*?\)\1")'
BUILT_SQL = [
    re.compile(SQL_LITERAL + r"\s*(?:s\b)?\s*\+(?!\+)", re.IGNORECASE | re.DOTALL),
    re.compile(r"(?<!\+)\+=?\s*" + SQL_LITERAL, re.IGNORECASE | re.DOTALL),
    re.compile(r"fmt::format\s*\(\s*(?:\w+::)*(?:" + SQL_LITERAL + r")\s*,", re.IGNORECASE | re.DOTALL),
]
SPEAKS_SQL = ("libs/store/", "libs/account/", "libs/common/pg/", "services/")


def closing(code, start, opening, ending):
    """Offset just behind the bracket that closes the one at `start`, or None."""
    depth = 0
    for offset in range(start, len(code)):
        if code[offset] == opening:
            depth += 1
        elif code[offset] == ending:
            depth -= 1
            if depth == 0:
                return offset + 1
    return None


def invoked_capturing_coroutines(code):
    """Offsets of `[x](...) -> task<...> { ... }(`: the closure dies before the first resume."""
    for match in re.finditer(r"\[[^\[\]]*\]\s*(?=[({m-])", code):
        captures = match.group(0).strip()[1:-1].strip()
        before = code[:match.start()].rstrip()
        if not captures or (before and (before[-1].isalnum() or before[-1] in "_)]")) or before.endswith("operator"):
            if not before.endswith(("return", "co_return", "co_await")) or not captures:
                continue
        at = match.end()
        if code[at] == "(":
            at = closing(code, at, "(", ")")
        body = code.find("{", at) if at else -1
        if body < 0 or ";" in code[at:body]:
            continue
        end = closing(code, body, "{", "}")
        if end is None or not re.match(r"\s*\(", code[end:end + 20]):
            continue
        if re.search(r"->\s*(calbridge::)?(asio::)?(task|awaitable)\s*<", code[at:body]) or re.search(r"\bco_(await|return|yield)\b", code[body:end]):
            yield match.start()


def awaits_with_temporaries(code):
    """Offsets of `co_await f({x})`, `co_await f(t{x})`, `co_await f([x] ...)`: older compilers destroy such a temporary twice."""
    for match in re.finditer(r"\bco_await\b", code):
        depth = 0
        for offset in range(match.end(), len(code)):
            sign = code[offset]
            if sign in "([":
                depth += 1
            elif sign in ")]":
                depth -= 1
            elif sign == "{" and depth > 0 and not re.match(r"\{\s*\}", code[offset:offset + 80]):
                yield match.start()
            if depth < 0 or sign in ";{":
                break


def check_cpp(path, source):
    code = cpp_text.code_only(source)
    for what, pattern, allowed in FORBIDDEN:
        if allowed(path):
            continue
        for match in pattern.finditer(code):
            yield cpp_text.line_of(code, match.start()), what
    for offset in invoked_capturing_coroutines(code):
        yield cpp_text.line_of(code, offset), "a capturing coroutine lambda called on the spot loses its captures: use a named function with parameters"
    if not cpp_text.is_test(path):
        for offset in awaits_with_temporaries(code):
            yield cpp_text.line_of(code, offset), "name what you pass to co_await: no braced list or lambda in the same expression"
    if path.endswith(".h") and not re.search(r"^#pragma once", code, re.MULTILINE):
        yield 1, "a header starts with #pragma once"
    if path.startswith(SPEAKS_SQL) and not cpp_text.is_test(path):
        literal_code = cpp_text.code_only(source, keep_literals=True)
        for pattern in BUILT_SQL:
            for match in pattern.finditer(literal_code):
                yield cpp_text.line_of(literal_code, match.start()), "SQL is put together from parts: bind parameters instead"


def check_text(source):
    for number, line in enumerate(source.splitlines(), 1):
        if UNFINISHED.search(line):
            yield number, "unfinished work is no comment: do it or open an issue"
        if MACHINE_PATHS.search(line):
            yield number, "a path of one machine"


def check(root):
    """(findings, notes)"""
    findings, notes = [], []
    for path in cpp_text.walk(root):
        name = path.rsplit("/", 1)[-1]
        if not (path.endswith(READ_TOO) or "." not in name or name.startswith(".")):
            continue
        source = cpp_text.read(root, path)
        if "\0" in source:
            continue
        found = list(check_text(source))
        if path.endswith(cpp_text.CPP_SUFFIXES):
            found += check_cpp(path, source)
        findings += ["%s:%d: %s" % (path, line, what) for line, what in sorted(found)]
        lines = source.count("\n")
        if path.endswith(COUNTED) and lines > LINES_MAX:
            findings.append("%s: %d lines, more than %d: split it" % (path, lines, LINES_MAX))
        elif path.endswith(COUNTED) and lines > LINES_WORTH_A_LOOK:
            notes.append("%s: %d lines, worth a look" % (path, lines))
    return findings, notes


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    findings, notes = check(root)
    for note in notes:
        print("note: " + note)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
