"""Read what an ELF file needs from the machine that loads it.

Reads as the dynamic loader does: the program headers and the dynamic segment. It ignores sections, which may
be stripped or wrong. Sources: *System V ABI* (program headers, dynamic section), *LSB Core* (symbol
versions), ``ld.so(8)`` for DT_RPATH and DT_RUNPATH.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAGIC: Final = b"\x7fELF"

#: Types that a loader loads: libraries, extension modules and programs, but not object files (.o).
_LOADED_TYPES: Final = ("ET_DYN", "ET_EXEC")
_MACHINES: Final = {
    ("EM_X86_64", 64, True): "x86_64",
    ("EM_AARCH64", 64, True): "aarch64",
}
# Limits for hostile files. Real files stay far below them.
_MOST_HEADERS: Final = 256
_MOST_TAGS: Final = 4096
_MOST_VERSIONS: Final = 4096
_LONGEST_NAME: Final = 4096
_LARGEST_STRINGS: Final = 64 << 20
_WEAK: Final = 0x2


class UnreadableElfError(Exception):
    """A file that starts as an ELF file but is damaged."""


@dataclass(frozen=True, slots=True)
class Elf:
    """What a library, extension module or program needs from the machine.

    :param machine: the machine it is built for; one of Lambda's is spelled as in wheel tags.
    :param soname: its own name as a library (DT_SONAME).
    :param needed: the libraries that it links with (DT_NEEDED).
    :param search: the directories of DT_RUNPATH, else of DT_RPATH.
    :param versions: pairs of a library and a symbol version that the file needs from it.
    :param module: whether it has the init function of a Python extension module with its file's name.
    """

    machine: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    module: bool = False


def read_elf(stream: IO[bytes], module: str = "") -> Elf | None:
    """Return what the file needs, or None for a file that no loader loads, such as an object file.

    :param stream: the file; must be seekable.
    :param module: the name by which Python would import it.
    :raises UnreadableElfError: when the file is damaged.
    """
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(stream)
        return _read(elf, stream, module) if elf["e_type"] in _LOADED_TYPES else None
    except UnreadableElfError:
        raise
    except Exception as error:
        # The parser raises exceptions of any kind for damaged files.
        problem = str(error).partition("\n")[0] or type(error).__name__
        raise UnreadableElfError(problem) from error


def _read(elf: ELFFile, stream: IO[bytes], module: str) -> Elf:
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    for header in _program_headers(elf):
        if header["p_type"] == "PT_LOAD":
            loads.append((header["p_vaddr"], header["p_filesz"], header["p_offset"]))
        elif header["p_type"] == "PT_DYNAMIC":
            dynamic = header["p_offset"], header["p_filesz"]
    machine = _machine(elf)
    if dynamic is None:
        return Elf(machine)
    tags = list(_tags(elf, *dynamic))
    values = dict(tags)
    if "DT_STRTAB" not in values:
        return Elf(machine)
    strings = _Strings(stream, _offset(loads, values["DT_STRTAB"]))
    search = values.get("DT_RUNPATH", values.get("DT_RPATH"))
    return Elf(
        machine,
        soname=strings.at(values["DT_SONAME"]) if "DT_SONAME" in values else "",
        needed=tuple(strings.at(value) for tag, value in tags if tag == "DT_NEEDED"),
        search=tuple(part for part in strings.at(search).split(":") if part) if search is not None else (),
        versions=tuple(_versions(elf, loads, values, strings)),
        module=bool(module) and strings.has(f"PyInit_{module}", values.get("DT_STRSZ", 0)),
    )


def _machine(elf: ELFFile) -> str:
    machine = elf["e_machine"]
    known = _MACHINES.get((machine, elf.elfclass, elf.little_endian))
    if known is not None:
        return known
    name = machine.removeprefix("EM_").lower() if isinstance(machine, str) else f"machine {machine}"
    return f"{name} ({elf.elfclass}-bit{'' if elf.little_endian else ', big-endian'})"


def _program_headers(elf: ELFFile) -> Iterator[Any]:
    count = elf["e_phnum"]
    if count > _MOST_HEADERS:
        raise UnreadableElfError(f"it has {count} program headers")
    for number in range(count):
        yield _struct(elf.structs.Elf_Phdr, elf.stream, elf["e_phoff"] + number * elf["e_phentsize"])


def _tags(elf: ELFFile, offset: int, size: int) -> Iterator[tuple[str, int]]:
    step = elf.structs.Elf_Dyn.sizeof()
    for number in range(min(size // step, _MOST_TAGS)):
        tag = _struct(elf.structs.Elf_Dyn, elf.stream, offset + number * step)
        if tag["d_tag"] == "DT_NULL":
            return
        yield str(tag["d_tag"]), tag["d_val"]


def _versions(
    elf: ELFFile, loads: list[tuple[int, int, int]], values: dict[str, int], strings: _Strings
) -> Iterator[tuple[str, str]]:
    if "DT_VERNEED" not in values:
        return
    left = _MOST_VERSIONS
    at = _offset(loads, values["DT_VERNEED"])
    for _ in range(min(values.get("DT_VERNEEDNUM", 0), _MOST_VERSIONS)):
        need = _struct(elf.structs.Elf_Verneed, elf.stream, at)
        library = strings.at(need["vn_file"])
        version_at = at + need["vn_aux"]
        for _ in range(need["vn_cnt"]):
            left -= 1
            if left < 0:
                raise UnreadableElfError(f"it needs more than {_MOST_VERSIONS} symbol versions")
            version = _struct(elf.structs.Elf_Vernaux, elf.stream, version_at)
            if not version["vna_flags"] & _WEAK:
                yield library, strings.at(version["vna_name"])
            if not version["vna_next"]:
                break
            version_at += version["vna_next"]
        if not need["vn_next"]:
            return
        at += need["vn_next"]


def _offset(loads: list[tuple[int, int, int]], address: int) -> int:
    """Return the offset in the file that the loader maps to an address."""
    for start, size, offset in loads:
        if start <= address < start + size:
            return address - start + offset
    raise UnreadableElfError(f"the address {address:#x} is in no segment of the file")


def _struct(layout: Any, stream: IO[bytes], offset: int) -> Any:
    stream.seek(offset)
    return layout.parse_stream(stream)


@dataclass(frozen=True, slots=True)
class _Strings:
    """The string table of the dynamic segment."""

    stream: IO[bytes]
    offset: int

    def at(self, position: int) -> str:
        self.stream.seek(self.offset + position)
        name, end, _ = self.stream.read(_LONGEST_NAME).partition(b"\0")
        if not end:
            raise UnreadableElfError("one of its names has no end")
        text = name.decode(errors="replace")
        return text if text.isprintable() else ascii(text)

    def has(self, name: str, size: int) -> bool:
        self.stream.seek(self.offset)
        return b"\0" + name.encode() + b"\0" in self.stream.read(min(size, _LARGEST_STRINGS))
