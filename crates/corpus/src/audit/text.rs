use super::{Audit, FoldAudit, LabelConflict, Overlap, Shared};
use crate::Manifest;
use std::fmt;

/// What train and test of a fold share.
fn leak(fold: &FoldAudit, what: Shared) -> Option<&Overlap> {
    fold.overlaps
        .iter()
        .find(|o| o.what == what && o.seen == "train" && o.judged == "test")
}

/// The findings that decide whether a score is valid, most serious first.
pub(crate) fn verdict(
    manifest: &Manifest,
    folds: &[FoldAudit],
    conflicts: &[LabelConflict],
) -> String {
    let mut parts = vec![speakers(manifest, folds)];
    let twins = folds
        .iter()
        .filter_map(|fold| leak(fold, Shared::Recordings))
        .map(|o| o.utterances)
        .max();
    if let Some(n) = twins {
        let (recordings, are) = if n == 1 {
            ("recording", "is")
        } else {
            ("recordings", "are")
        };
        parts.push(format!(
            "{n} test {recordings} {are} in train too{}",
            in_worst_fold(folds.len())
        ));
    }
    for part in ["train", "test"] {
        let mut classes: Vec<&str> = Vec::new();
        for absent in folds
            .iter()
            .flat_map(|fold| &fold.absent)
            .filter(|absent| absent.part == part)
        {
            if !classes.contains(&absent.class.as_str()) {
                classes.push(&absent.class);
            }
        }
        if !classes.is_empty() {
            let some = if folds.len() > 1 { "some fold's " } else { "" };
            parts.push(format!("{some}{part} part lacks {}", classes.join(", ")));
        }
    }
    if !conflicts.is_empty() {
        let n = conflicts.len();
        let (recordings, have) = if n == 1 {
            ("recording", "has")
        } else {
            ("recordings", "have")
        };
        parts.push(format!("{n} {recordings} {have} more than one label"));
    }
    parts.join("; ")
}

fn in_worst_fold(folds: usize) -> &'static str {
    if folds > 1 { " in the worst fold" } else { "" }
}

fn speakers(manifest: &Manifest, folds: &[FoldAudit]) -> String {
    let known = manifest
        .utterances
        .iter()
        .filter(|u| u.speaker.is_some())
        .count();
    if known == 0 {
        return "speakers unknown: whether train and test share them cannot be told".to_owned();
    }
    let shared = |fold: &FoldAudit| leak(fold, Shared::Speakers).map_or(0, |o| o.shared);
    let tested = |fold: &FoldAudit| {
        leak(fold, Shared::Speakers).map_or(fold.test_speakers.unwrap_or(0), |o| o.of)
    };
    let utterances = |fold: &FoldAudit| leak(fold, Shared::Speakers).map_or(0, |o| o.utterances);
    let range = |value: &dyn Fn(&FoldAudit) -> usize| {
        let values: Vec<usize> = folds.iter().map(value).collect();
        let (low, high) = (
            values.iter().min().copied().unwrap_or(0),
            values.iter().max().copied().unwrap_or(0),
        );
        if low == high {
            low.to_string()
        } else {
            format!("{low} to {high}")
        }
    };
    let mut text = if folds.iter().all(|fold| shared(fold) == 0) {
        "no test speaker is in train".to_owned()
    } else {
        let of: usize = folds
            .iter()
            .map(|fold| fold.sizes.get("test").copied().unwrap_or(0))
            .sum();
        let covered: usize = folds.iter().map(utterances).sum();
        let percent = 100.0 * covered as f64 / of.max(1) as f64;
        format!(
            "{} of {} test speakers are in train ({percent:.1} % of the test utterances)",
            range(&shared),
            range(&tested)
        )
    };
    if folds.len() > 1 {
        text.push_str(&format!(", {} folds", folds.len()));
    }
    if known < manifest.utterances.len() {
        text.push_str(&format!(
            ", {} of unknown speaker",
            emobox_files::counted(manifest.utterances.len() - known, "utterance")
        ));
    }
    text
}

/// How many folds, conflicts and findings are listed individually.
const SHOWN: usize = 8;

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict: {}", self.verdict)?;
        for fold in &self.folds {
            let sizes: Vec<String> = fold
                .sizes
                .iter()
                .map(|(part, n)| format!("{part} {n}"))
                .collect();
            writeln!(f, "fold {}: {}", fold.fold, sizes.join(", "))?;
            for o in &fold.overlaps {
                writeln!(
                    f,
                    "  {} of {} {} {} are in {} ({} of {} utterances)",
                    o.shared,
                    o.of,
                    o.judged,
                    o.what.noun(),
                    o.seen,
                    o.utterances,
                    o.of_utterances
                )?;
            }
            for absent in &fold.absent {
                writeln!(f, "  {} lacks {}", absent.part, absent.class)?;
            }
        }
        for conflict in self.label_conflicts.iter().take(SHOWN) {
            let pairs: Vec<String> = conflict
                .keys
                .iter()
                .zip(&conflict.labels)
                .map(|(key, label)| format!("{key} = {label}"))
                .collect();
            writeln!(f, "label conflict: {}", pairs.join(", "))?;
        }
        if self.label_conflicts.len() > SHOWN {
            writeln!(
                f,
                "and {} more label conflicts",
                self.label_conflicts.len() - SHOWN
            )?;
        }
        let Some(audio) = &self.audio else {
            return Ok(());
        };
        let twins: Vec<String> = audio
            .twins
            .iter()
            .take(SHOWN)
            .map(|twins| format!("  {}: {}", twins.kind, twins.keys.join(", ")))
            .collect();
        if !audio.twins.is_empty() {
            writeln!(
                f,
                "recordings that occur more than once: {}\n{}",
                audio.twins.len(),
                twins.join("\n")
            )?;
        }
        for (title, list) in audio.lists() {
            if list.is_empty() {
                continue;
            }
            writeln!(f, "{title}: {}", list.len())?;
            for flagged in list.iter().take(SHOWN) {
                writeln!(f, "  {}: {}", flagged.key, flagged.message)?;
            }
        }
        Ok(())
    }
}
