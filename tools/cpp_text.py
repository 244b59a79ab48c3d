"""Reads C++ just well enough for the checks in this folder: comments and literals are told apart from code."""

import os
import re

CPP_SUFFIXES = (".h", ".ipp", ".cpp")
TEST_SUFFIXES = ("_test.cpp", "_pgtest.cpp", "_kafkatest.cpp", "_fixture.h", "_fixture.cpp", "_for_tests.h", "_for_tests.cpp")
SKIPPED_FOLDERS = {".git", "build", ".run", ".cache", "node_modules", "__pycache__", "target", ".venv"}

_TOKEN = re.compile(
    r"""
      (?P<line_comment>//(?:\\\n|[^\n])*)
    | (?P<block_comment>/\*.*?\*/)
    | (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\((?P<raw_text>.*?)\)(?P=delimiter)")
    | (?P<text>(?:u8|[uUL])?"(?P<plain_text>(?:\\.|[^"\\\n])*)")
    | (?P<number>\b\d[\w']*)
    | (?P<letter>'(?:\\.|[^'\\\n])+')
    """,
    re.VERBOSE | re.DOTALL,
)


def blank(text):
    """The same shape, nothing to read: line numbers stay right."""
    return re.sub(r"[^\n]", " ", text)


def code_only(source, keep_literals=False):
    """The source with comments blanked, and literals too unless kept."""

    def replace(match):
        if match.group("line_comment") or match.group("block_comment"):
            return blank(match.group(0))
        if match.group("number") or keep_literals:
            return match.group(0)
        return '""' + blank(match.group(0))[2:]

    return _TOKEN.sub(replace, source)


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def includes(source):
    """(line, name) of every #include, quoted or angled."""
    code = code_only(source, keep_literals=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', code, re.MULTILINE):
        yield line_of(code, match.start()), match.group(1) or match.group(2)


def walk(root, suffixes=None):
    """Paths below root, with forward slashes, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in files:
            if suffixes is None or name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/"))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_test(path):
    return path.startswith("tests/") or path.startswith("libs/common/testing/") or path.endswith(TEST_SUFFIXES)
