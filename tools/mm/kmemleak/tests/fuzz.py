#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs kmemleak scan and why on images that are damaged at random.

usage: fuzz.py KMEMLEAK IMAGE SECONDS [SEED]

KMEMLEAK is built with sanitizers (make SAN=-fsanitize=address,undefined O=...). An image
of gen_image is small enough for some runs a second. Words are damaged where they matter:
in pages that hold more than zeros, by bits, by other words of the image, by limits of
numbers. Each run has to end by itself, with a status of kmemleak(8), in 20 s. Prints TAP.
"""

import os
import random
import subprocess
import sys
import tempfile
import time

INTERESTING = [0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1, 2**64 - 8, 4096]


def damage(data: bytearray, pages: list[int], rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 5, 20, 200, 2000])):
        at = rng.choice(pages) + rng.randrange(512) * 8
        kind = rng.randrange(5)
        if kind == 0:
            data[at + rng.randrange(8)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            other = rng.choice(pages) + rng.randrange(512) * 8
            data[at:at + 8] = data[other:other + 8]
        elif kind == 2:
            data[at:at + 8] = rng.choice(INTERESTING).to_bytes(8, "little")
        elif kind == 3:
            value = int.from_bytes(data[at:at + 8], "little") + rng.choice([-4096, -8, -1, 1, 8, 4096])
            data[at:at + 8] = (value % 2**64).to_bytes(8, "little")
        else:
            data[at:at + 8] = rng.randbytes(8)


def run(command: list[str]) -> str:
    """What is wrong with how it ended, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "does not end"
    if done.returncode not in range(7) or b"Sanitizer" in done.stderr or b"runtime error" in done.stderr:
        return f"status {done.returncode}: " + done.stderr.decode(errors="replace")[:1500]
    return ""


# a command that ends leaves its memory to the system
os.environ["ASAN_OPTIONS"] = "detect_leaks=0"


def main(tool: str, image: str, seconds: str, seed: str = "1") -> int:
    with open(image, "rb") as f:
        good = f.read()
    pages = [at for at in range(4096, len(good) - 4095, 4096) if any(good[at:at + 4096])]
    # most of them are objects and struct pages: the first have what leads to these
    weighted = pages[:64] * 20 + [at for at in pages if at < 12 << 20] * 4 + pages
    end, runs = time.monotonic() + float(seconds), 0
    while time.monotonic() < end:
        rng = random.Random(int(seed) + runs)
        data = bytearray(good)
        damage(data, weighted, rng)
        with tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as f:
            f.write(data)
            f.flush()
            for command in ([tool, "scan", "-q", "--all", "-i", f.name],
                            [tool, "why", "-q", "-i", f.name, "ffff888004000000"]):
                wrong = run(command)
                if wrong:
                    print("# " + wrong.replace("\n", "\n# "))
                    print(f"not ok 1 - a damaged image, seed {int(seed) + runs}\n1..1")
                    return 1
        runs += 1
    print(f"ok 1 - {runs} damaged images\n1..1")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
