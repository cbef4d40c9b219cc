#!/usr/bin/env python3
"""The rooms: lines, names that each exports, how many of them nobody outside uses, what it depends on; and circles of files.

    tools/doors.py             the table, then every circle
    tools/doors.py ROOM        the names of a room that nobody outside uses
    tools/doors.py --circles   the circles alone; exits with 1 if there is one

An exported name is a `pub use` or `pub fn` of crates/*/src/lib.rs; a use is a word in another room, a test, an example or a fuzz
target. A circle is a set of files of one folder (a folder counts as one, with its mod.rs) that need each other: `use` and paths
outside tests, a name being where it is defined rather than where it is exported again.
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


def modules(source: Path) -> dict[tuple, str]:
    """The text of each module without comments and tests, by its path below the crate."""
    found = {}
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "mod" else parts
        parts = () if parts in (("lib",), ("main",)) else parts
        if parts and parts[-1] == "tests":
            continue
        text = re.sub(r"//[^\n]*", "", file.read_text())
        found[parts] = re.sub(r"#\[cfg\((?:all\()?test[^\]]*\]\s*mod \w+ \{.*", "", text, flags=re.S)
    return found


def group(text: str, start: int) -> list[list[str]]:
    """The paths in the braces that open before `start`: their beginnings, for an inner group the path before it."""
    depth, at = 1, start
    items, item = [], ""
    while depth and at < len(text):
        char = text[at]
        depth += (char == "{") - (char == "}")
        if depth == 0 or (char == "," and depth == 1):
            items.append(item)
            item = ""
        else:
            item += char
        at += 1
    heads = (re.sub(r"\{.*", "", item.strip(), flags=re.S).split(" as ")[0] for item in items)
    return [[part for part in head.split("::") if part] for head in heads if head.strip()]


def paths(text: str, module: tuple, known: dict) -> list[list[str]]:
    """Every path of a module's text that begins in this crate."""
    found = []
    for hit in re.finditer(r"\b(crate|super|self)((?:::super)*)::((?:\w+::)*)(\{|\w+)", text):
        base = {"crate": [], "self": list(module)}.get(hit[1], list(module[:-1]))
        for _ in range(hit[2].count("super")):
            base = base[:-1]
        before = base + [part for part in hit[3].split("::") if part]
        found += [before + path for path in (group(text, hit.end()) if hit[4] == "{" else [[hit[4]]])]
    children = "|".join(child[-1] for child in known if child[:-1] == module and child)
    if children:
        for hit in re.finditer(rf"(?<![\w:])({children})::((?:\w+::)*)(\{{|\w+)", text):
            before = list(module) + [hit[1]] + [part for part in hit[2].split("::") if part]
            found += [before + path for path in (group(text, hit.end()) if hit[3] == "{" else [[hit[3]]])]
    return found


def place(path: list[str], known: dict) -> tuple[tuple, str]:
    """The module that a path leads to, and the name within it."""
    at = next(n for n in range(len(path), -1, -1) if tuple(path[:n]) in known)
    return tuple(path[:at]), path[at] if at < len(path) else ""


def needs(known: dict[tuple, str]) -> dict[tuple, set[tuple]]:
    again = {}
    for module, text in known.items():
        for use in re.finditer(r"^\s*(?:pub(?:\([^)]*\))? )?use ([^;]*);", text, re.M):
            for path in paths(use[1], module, known):
                target, name = place(path, known)
                if name and target != module:
                    again[module, name] = target
    found = {}
    for module, text in known.items():
        # An export of a child's name is no need of it.
        text = re.sub(r"^\s*pub(?:\([^)]*\))? use [^;]*;", "", text, flags=re.M)
        found[module] = set()
        for path in paths(text, module, known):
            target, name = place(path, known)
            seen = set()
            while (target, name) in again and target not in seen:
                seen.add(target)
                target = again[target, name]
            if target not in ((), module):
                found[module].add(target)
    return found


def circles(source: Path) -> list[list[str]]:
    beside: dict[tuple, dict[tuple, set[tuple]]] = {}
    for a, targets in needs(modules(source)).items():
        for b in targets:
            common = next((n for n in range(min(len(a), len(b))) if a[n] != b[n]), None)
            # A file and its folder are one.
            if a and common is not None:
                beside.setdefault(a[:common], {}).setdefault(a[: common + 1], set()).add(b[: common + 1])
    found = []
    for edges in beside.values():
        reach = {}
        for start in edges:
            seen, left = set(), [start]
            while left:
                for target in edges.get(left.pop(), ()):
                    if target not in seen:
                        seen.add(target)
                        left.append(target)
            reach[start] = seen
        known = set()
        for start, seen in reach.items():
            if start in seen and start not in known:
                circle = {other for other in seen if start in reach.get(other, ())}
                known |= circle
                found.append(sorted("/".join(path) for path in circle))
    return found


rooms = sorted(folder for folder in CRATES.iterdir() if folder.is_dir())
round_and_round = [(room.name, circle) for room in rooms for circle in circles(room / "src")]
if sys.argv[1:] != ["--circles"]:
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
        needed = re.findall(r"^emobox-(\w+)", (room / "Cargo.toml").read_text().split("[dev-dependencies]")[0], re.M)
        if len(sys.argv) < 2:
            print(f"| {room.name} | {lines} | {len(names)} | {len(unused)} | {', '.join(needed) or '–'} |")
        elif sys.argv[1] == room.name:
            print(*unused, sep="\n")
if sys.argv[1:] in ([], ["--circles"]):
    for room, circle in round_and_round:
        print(f"circle in {room}: {', '.join(circle)}")
    print(f"{len(round_and_round) or 'no'} circles of files")
    sys.exit(bool(round_and_round))
