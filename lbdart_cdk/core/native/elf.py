"""What one ELF file asks of the machine it is loaded on.

Read as the dynamic loader does, by program headers and the dynamic segment: sections may be stripped, and
nothing of them is believed. Sources: *System V ABI* (program headers, dynamic section), *LSB Core* (symbol
versions), ``ld.so(8)`` for DT_RPATH and DT_RUNPATH.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAGIC: Final = b"\x7fELF"

#: What is loaded: libraries, extension modules and programs. Objects to be linked (.o) are not.
_LOADED_TYPES: Final = ("ET_DYN", "ET_EXEC")
_MACHINES: Final = {
    ("EM_X86_64", 64, True): "x86_64",
    ("EM_AARCH64", 64, True): "aarch64",
}
# Files come from strangers: beyond these a file is not read on. Real ones stay far below.
_MOST_HEADERS: Final = 256
_MOST_TAGS: Final = 4096
_MOST_VERSIONS: Final = 4096
_LONGEST_NAME: Final = 4096
_LARGEST_STRINGS: Final = 64 << 20
_WEAK: Final = 0x2


class UnreadableElfError(Exception):
    """The file begins as an ELF file and does not go on as one."""


@dataclass(frozen=True, slots=True)
class Elf:
    """A file that the loader can be asked to load.

    ``machine`` is as in wheel tags when it is one of Lambda's; ``search`` are the directories of DT_RUNPATH,
    else of DT_RPATH; ``versions`` are pairs of a library and a symbol version needed of it; ``module`` tells
    whether it has the function that makes it a Python extension module of its file's name.
    """

    machine: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    module: bool = False


def read_elf(stream: IO[bytes], module: str = "") -> Elf | None:
    """Return what the file asks for, or None for one that is never loaded, such as an object file.

    ``stream`` must be seekable; ``module`` is the name by which Python would import it. Raises
    :class:`UnreadableElfError` for whatever is wrong with the file.
    """
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(stream)
        return _read(elf, stream, module) if elf["e_type"] in _LOADED_TYPES else None
    except UnreadableElfError:
        raise
    except Exception as error:
        # The parser has no one exception for a damaged file: wild values end in errors of any kind.
        said = str(error).partition("\n")[0] or type(error).__name__
        raise UnreadableElfError(said) from error


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
    found = dict(tags)
    if "DT_STRTAB" not in found:
        return Elf(machine)
    strings = _Strings(stream, _offset(loads, found["DT_STRTAB"]))
    search = found.get("DT_RUNPATH", found.get("DT_RPATH"))
    return Elf(
        machine,
        soname=strings.at(found["DT_SONAME"]) if "DT_SONAME" in found else "",
        needed=tuple(strings.at(value) for tag, value in tags if tag == "DT_NEEDED"),
        search=tuple(part for part in strings.at(search).split(":") if part) if search is not None else (),
        versions=tuple(_versions(elf, loads, found, strings)),
        module=bool(module) and strings.has(f"PyInit_{module}", found.get("DT_STRSZ", 0)),
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
    elf: ELFFile, loads: list[tuple[int, int, int]], found: dict[str, int], strings: _Strings
) -> Iterator[tuple[str, str]]:
    if "DT_VERNEED" not in found:
        return
    left = _MOST_VERSIONS
    at = _offset(loads, found["DT_VERNEED"])
    for _ in range(min(found.get("DT_VERNEEDNUM", 0), _MOST_VERSIONS)):
        need = _struct(elf.structs.Elf_Verneed, elf.stream, at)
        library = strings.at(need["vn_file"])
        one_at = at + need["vn_aux"]
        for _ in range(need["vn_cnt"]):
            left -= 1
            if left < 0:
                raise UnreadableElfError("it needs more symbol versions than a file can")
            one = _struct(elf.structs.Elf_Vernaux, elf.stream, one_at)
            if not one["vna_flags"] & _WEAK:
                yield library, strings.at(one["vna_name"])
            if not one["vna_next"]:
                break
            one_at += one["vna_next"]
        if not need["vn_next"]:
            return
        at += need["vn_next"]


def _offset(loads: list[tuple[int, int, int]], address: int) -> int:
    """Return where in the file an address of memory is kept."""
    for start, size, offset in loads:
        if start <= address < start + size:
            return address - start + offset
    raise UnreadableElfError(f"the address {address:#x} is in no part of the file")


def _struct(layout: Any, stream: IO[bytes], offset: int) -> Any:
    stream.seek(offset)
    return layout.parse_stream(stream)


@dataclass(frozen=True, slots=True)
class _Strings:
    """The table of names that the dynamic section refers to."""

    stream: IO[bytes]
    offset: int

    def at(self, position: int) -> str:
        self.stream.seek(self.offset + position)
        name, end, _ = self.stream.read(_LONGEST_NAME).partition(b"\0")
        if not end:
            raise UnreadableElfError("one of its names does not end")
        text = name.decode(errors="replace")
        return text if text.isprintable() else ascii(text)

    def has(self, name: str, size: int) -> bool:
        self.stream.seek(self.offset)
        return b"\0" + name.encode() + b"\0" in self.stream.read(min(size, _LARGEST_STRINGS))
