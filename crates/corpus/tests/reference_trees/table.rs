use emobox_corpus::{
    Manifest, Partition, PartitionOptions, Scheme, Shared, audit, entry, partition,
};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const HEAD: &str = "# Partitions\n\n\
    <!-- Generated from the published rows in ../shared/reference, through the recipes. Regenerate: EMOBOX_UPDATE=1 cargo test -p emobox-corpus --test reference_trees -->\n\n\
    What each scheme makes of each corpus: the rule, the number of folds, the test utterances of a fold, and how many of a fold's test speakers \
    are in its train part too (speakers as the manifest has them, right by default). `paper` is the paper's four rules with seed 0, `published` the \
    published lists, `speaker` whole speakers only. MSP-Podcast is absent: its published train list and speakers are lost.\n\n\
    | corpus | utterances | speakers | paper | test | speakers shared | published | test | speakers shared | speaker | test |\n\
    |---|---|---|---|---|---|---|---|---|---|---|\n";

/// Tests run concurrently and write to one page.
static PAGE: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/partitions.md")
}

/// Compares the corpus' line of `docs/partitions.md`, or writes it with `EMOBOX_UPDATE`.
pub(crate) fn check(manifest: &Manifest, published: &Partition) {
    if manifest.corpus == "msppodcast" {
        return;
    }
    let line = line(manifest, published);
    let _guard = PAGE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let start = format!("| {} |", manifest.corpus);
    if std::env::var_os("EMOBOX_UPDATE").is_some() {
        let mut lines: Vec<&str> = text
            .lines()
            .skip(HEAD.lines().count())
            .filter(|other| !other.starts_with(&start))
            .collect();
        lines.push(&line);
        lines.sort_unstable();
        let page = format!("{HEAD}{}\n", lines.join("\n"));
        emobox_files::write_atomic(path(), page.as_bytes()).unwrap();
        return;
    }
    let found = text
        .lines()
        .find(|line| line.starts_with(&start))
        .unwrap_or_default();
    assert_eq!(
        found,
        line,
        "{} differs: run the tests of reference_trees with EMOBOX_UPDATE=1",
        path().display()
    );
}

fn line(manifest: &Manifest, published: &Partition) -> String {
    let make = |scheme| {
        partition(
            manifest,
            &PartitionOptions {
                scheme,
                ..PartitionOptions::default()
            },
        )
    };
    let paper = cells(manifest, &make(Scheme::Paper).unwrap());
    let [_, test, shared] = cells(manifest, published);
    let published = [
        entry(&manifest.corpus).unwrap().card.folds.describe(),
        test,
        shared,
    ];
    let speaker = match make(Scheme::Speaker) {
        Ok(made) => {
            let [rule, test, _] = cells(manifest, &made);
            [rule, test]
        }
        Err(_) if manifest.speakers().is_empty() => {
            ["refused: speakers unknown".to_owned(), String::new()]
        }
        Err(_) => [
            format!("refused: {} speakers", manifest.speakers().len()),
            String::new(),
        ],
    };
    let first = [
        manifest.corpus.clone(),
        manifest.utterances.len().to_string(),
        manifest.speakers().len().to_string(),
    ];
    let all: Vec<String> = first
        .into_iter()
        .chain(paper)
        .chain(published)
        .chain(speaker)
        .collect();
    format!("| {} |", all.join(" | "))
}

/// Rule and folds, test sizes, shared speakers.
fn cells(manifest: &Manifest, made: &Partition) -> [String; 3] {
    let found = audit(manifest, made, None);
    let folds = found.folds.len();
    let rule = if folds == 1 {
        made.info.rule.describe().to_owned()
    } else {
        format!("{}, {folds} folds", made.info.rule.describe())
    };
    let sizes = range(
        found
            .folds
            .iter()
            .map(|fold| fold.sizes.get("test").copied().unwrap_or(0)),
    );
    let leaks: Vec<_> = found
        .folds
        .iter()
        .map(|fold| {
            fold.overlaps.iter().find(|o| {
                (o.what, o.seen.as_str(), o.judged.as_str()) == (Shared::Speakers, "train", "test")
            })
        })
        .collect();
    let shared =
        if manifest.speakers().is_empty() {
            "unknown".to_owned()
        } else if leaks.iter().all(Option::is_none) {
            "none".to_owned()
        } else {
            let shared = range(leaks.iter().map(|leak| leak.map_or(0, |leak| leak.shared)));
            let of =
                range(leaks.iter().zip(&found.folds).map(|(leak, fold)| {
                    leak.map_or(fold.test_speakers.unwrap_or(0), |leak| leak.of)
                }));
            format!("{shared} of {of}")
        };
    [rule, sizes, shared]
}

fn range(values: impl Iterator<Item = usize>) -> String {
    let values: Vec<usize> = values.collect();
    let (low, high) = (
        values.iter().min().unwrap_or(&0),
        values.iter().max().unwrap_or(&0),
    );
    if low == high {
        low.to_string()
    } else {
        format!("{low}–{high}")
    }
}
