"""Tiny ELF files, made without a compiler: headers, a dynamic segment, and nothing to run."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

X86_64 = 62
AARCH64 = 183
I386 = 3
PPC64 = 21

_DT = {"NEEDED": 1, "STRTAB": 5, "STRSZ": 10, "SONAME": 14, "RPATH": 15, "RUNPATH": 29}
_DT_VERNEED = 0x6FFFFFFE
_DT_VERNEEDNUM = 0x6FFFFFFF


def make_elf(
    *,
    machine: int = X86_64,
    needed: Sequence[str] = ("libc.so.6",),
    versions: Mapping[str, Sequence[str]] | None = None,
    weak: Mapping[str, Sequence[str]] | None = None,
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    module: str = "",
    bits: int = 64,
    little: bool = True,
    kind: int = 3,
    padding: int = 0,
) -> bytes:
    """Return a shared object (``kind`` 3; 2 is a program, 1 an object file).

    ``versions`` are the symbol versions needed of each library, ``weak`` those it can do without; ``module``
    is the Python module that it initialises; ``padding`` is code, in bytes, before what the loader reads.
    """
    order = "<" if little else ">"
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        place = len(strings)
        strings.extend(text.encode() + b"\0")
        return place

    tags = [(_DT["NEEDED"], string(name)) for name in needed]
    for name, text in (("SONAME", soname), ("RPATH", rpath), ("RUNPATH", runpath)):
        if text:
            tags.append((_DT[name], string(text)))
    if module:
        string(f"PyInit_{module}")
    asked = [(library, names, 0) for library, names in (versions or {}).items()]
    asked += [(library, names, 2) for library, names in (weak or {}).items()]
    verneed = bytearray()
    for number, (library, names, flags) in enumerate(asked):
        size = 16 + 16 * len(names)
        following = size if number < len(asked) - 1 else 0
        verneed += struct.pack(f"{order}HHIII", 1, len(names), string(library), 16, following)
        for index, name in enumerate(names):
            following = 16 if index < len(names) - 1 else 0
            verneed += struct.pack(f"{order}IHHII", 0, flags, 2, string(name), following)

    wide = bits == 64
    header_size, program_size = (64, 56) if wide else (52, 32)
    base = 0x10000  # where the file is loaded: an address is no offset
    at = header_size + 2 * program_size + padding
    string_offset, at = at, at + len(strings)
    verneed_offset, at = at, at + len(verneed)
    tags += [(_DT["STRTAB"], base + string_offset), (_DT["STRSZ"], len(strings))]
    if asked:
        tags += [(_DT_VERNEED, base + verneed_offset), (_DT_VERNEEDNUM, len(asked))]
    word = "Q" if wide else "I"
    dynamic = b"".join(struct.pack(f"{order}{word}{word}", *tag) for tag in [*tags, (0, 0)])
    dynamic_offset, end = at, at + len(dynamic)

    def program(kind: int, offset: int, size: int) -> bytes:
        address = base + offset
        if wide:
            return struct.pack(f"{order}IIQQQQQQ", kind, 6, offset, address, address, size, size, 8)
        return struct.pack(f"{order}IIIIIIII", kind, offset, address, address, size, size, 6, 8)

    identification = struct.pack("4sBBB9x", b"\x7fELF", 2 if wide else 1, 1 if little else 2, 1)
    rest = (0, header_size, 0, 0, header_size, program_size, 2, 0, 0, 0)
    header = identification + struct.pack(f"{order}HHI{word * 3}IHHHHHH", kind, machine, 1, *rest)
    programs = program(1, 0, end) + program(2, dynamic_offset, len(dynamic))
    return header + programs + b"\x90" * padding + bytes(strings) + bytes(verneed) + dynamic
