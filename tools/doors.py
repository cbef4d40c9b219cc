#!/usr/bin/env python3
"""The rooms: lines, names that each exports, how many of them nobody outside uses, what it depends on.

    tools/doors.py [ROOM]    with a room, the names that nobody outside uses

Looks at `pub use` and `pub fn` of every crates/*/src/lib.rs; use is a word in another room, a test, an example or a fuzz target.
"""
import re
import sys
from pathlib import Path

CRATES = Path(__file__).resolve().parent.parent / "crates"


def exported(lib: str) -> set[str]:
    names = set(re.findall(r"^pub (?:fn|mod|struct|enum|const|trait|type) (\w+)", lib, re.M))
    for path in re.findall(r"^pub use ([^;]+);", lib, re.M):
        group = re.search(r"\{(.*)\}", path, re.S)
        parts = group.group(1).split(",") if group else [path.split("::")[-1]]
        names |= {part.split(" as ")[-1].strip() for part in parts if part.strip()}
    return names


def words(files) -> set[str]:
    found: set[str] = set()
    for file in files:
        found |= set(re.findall(r"\w+", file.read_text()))
    return found


rooms = sorted(folder for folder in CRATES.iterdir() if folder.is_dir())
texts = {room.name: words((room / "src").rglob("*.rs")) for room in rooms}
tests = {
    room.name: words(file for part in ("tests", "examples", "benches") for file in (room / part).rglob("*.rs"))
    for room in rooms
}
fuzz = words(
    file for part in ("src", "fuzz_targets") for file in (CRATES.parent / "fuzz" / part).rglob("*.rs")
)
if len(sys.argv) < 2:
    print("| room | lines | names | of them unused outside | depends on |\n|---|---:|---:|---:|---|")
for room in rooms:
    lib = room / "src/lib.rs"
    names = exported(lib.read_text()) if lib.exists() else set()
    outside = fuzz.union(*(texts[r.name] | tests[r.name] for r in rooms if r != room), tests[room.name])
    unused = sorted(names - outside)
    lines = sum(len(file.read_text().splitlines()) for file in (room / "src").rglob("*.rs"))
    needs = re.findall(r"^emobox-(\w+)", (room / "Cargo.toml").read_text().split("[dev-dependencies]")[0], re.M)
    if len(sys.argv) < 2:
        print(f"| {room.name} | {lines} | {len(names)} | {len(unused)} | {', '.join(needs) or '–'} |")
    elif sys.argv[1] == room.name:
        print(*unused, sep="\n")
