//! The leaderboard of verified submissions.

use crate::common;
use emobox_report::leaderboard;
use emobox_score::{
    BootstrapOptions, Reference, ReferenceItem, RunLabels, SCHEMA, ScoreRequest, Submission,
    SubmissionEntry, Verified, score_folds, verify,
};

fn verified(system: &str, skill: f64) -> Verified {
    let classes: Vec<String> = ["angry", "happy", "neutral", "sad"]
        .map(String::from)
        .to_vec();
    let predictions = common::predictions("demo", &classes, skill);
    let bootstrap = BootstrapOptions {
        replicates: 100,
        ..BootstrapOptions::default()
    };
    let labels = RunLabels {
        corpus: "demo".into(),
        encoder: "fbank".into(),
        protocol: "strict".into(),
        partition: "paper".into(),
        config: String::new(),
    };
    let scores = score_folds(&ScoreRequest {
        labels: &labels,
        classes: &classes,
        predictions: &predictions,
        oracle: None,
        bootstrap,
    });
    let items = predictions.iter().map(|p| ReferenceItem {
        key: p.key.clone(),
        fold: p.fold,
        label: p.label.clone(),
        speaker: p.speaker.clone(),
        gender: p.gender.clone(),
    });
    let reference = Reference {
        corpus: "demo".into(),
        partition: "paper".into(),
        protocol: "strict".into(),
        manifest_digest: "m".into(),
        partition_digest: "p".into(),
        classes: classes.clone(),
        items: items.collect(),
        audit: Some("clean: no speaker on both sides".into()),
    };
    let entry = SubmissionEntry {
        corpus: labels.corpus,
        encoder: labels.encoder,
        protocol: labels.protocol,
        protocol_details: serde_json::Value::Null,
        partition: labels.partition,
        config: labels.config,
        classes,
        manifest_digest: "m".into(),
        partition_digest: "p".into(),
        store_digest: None,
        bootstrap,
        predictions,
        scores: scores.unwrap(),
    };
    let submission = Submission {
        schema: SCHEMA,
        system: system.into(),
        description: "a head <b>on</b> filter banks".into(),
        provenance: emobox_score::Provenance::default(),
        entries: vec![entry],
        digest: String::new(),
    };
    verify(&submission.seal(), &[reference]).unwrap()
}

#[test]
fn systems_stand_side_by_side_with_the_better_one_marked() {
    let submissions = [verified("poor", 0.4), verified("good <i>", 0.9)];
    let page = leaderboard("Leaderboard", &submissions);
    assert!(page.contains("2 verified submissions"));
    assert!(page.contains("good &lt;i&gt;") && !page.contains("<i>") && !page.contains("<b>on"));
    assert!(page.contains("clean: no speaker on both sides"));
    let marked = page.split("top1").count() - 1;
    assert!(marked >= 1);
    assert!(page.contains(submissions[0].digest()));
    assert!(leaderboard("Leaderboard", &[]).contains("No verified submissions yet."));
}
