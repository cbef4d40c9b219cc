"""Every mutant of cargo-mutants' list, from one build: the mutants are compiled in, each behind a switch.

    cargo install cargo-mutants --locked
    python3 tools/mutants/run.py emobox-score emobox-probe emobox-features emobox-corpus:src/partition
    SLOW=20 python3 tools/mutants/run.py emobox-bench:src/cell@emobox-bench+emobox

Copies HEAD to target/mutants/tree, writes the mutants into the copy (src/main.rs), leaves out those that do not compile, and runs each against
the tests of its package (or of those after @) that reach it, the fastest first, until one fails. A run that was stopped goes on where it was. A test above SLOW
seconds takes no part (simulations), nor does one whose name ONLY, a regular expression, does not find. Prints a row a package and the survivors.
Minutes where a build a mutant would take days.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE, OUT = ROOT / "tools/mutants", ROOT / "target/mutants"
TREE = OUT / "tree"
JOBS, SLOW = os.cpu_count(), float(os.environ.get("SLOW", "4"))
ONLY = re.compile(os.environ.get("ONLY", ""))
CARGO = dict(os.environ, CARGO_TARGET_DIR=str(OUT / "target"))


def output(*call, **options):
    done = subprocess.run(call, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, call))}\n{done.stderr[-3000:]}")
    return done.stdout


def asked(entry):
    """PACKAGE[:PART OF A PATH][@PACKAGES OF THE TESTS, WITH + BETWEEN]"""
    room, _, tests = entry.partition("@")
    package, _, part = room.partition(":")
    return package, part, tuple((tests or package).split("+"))


def listed(wanted):
    """The mutants, numbered, and why some of them are left out from the start."""
    mutants = []
    for package, part, _ in map(asked, wanted):
        found = json.loads(output("cargo", "mutants", "--list", "--json", "-p", package, "-d", ROOT))
        mutants += [mutant for mutant in found if part in mutant["file"]]
    left_out = {}
    for number, mutant in enumerate(mutants, 1):
        mutant["id"] = number
        if "::std::iter::" in mutant["replacement"]:
            left_out[number] = "not tried"  # `impl Iterator` is one type
    return mutants, left_out


def write(mutants, left_out):
    request = json.dumps({"from": str(ROOT), "to": str(TREE), "excluded": sorted(left_out), "mutants": mutants})
    written = json.loads(output(OUT / "target/debug/mutants", input=request))
    for folder in {mutant["file"].split("/src/")[0] for mutant in mutants}:
        (TREE / folder / "src/__mutant.rs").write_text((HERE / "src/active.rs").read_text())
        lib = TREE / folder / "src/lib.rs"
        if "mod __mutant;" not in lib.read_text():
            lib.write_text(lib.read_text() + "\n#[doc(hidden)]\npub mod __mutant;\n")
    return {file["file"]: file for file in written}


def blame(message, written, mutants, left_out):
    """Leaves out the mutants that an error of the compiler is about; whether there were any."""
    before = len(left_out)
    for span in (span for span in message["spans"] if span["is_primary"] and span["file_name"] in written):
        file, start, end = written[span["file_name"]], span["byte_start"], span["byte_end"]
        copies = [copy for copy in file["ranges"] if copy[1] <= start and end <= copy[2]]
        around = [at for at in file["switches"] if at[1] <= start and end <= at[2] or start <= at[1] and at[2] <= end]
        size = lambda region: region[2] - region[1]
        if copies:
            left_out.setdefault(min(copies, key=size)[0], "does not compile")
        elif (message.get("code") or {}).get("code") == "E0004":  # arms are missing; the error stands at the match
            for mutant in mutants:
                line = mutant["span"]["start"]["line"] - span["line_start"]
                if mutant["file"] == span["file_name"] and mutant["genre"] == "MatchArm" and 0 <= line <= 12:
                    left_out.setdefault(mutant["id"], "does not compile")
        elif around:
            for number in min(around, key=size)[0]:
                left_out.setdefault(number, "not tried")
    return len(left_out) > before


def instrument(packages, mutants, left_out):
    subprocess.run(["rm", "-rf", TREE], check=True)
    TREE.mkdir(parents=True)
    subprocess.run(f"git archive HEAD | tar -x -C {TREE}", shell=True, check=True, cwd=ROOT)
    manifest = TREE / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('unsafe_code = "forbid"', 'unsafe_code = "allow"'))
    output("cargo", "build", "--manifest-path", HERE / "Cargo.toml", env=CARGO)
    while True:
        written = write(mutants, left_out)
        for file in written.values():
            left_out |= {number: "not tried" for number in file["lost"] if number not in left_out}
        call = ["cargo", "check", "--message-format=json", "--keep-going", *(f"-p{package}" for package in packages)]
        done = subprocess.run(call, cwd=TREE, env=CARGO, capture_output=True, text=True)
        if done.returncode == 0:
            return
        messages = [line["message"] for line in map(json.loads, done.stdout.splitlines()) if line["reason"] == "compiler-message"]
        errors = [message for message in messages if message["level"] == "error"]
        if not any([blame(message, written, mutants, left_out) for message in errors]):
            sys.exit("no mutant is to blame for\n" + "\n".join(error["rendered"] for error in errors))


def call(test, names, seconds, **variables):
    (program, folder), start = test, time.time()
    environment = dict(os.environ, CARGO_MANIFEST_DIR=str(folder), RUST_BACKTRACE="0", **variables)
    try:
        done = subprocess.run([program, "--exact", *names, "--test-threads=1"], cwd=folder, env=environment, capture_output=True, timeout=seconds)
        return done.returncode, time.time() - start
    except subprocess.TimeoutExpired:
        return "time", time.time() - start


def tests_of(packages):
    """The tests of packages with their seconds, and those that reach each mutant; a test is its program with its folder, and its name."""
    chosen = [f"-p{package}" for package in packages]
    lines = output("cargo", "test", "--no-run", "--message-format=json", *chosen, "--tests", cwd=TREE, env=CARGO).splitlines()
    artifacts = [line for line in map(json.loads, lines) if line["reason"] == "compiler-artifact"]
    jobs = []
    for artifact in (artifact for artifact in artifacts if artifact["profile"]["test"] and artifact["executable"]):
        test, folder = artifact["executable"], pathlib.Path(artifact["manifest_path"]).parent
        names, ignored = (set(output(test, "--list", *more, cwd=folder).splitlines()) for more in ([], ["--ignored"]))
        jobs += [((test, folder), name.removesuffix(": test")) for name in sorted(names - ignored) if name.endswith(": test") and ONLY.search(name)]
    covers = OUT / "covers"
    covers.mkdir(exist_ok=True)

    def cover(job):
        path = covers / f"{os.path.basename(job[0][0])}-{job[1].replace('::', '.')}"
        path.unlink(missing_ok=True)
        code, seconds = call(job[0], [job[1]], 900, MUTANT_COVER=str(path))
        return job, code, seconds, path.read_text().split() if path.exists() else []

    took, reach = {}, collections.defaultdict(list)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for job, code, seconds, numbers in pool.map(cover, jobs):
            if code != 0 or seconds > SLOW:
                print(f"left out: {job[1]} ({'fails' if code else f'{seconds:.0f} s'})", flush=True)
                continue
            took[job] = seconds
            for number in numbers:
                reach[int(number)].append(job)
    return took, reach


def verdict(mutant, took, reach):
    groups = []
    for job in sorted(reach[mutant["id"]], key=took.get):
        alike = [group for group in groups if group[0][0] == job[0] and sum(map(took.get, group)) + took[job] < 1]
        if alike:
            alike[0].append(job)
        else:
            groups.append([job])
    for group in groups:
        seconds = 20 + 5 * sum(map(took.get, group))
        code, _ = call(group[0][0], [name for _, name in group], seconds, MUTANT=str(mutant["id"]))
        if code != 0:
            return "caught by time" if code == "time" else "caught"
    return "missed" if groups else "missed: no test reaches it"


def run(package, tests, mutants, left_out):
    own = [mutant for mutant in mutants if mutant["package"] == package]
    path = OUT / f"{package}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    took, reach = tests_of(tests)
    todo = [mutant for mutant in own if mutant["id"] not in left_out and mutant["name"] not in known]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for mutant, found in zip(todo, pool.map(lambda mutant: verdict(mutant, took, reach), todo)):
            known[mutant["name"]] = found
            path.write_text(json.dumps(known, indent=0))
    found = [known.get(mutant["name"], left_out.get(mutant["id"])) for mutant in own]
    count = collections.Counter(word.split(":")[0] for word in found)
    row = [len(own), count["caught"], count["caught by time"], count["missed"], count["does not compile"], count["not tried"]]
    print(f"| {package} | {' | '.join(map(str, row))} |")
    for mutant, word in zip(own, found):
        if word.startswith("missed"):
            print(f"{word}: {mutant['name']}", flush=True)


if __name__ == "__main__":
    mutants, left_out = listed(sys.argv[1:])
    rooms = {package: tests for package, _, tests in map(asked, sys.argv[1:])}
    instrument(rooms, mutants, left_out)
    print("| package | mutants | caught | caught by time | missed | do not compile | not tried |\n|---|---:|---:|---:|---:|---:|---:|")
    for package, tests in rooms.items():
        run(package, tests, mutants, left_out)
