# SPDX-License-Identifier: GPL-2.0-only
"""The edits that the overlay makes to files of a kernel tree.

EDITS at the end is the whole list, one row for each edit. Each function takes the
original text and returns the new one. If the context is not there, it raises Missing,
which says what it looked for.
"""

import re
from typing import Callable, NamedTuple


class Missing(Exception):
    """The text that an edit needs is not in the file."""


class Edit(NamedTuple):
    path: str
    apply: Callable[[str], str]
    # The edit is made only if this checkout has a file whose path begins like this.
    when: str


def whole_line(line: str) -> re.Pattern[str]:
    """That line; blanks inside it may differ in number, and those around it do not count."""
    return re.compile(r"^[ \t]*" + r"[ \t]+".join(map(re.escape, line.split())) + r"[ \t]*$", re.M)


def replace_line(old: str, new: str) -> Callable[[str], str]:
    """Replace one whole line, which must occur once."""
    pattern = whole_line(old)

    def apply(text: str) -> str:
        if len(pattern.findall(text)) != 1:
            raise Missing(f"exactly one line '{old}'")
        return pattern.sub(lambda _: new, text)

    return apply


def drop_object_flags(name: str, known: tuple[str, ...]) -> Callable[[str], str]:
    """Drop the opt-outs 'FLAG_<name>.o := n' of one object.

    Our own Makefile has the known ones. An unknown one would be lost silently, so it
    is refused.
    """

    def apply(text: str) -> str:
        for flag in known:
            if not re.search(rf"^{flag}_{name}\.o\s*:=\s*n$", text, re.M):
                raise Missing(f"a line '{flag}_{name}.o := n'")
        text = re.sub(rf"^(?:{'|'.join(known)})_{name}\.o[ \t]*:=[ \t]*n\n", "", text, flags=re.M)
        rest = re.search(rf"^\w+_{name}\.o\b.*$", text, re.M)
        if rest:
            raise Missing(f"no other setting of {name}.o than {', '.join(known)} (found '{rest[0]}')")
        return text

    return apply


_KCONFIG_ENTRY = re.compile(
    r"^(?:config|menuconfig|choice|endchoice|comment|menu|endmenu|if|endif|source)\b", re.M
)


def kconfig_blocks(text: str, option: str) -> list[tuple[int, int, str]]:
    """(start, end, name) of each 'config <option>' and 'config <option>_*' block."""
    blocks = []
    for m in re.finditer(rf"^config ({option}(?:_\w+)?)$", text, re.M):
        after = _KCONFIG_ENTRY.search(text, m.end())
        blocks.append((m.start(), after.start() if after else len(text), m[1]))
    return blocks


def source_kconfig(option: str, source: str) -> Callable[[str], str]:
    """Replace an option's blocks, which must be neighbours, by one source line."""

    def apply(text: str) -> str:
        blocks = kconfig_blocks(text, option)
        if not blocks or blocks[0][2] != option:
            raise Missing(f"a block 'config {option}'")
        for (_, end, name), (start, _, other) in zip(blocks, blocks[1:]):
            if end != start:
                raise Missing(f"'config {other}' right after 'config {name}'")
        head, tail = text[: blocks[0][0]], text[blocks[-1][1] :]
        return f'{head}source "{source}"\n' + (f"\n{tail}" if tail else "")

    return apply


def insert_sorted(prefix: str, word: str, after: str, heading: str = "") -> Callable[[str], str]:
    """Add the line prefix+word after the last line that sorts before it.

    The list is the run of lines 'prefix<word>' that holds the line
    prefix+after; with a heading, the first such run below it.
    """
    entry = re.compile(rf"^{re.escape(prefix)}(\S+)$")

    def apply(text: str) -> str:
        lines = text.split("\n")
        first = 0
        if heading:
            if heading not in lines:
                raise Missing(f"the heading '{heading}'")
            first = lines.index(heading)
        if prefix + after not in lines[first:]:
            raise Missing(f"a line '{(prefix + after).strip()}'")
        at = lines.index(prefix + after, first)
        while at + 1 < len(lines):
            m = entry.match(lines[at + 1])
            if not m or m[1] > word:
                break
            at += 1
        lines.insert(at + 1, prefix + word)
        return "\n".join(lines)

    return apply


def append_after(anchor: str, *new: str) -> Callable[[str], str]:
    """Add lines after a line that must occur once (files of architectures)."""
    pattern = whole_line(anchor)

    def apply(text: str) -> str:
        if len(pattern.findall(text)) != 1:
            raise Missing(f"exactly one line '{anchor}'")
        return pattern.sub(lambda m: "\n".join((m[0], *new)), text)

    return apply


def replace_below(heading: str, old: str, *new: str) -> Callable[[str], str]:
    """Replace the first line 'old' of the paragraph that begins with the line heading."""
    start = whole_line(heading)
    pattern = whole_line(old)

    def apply(text: str) -> str:
        heads = list(start.finditer(text))
        if len(heads) != 1:
            raise Missing(f"exactly one line '{heading}'")
        end = text.find("\n\n", heads[0].end())
        m = pattern.search(text, heads[0].end(), end if end >= 0 else len(text))
        if not m:
            raise Missing(f"a line '{old}' in the paragraph of '{heading}'")
        return text[: m.start()] + "\n".join(new) + text[m.end() :]

    return apply


