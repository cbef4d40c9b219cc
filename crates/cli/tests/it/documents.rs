//! The documentation's commands: those in `sh` blocks are run as written, all others must be accepted by the program.

use crate::program::{Program, shared, tone, wav};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Marks a block of a page that needs something unavailable in tests.
const NOT_RUN: &str = "<!-- not run here:";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README and every page, by name.
fn pages() -> Vec<(String, String)> {
    let folder = repository().join("docs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    files.extend(["README.md", "CONTRIBUTING.md"].map(|name| repository().join(name)));
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

/// The `sh` blocks of a page, and whether each is run.
fn blocks(page: &str) -> Vec<(String, bool)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut runs = true;
    while let Some(line) = lines.next() {
        if line.starts_with(NOT_RUN) {
            runs = false;
        } else if line == "```sh" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((block.join("\n"), runs));
            runs = true;
        }
    }
    blocks
}

/// Recordings of a user's own corpus: four speakers, three emotions, a folder for each emotion and speaker.
fn calls(program: &Program) {
    for speaker in 0..4 {
        for (class, emotion) in ["angry", "happy", "sad"].iter().enumerate() {
            for take in 0..2 {
                let samples = tone(class, speaker + 4 * take, 0.2);
                let name = format!("data/calls/{emotion}/s{speaker}/{take}.wav");
                program.write(&name, &wav(&samples));
            }
        }
    }
}

/// Recordings with valence, arousal and votes: six speakers, two classes.
fn rated(program: &Program) {
    let mut table = "path,label,speaker,valence,arousal,votes_angry,votes_sad\n".to_owned();
    for speaker in 0..6 {
        for take in 0..6 {
            let class = take % 2;
            let samples = tone(2 * class, speaker + 4 * take, 0.2);
            let name = format!("{speaker}-{take}.wav");
            program.write(&format!("data/rated/{name}"), &wav(&samples));
            let label = ["angry", "sad"][class];
            let (valence, arousal) = (2.0 + 0.3 * take as f64, 6.0 - 3.0 * class as f64);
            table += &format!(
                "{name},{label},s{speaker},{valence},{arousal},{},{}\n",
                3 - class * 2,
                1 + class * 2
            );
        }
    }
    program.write("data/rated/labels.csv", table.as_bytes());
}

/// Probes of single commands are trained for few epochs.
const BRIEF: &str = r#"
emobox() {
  case "$1 $*" in
    "train "* | "fit "* | "bench "*--corpus*) command emobox "$@" --epochs 4 ;;
    *) command emobox "$@" ;;
  esac
}
"#;

/// Runs the blocks of a page in order, as a reader would type them.
fn run(name: &str, page: &str) {
    let program = Program::new();
    calls(&program);
    rated(&program);
    program.checkpoint("hubert-fairseq-base.pt", "data/mine.pt");
    let mut script = String::from("set -euo pipefail\n");
    for (block, _) in blocks(page).iter().filter(|(_, runs)| *runs) {
        script.push_str(block);
        script.push('\n');
    }
    // Replaces the paths used in the pages.
    let script = script.replace("/data/", &format!("{}/", program.path("data").display()));
    let docs = format!("{}/docs/", repository().canonicalize().unwrap().display());
    let mut script = script.replace(" docs/", &format!(" {docs}"));
    match std::env::var_os("EMOBOX_WHOLE").map(|_| shared("corpora/emodb")) {
        Some(emodb) => {
            let place = program.path("data/emodb").display().to_string();
            script = script.replace(&place, &emodb.canonicalize().unwrap().display().to_string());
        }
        None => {
            // Few epochs, since no page has a score that is looked at.
            script.insert_str(0, BRIEF);
            script = script
                .replace("emodb=", "calls=")
                .replace("data/emodb", "data/calls");
        }
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_emobox")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(binary.to_owned()).chain(std::env::split_paths(&path));
    let output = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .current_dir(program.path("."))
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env_remove("EMOBOX_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}\n{}\n{}\n{script}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs the page with this name, which must have at least `least` blocks.
fn run_page(name: &str, least: usize) {
    let pages = pages();
    let (_, page) = pages.iter().find(|(known, _)| known == name).unwrap();
    let found = blocks(page).iter().filter(|(_, runs)| *runs).count();
    assert!(found >= least, "{name}: {found} blocks run");
    run(name, page);
}

#[test]
fn the_first_page_runs_as_written() {
    run_page("index.md", 5);
}

#[test]
fn the_way_from_recordings_to_a_model_runs_as_written() {
    run_page("walk.md", 5);
}

#[test]
fn the_pages_on_reports_encoders_and_formats_run_as_written() {
    run_page("reading-a-report.md", 2);
    run_page("own-encoders.md", 2);
    run_page("formats.md", 6);
}

#[test]
fn the_page_on_noise_and_rooms_runs_as_written() {
    run_page("robustness.md", 1);
}

#[test]
fn the_page_on_dimensions_runs_as_written() {
    run_page("dimensions.md", 1);
}

#[test]
fn no_page_has_blocks_that_no_test_runs() {
    let known = [
        "index.md",
        "walk.md",
        "reading-a-report.md",
        "own-encoders.md",
        "formats.md",
        "robustness.md",
        "dimensions.md",
    ];
    for (name, page) in pages() {
        let runs = blocks(&page).iter().any(|(_, runs)| *runs);
        assert!(
            !runs || known.contains(&&*name),
            "{name} has a block `sh` that is not run"
        );
    }
}

/// The commands on a line of shell, each as its words; text after two spaces or `#` is a comment.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.split(" > ").next().unwrap_or_default();
    let parts = line.split(['|', ';']).map(str::trim);
    let words = |part: &str| -> Option<Vec<String>> {
        let rest = part.split("  ").next()?.strip_prefix("emobox ")?;
        let mut words = Vec::new();
        for (at, piece) in rest.split(['"', '\'']).enumerate() {
            match at % 2 {
                0 => words.extend(piece.split_whitespace().map(str::to_owned)),
                _ => words.push(piece.to_owned()),
            }
        }
        Some(words)
    };
    parts.filter_map(words).collect()
}

/// Commands in indented blocks, in inline code and in blocks that are not run, with continued lines joined.
fn shown(page: &str) -> Vec<Vec<String>> {
    let page = page.replace("\\\n", " ");
    let mut all = Vec::new();
    for line in page.lines() {
        if let Some(code) = line.strip_prefix("    ") {
            all.extend(commands(code.trim_start()));
        } else if line.starts_with("emobox ") {
            all.extend(commands(line));
        }
        let inline = line.split('`').skip(1).step_by(2);
        all.extend(inline.filter(|code| !code.contains('…')).flat_map(commands));
    }
    all
}

/// Whether the program accepts these words: options and values are checked before `--help`.
#[test]
fn every_command_that_is_shown_is_one() {
    let program = Program::new();
    let mut tried = 0;
    for (name, page) in pages() {
        for words in shown(&page) {
            let call: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
            let transcript = program.run(&call);
            assert_eq!(
                transcript.code,
                Some(0),
                "{name}: emobox {}\n{}",
                words.join(" "),
                transcript.stderr
            );
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried} commands");
}
