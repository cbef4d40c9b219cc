//! Several runs as one report.

use crate::common;
use emobox_report::{Fact, Metric, ReportData, html, intra_table, merge};
use emobox_score::{Absent, AbsentState};

/// The small report with the corpora named.
fn part(corpora: &[&str]) -> ReportData {
    let mut data = common::report();
    data.scores
        .runs
        .retain(|run| corpora.contains(&run.corpus.as_str()));
    data.training
        .retain(|training| corpora.contains(&training.corpus.as_str()));
    data.errors
        .retain(|list| corpora.contains(&list.corpus.as_str()));
    data.embedded
        .retain(|clip| corpora.contains(&clip.corpus.as_str()));
    data.audits
        .retain(|audit| corpora.contains(&audit.corpus.as_str()));
    data
}

fn absent(corpus: &str, partition: &str, reason: &str) -> Absent {
    Absent {
        corpus: corpus.into(),
        encoder: "fbank".into(),
        partition: partition.into(),
        tested_on: None,
        state: AbsentState::Failed,
        stage: "train".into(),
        reason: reason.into(),
    }
}

#[test]
fn two_halves_are_the_whole() {
    let whole = common::report();
    let merged = merge(vec![part(&["emodb"]), part(&["urdu"])]);
    assert_eq!(merged, whole);
    assert_eq!(
        merge(vec![whole.clone(), whole.clone()]),
        whole,
        "a run merged with itself"
    );
    assert!(html(&merge(Vec::new())).ends_with("</html>\n"));
}

#[test]
fn different_scores_of_a_cell_are_kept_apart() {
    let first = part(&["emodb"]);
    let mut second = part(&["emodb", "urdu"]);
    for run in &mut second.scores.runs {
        if (run.corpus.as_str(), run.encoder.as_str()) == ("emodb", "fbank") {
            run.ua += 0.01;
        }
    }
    let n = second.scores.runs.len();
    let merged = merge(vec![first.clone(), second]);
    let apart = merged
        .scores
        .runs
        .iter()
        .filter(|run| run.config == "run 2")
        .count();
    assert_eq!(apart, first.scores.runs.len() / 2);
    assert_eq!(merged.scores.runs.len(), n + apart);
    let columns = intra_table(&merged, &[Metric::Ua]).columns;
    let names: Vec<&str> = columns.iter().map(|c| c.heading.as_str()).collect();
    assert_eq!(
        names,
        ["corpus", "whisper-tiny.en", "fbank", "fbank (run 2)"]
    );
    let note = merged
        .notes
        .iter()
        .find(|note| note.contains("kept apart"))
        .unwrap();
    assert!(
        note.contains("emodb with fbank") && !note.contains("urdu"),
        "{note}"
    );
}

#[test]
fn an_empty_cell_goes_where_another_run_has_its_scores() {
    let mut first = part(&["emodb"]);
    first.scores.absent = vec![
        absent("urdu", "paper", "disk full"),
        absent("urdu", "speaker", "one speaker"),
        absent("meld", "paper", "no ffmpeg"),
    ];
    let mut second = part(&["urdu"]);
    second.scores.absent = vec![absent("meld", "paper", "no labels")];
    for runs in [vec![first.clone(), second.clone()], vec![second, first]] {
        let later = runs[1].scores.absent.last().unwrap().reason.clone();
        let merged = merge(runs);
        let left: Vec<(&str, &str, &str)> = merged
            .scores
            .absent
            .iter()
            .map(|a| (a.corpus.as_str(), a.partition.as_str(), a.reason.as_str()))
            .collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&("urdu", "speaker", "one speaker")));
        assert!(left.contains(&("meld", "paper", later.as_str())));
    }
}

#[test]
fn what_contradicts_itself_is_noted() {
    let first = common::report();
    let mut second = common::report();
    second.title = "Another".to_owned();
    second.protocol[3] = Fact::new("epochs", "50");
    second
        .scores
        .provenance
        .versions
        .insert("emobox".into(), "0.2.0".into());
    second.scores.provenance.sources[0].digest = "cd".repeat(32);
    second.scores.provenance.command = Some("emobox bench other.toml".into());
    let merged = merge(vec![first.clone(), second, first.clone()]);
    assert_eq!(merged.title, format!("{} + Another", first.title));
    let epochs = merged
        .protocol
        .iter()
        .find(|fact| fact.name == "epochs")
        .unwrap();
    assert_eq!(epochs.value, "100 (runs 1, 3), 50 (run 2)");
    let provenance = &merged.scores.provenance;
    assert_eq!(provenance.versions["emobox"], "0.1.0, 0.2.0");
    assert_eq!(provenance.sources.len(), 2);
    assert_eq!(provenance.command.as_deref().unwrap().lines().count(), 2);
    for part in [
        "different versions of: manifest emodb",
        "protocols of the runs differ: epochs 100",
    ] {
        assert!(
            merged.notes.iter().any(|note| note.contains(part)),
            "{part}"
        );
    }
    assert_eq!(merged.protocol.len(), first.protocol.len());
}
