//! The named invariants of ARCHITECTURE.md, each checked by the test of the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below `folder` with this extension, as (path from the repository, text).
fn sources(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = repository();
    let mut pending = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn crates() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(repository().join("crates"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The rooms of a crate's `[dependencies]` (not of its tests).
fn dependencies(room: &str) -> Vec<String> {
    let path = repository().join("crates").join(room).join("Cargo.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        } else if section == "dependencies"
            && let Some(rest) = line.strip_prefix("emobox-")
        {
            let name: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            found.push(name);
        }
    }
    found
}

/// The code map of ARCHITECTURE.md: rows `| crates/<room> | … | may use: a, b |`.
fn code_map() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let room = cells.first()?.strip_prefix("`crates/")?.strip_suffix('`')?;
            let uses = cells.get(2)?;
            let uses = uses.split(',').map(|name| name.trim().to_owned());
            Some((
                room.to_owned(),
                uses.filter(|name| !name.is_empty() && name != "–")
                    .collect(),
            ))
        })
        .collect()
}

#[test]
fn one_direction() {
    let map = code_map();
    assert_eq!(
        map.keys().cloned().collect::<Vec<_>>(),
        crates(),
        "the code map of ARCHITECTURE.md lists exactly the folders of crates/"
    );
    for (room, allowed) in &map {
        for used in dependencies(room) {
            assert!(
                allowed.contains(&used),
                "crates/{room} uses crates/{used}; ARCHITECTURE.md allows it {allowed:?}"
            );
        }
    }
}

#[test]
fn unsafe_in_two_rooms() {
    for (path, text) in sources("crates", "rs") {
        let rooms = ["crates/kernels/", "crates/gpu/"];
        if rooms.iter().any(|room| path.starts_with(room)) || path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        let offending = text.lines().find(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe ") && !code.contains('"')
        });
        assert_eq!(offending, None, "{path}");
    }
}

#[test]
fn one_printer() {
    for (path, text) in sources("crates", "rs") {
        let is_program = path.contains("/src/") && path != "crates/cli/src/output.rs";
        if !is_program {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        for macro_name in ["println!(", "print!(", "eprintln!(", "eprint!("] {
            assert!(!program.contains(macro_name), "{path} prints");
        }
    }
}

#[test]
fn whole_files_only() {
    for (path, text) in sources("crates", "rs") {
        let rooms = ["crates/files/", "crates/fuzz/"];
        if !path.contains("/src/") || rooms.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in ["fs::write(", "File::create("] {
            assert!(
                !program.contains(call),
                "{path} calls {call}…): write through emobox_files, so that no reader sees half a file"
            );
        }
    }
}

#[test]
fn rooms_stay_readable() {
    // Tables of facts may be long; code may not.
    let tables = ["crates/report/src/paper/", "crates/encoder/src/zoo"];
    for (path, text) in sources("crates", "rs") {
        if path.contains("/tests/") || tables.iter().any(|table| path.starts_with(table)) {
            continue;
        }
        let lines = text.lines().count();
        assert!(lines <= 600, "{path} has {lines} lines; split it by role");
    }
}

#[test]
fn no_silenced_lint_without_a_reason() {
    for (path, text) in sources("crates", "rs") {
        if path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        // A module that several test binaries include cannot use `expect` for lints that only some of them raise.
        let shared = path.ends_with("tests/common/mod.rs") && text.contains("reason = ");
        let silenced = text.contains("#[allow(") || text.contains("#![allow(");
        assert!(shared || !silenced, "{path}: use #[expect(…, reason = …)]");
    }
}

#[test]
fn every_kind_of_siblings_is_listed_once() {
    // A recipe file without a registry line would compile to nothing: say so instead.
    let registry = std::fs::read_to_string(repository().join("crates/corpus/src/recipes/mod.rs"))
        .or_else(|_| std::fs::read_to_string(repository().join("crates/corpus/src/recipes.rs")))
        .unwrap();
    for (path, _) in sources("crates/corpus/src/recipes", "rs") {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        if name != "mod" {
            assert!(
                registry.contains(name),
                "{path} is not named in the recipe registry"
            );
        }
    }
}
