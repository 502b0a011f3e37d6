"""Runs a program under a seccomp profile as Docker and Podman read it: `python filtered.py PROFILE PROGRAM [ARGUMENTS]`.

With libseccomp, as they do.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from ctypes.util import find_library
from typing import Any

NAME = find_library("seccomp")
ALLOW = 0x7FFF0000
ERRNO = 0x00050000
COMPARISONS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def load(profile: dict[str, Any]) -> None:
    """Raises OSError when the kernel refuses it, ValueError for a system call that nobody knows."""
    library = ctypes.CDLL(NAME)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ERRNO | profile["defaultErrnoRet"]))
    for entry in profile["syscalls"]:
        action = ALLOW if entry["action"] == "SCMP_ACT_ALLOW" else ERRNO | entry["errnoRet"]
        rules = [_comparison(rule) for rule in entry.get("args", ())]
        array = (Comparison * len(rules))(*rules)
        for name in entry["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                raise ValueError(name)
            _check(library.seccomp_rule_add_array(context, action, number, len(rules), array), name)
    _check(library.seccomp_load(context), "load")


def _comparison(rule: dict[str, Any]) -> Comparison:
    return Comparison(rule["index"], COMPARISONS[rule["op"]], rule["value"], rule.get("valueTwo", 0))


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        load(json.load(file))
    os.execvp(sys.argv[2], sys.argv[2:])