# An architecture with files of its own needs rows here and nothing else. The order only
# matters between rows of one file.
EDITS = (
    Edit("mm/Makefile",
         drop_object_flags("kmemleak", ("KASAN_SANITIZE", "KCSAN_SANITIZE", "KCOV_INSTRUMENT")),
         "mm/kmemleak/"),
    Edit("mm/Makefile",
         replace_line("obj-$(CONFIG_DEBUG_KMEMLEAK) += kmemleak.o",
                      "obj-$(CONFIG_DEBUG_KMEMLEAK) += kmemleak/"),
         "mm/kmemleak/"),
    Edit("mm/Kconfig.debug",
         source_kconfig("DEBUG_KMEMLEAK", "mm/kmemleak/Kconfig"),
         "mm/kmemleak/"),
    Edit("tools/testing/selftests/Makefile",
         insert_sorted("TARGETS += ", "kmemleak", after="kexec"),
         "tools/testing/selftests/kmemleak/"),
    # Texts with the name of the file that is removed, or with the option's words.
    Edit("Documentation/core-api/mm-api.rst",
         replace_line(".. kernel-doc:: mm/kmemleak.c", ".. kernel-doc:: mm/kmemleak/hooks.c"),
         "mm/kmemleak/"),
    Edit("Documentation/admin-guide/kernel-parameters.txt",
         replace_below("kmemleak= [KNL,EARLY] Boot-time kmemleak enable/disable",
                       "Valid arguments: on, off",
                       "\t\t\tValid arguments: on, off, parallel; or a list of",
                       "\t\t\tthem with commas between: on,parallel",
                       "\t\t\tWith parallel, all housekeeping CPUs scan.",
                       "\t\t\tSee Documentation/dev-tools/kmemleak.rst"),
         "mm/kmemleak/"),
    Edit("MAINTAINERS",
         append_after("F: Documentation/dev-tools/kmemleak.rst",
                      "F:\tDocumentation/mm/kmemleak-internals.rst",
                      "F:\tarch/*/include/asm/kmemleak*.h",
                      "F:\tarch/*/lib/kmemleak-*"),
         "mm/kmemleak/"),
    Edit("MAINTAINERS",
         replace_line("F: mm/kmemleak.c",
                      "F:\tinclude/linux/kmemleak_*.h\n"
                      "F:\tinclude/trace/events/kmemleak.h\nF:\tmm/kmemleak/"),
         "mm/kmemleak/"),
    Edit("MAINTAINERS",
         append_after("F: samples/kmemleak/kmemleak-test.c",
                      "F:\ttools/testing/selftests/kmemleak/"),
         "tools/testing/selftests/kmemleak/"),
    Edit("Documentation/mm/index.rst",
         insert_sorted("   ", "kmemleak-internals", after="hwpoison",
                       heading="Unsorted Documentation"),
         "Documentation/mm/kmemleak-internals.rst"),
    Edit("arch/x86/Kconfig",
         append_after("select HAVE_ARCH_KFENCE",
                      "\tselect HAVE_ARCH_KMEMLEAK_FILTER\t\tif X86_64",
                      "\tselect HAVE_ARCH_KMEMLEAK_STACK\t\tif X86_64 && UNWINDER_ORC"),
         "arch/x86/lib/"),
    Edit("arch/x86/lib/Makefile",
         append_after("obj-y += iomem.o",
                      "obj-$(CONFIG_KMEMLEAK_ARCH_FILTER) += kmemleak-filter-avx2.o",
                      "obj-$(CONFIG_KMEMLEAK_ARCH_FILTER) += kmemleak-filter-glue.o",
                      "obj-$(CONFIG_KMEMLEAK_ARCH_STACK) += kmemleak-unwind.o"),
         "arch/x86/lib/"),
    Edit("arch/um/Kconfig",
         append_after("select HAVE_ARCH_KASAN_VMALLOC if HAVE_ARCH_KASAN",
                      "\tselect HAVE_ARCH_KMEMLEAK_FILTER if X86_64"),
         "arch/x86/lib/"),
    Edit("arch/x86/um/Makefile",
         append_after("subarch-$(CONFIG_MODULES) += ../kernel/module.o",
                      "subarch-$(CONFIG_KMEMLEAK_ARCH_FILTER) += ../lib/kmemleak-filter-avx2.o \\",
                      "\t../lib/kmemleak-filter-glue.o"),
         "arch/x86/lib/"),
    Edit("arch/arm64/Kconfig",
         append_after("select HAVE_ARCH_KGDB",
                      "\tselect HAVE_ARCH_KMEMLEAK_FILTER if KERNEL_MODE_NEON && !CPU_BIG_ENDIAN",
                      "\tselect HAVE_ARCH_KMEMLEAK_STACK"),
         "arch/arm64/lib/"),
    Edit("arch/arm64/lib/Makefile",
         append_after("obj-$(CONFIG_ARM64_MTE) += mte.o",
                      "",
                      "obj-$(CONFIG_KMEMLEAK_ARCH_FILTER) += kmemleak-filter-glue.o kmemleak-filter-neon.o",
                      "CFLAGS_kmemleak-filter-neon.o += $(CC_FLAGS_FPU)",
                      "CFLAGS_REMOVE_kmemleak-filter-neon.o += $(CC_FLAGS_NO_FPU)",
                      "obj-$(CONFIG_KMEMLEAK_ARCH_STACK) += kmemleak-unwind.o"),
         "arch/arm64/lib/"),
)

# Files of the tree that ours replace; the overlay removes them.
REMOVED = ("mm/kmemleak.c",)
