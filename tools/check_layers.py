#!/usr/bin/env python3
"""Checks that include arrows point down only, and that foreign libraries stay behind our interfaces.

usage: check_layers.py [ROOT]     exit code 0: nothing found, 1: findings, one per line
"""

import os
import re
import sys

import cpp_text

# What each folder may include besides itself. The style guide's table; a new folder needs a row here.
BASE = {"common/base"}
LOW = BASE | {"common/async", "common/retry", "common/config", "common/observe", "common/json", "common/crypto"}
COMMON = LOW | {"common/http", "common/pg", "common/kafka", "common/runtime"}
ALLOWED = {
    "common/base": set(),
    "common/async": BASE,
    "common/retry": BASE,
    "common/config": BASE,
    "common/observe": BASE,
    "common/json": BASE,
    "common/crypto": BASE,
    "common/http": LOW - {"common/config"},
    "common/pg": LOW - {"common/config"},
    "common/kafka": LOW - {"common/config"},
    "common/runtime": COMMON,
    # Deterministic event ids and stamps are part of the product's rules, so the pure digests are too.
    "domain": BASE | {"common/crypto"},
    "wire": BASE | {"domain", "common/json"},
    "clients": COMMON | {"domain", "wire"},
    "store": COMMON | {"domain", "wire"},
    # One use case shared by services: connections and their tokens.
    "account": COMMON | {"domain", "wire", "clients", "store"},
    "service": COMMON | {"domain", "wire", "clients", "store", "account"},
}

# Foreign headers, the folder that may know them, and what to use instead.
GUARDED = [
    (re.compile(r"^boost/beast(/|\.hpp)"), "common/http", "the interfaces of common/http"),
    (re.compile(r"^(postgresql/)?(libpq-fe|libpq/.*|pg_config.*)\.h$"), "common/pg", "the interfaces of common/pg"),
    (re.compile(r"^librdkafka/"), "common/kafka", "the interfaces of common/kafka"),
    (re.compile(r"^simdjson"), "common/json", "common/json/json.h"),
    (re.compile(r"\.pb\.h$"), "wire", "libs/wire"),
]


def folder_of(path):
    """The layer a file belongs to, or None when it is outside libs and services."""
    parts = path.split("/")
    if parts[0] == "services" and len(parts) > 2:
        return "service"
    if parts[0] != "libs" or len(parts) < 3:
        return None
    return "/".join(parts[1:3]) if parts[1] == "common" else parts[1]


def unit_of(path):
    """Like folder_of, but each service is its own."""
    return "/".join(path.split("/")[:2]) if path.startswith("services/") else folder_of(path)


def target_of(path, include, files):
    """The repository path an include names, or None for the outside world."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), include)).replace(os.sep, "/")
    for candidate in ("libs/" + include, beside, include):
        if candidate in files:
            return candidate
    return None


def check_arrow(path, include, target, unknown):
    """One sentence when `path` may not include `target`."""
    source_folder = folder_of(path)
    if "common/testing" in (folder_of(target), include.rsplit("/", 1)[0]):
        return "production code includes common/testing"
    if target.startswith("tests/"):
        return "production code includes " + target
    target_folder = folder_of(target)
    if unit_of(path) == unit_of(target) or source_folder is None:
        return None
    if target_folder == "service":
        return "includes another service's %s" % target
    if source_folder not in ALLOWED:
        unknown.add(source_folder)
        return None
    if target_folder not in ALLOWED[source_folder]:
        return "%s may not include %s (%s)" % (source_folder, target_folder, include)
    return None


def leaky_headers(root, files, arrows):
    """Headers that show a guarded library to whoever includes them, with the library's owner."""
    leaky = {}
    for path in files:
        if path.endswith(".cpp"):
            continue
        for _, include in cpp_text.includes(cpp_text.read(root, path)):
            for pattern, owner, instead in GUARDED:
                if pattern.search(include):
                    leaky[path] = (include, owner, instead)
    grew = True
    while grew:
        grew = False
        for path, _, _, target in arrows:
            if not path.endswith(".cpp") and target in leaky and path not in leaky:
                leaky[path] = leaky[target]
                grew = True
    return leaky


def check(root):
    files = set(cpp_text.walk(root, cpp_text.CPP_SUFFIXES))
    findings, unknown, arrows = [], set(), []
    for path in sorted(files):
        for line, include in cpp_text.includes(cpp_text.read(root, path)):
            target = target_of(path, include, files)
            arrows.append((path, line, include, target))
            if cpp_text.is_test(path):
                continue
            if ".." in include.split("/"):
                findings.append("%s:%d: includes upwards: %s" % (path, line, include))
            if target:
                fault = check_arrow(path, include, target, unknown)
                if fault:
                    findings.append("%s:%d: %s" % (path, line, fault))
            for pattern, owner, instead in GUARDED:
                if pattern.search(include) and folder_of(path) != owner:
                    findings.append("%s:%d: %s belongs to %s; use %s" % (path, line, include, owner, instead))
    leaky = leaky_headers(root, files, arrows)
    for path, line, include, target in arrows:
        if target in leaky and folder_of(path) != leaky[target][1] and not cpp_text.is_test(path):
            findings.append("%s:%d: %s brings in %s, which belongs to %s's .cpp files" % (path, line, include, leaky[target][0], leaky[target][1]))
    findings += ["tools/check_layers.py: folder %s has no row in the table" % folder for folder in sorted(unknown)]
    return findings


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    findings = check(root)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
