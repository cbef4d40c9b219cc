//! Submissions: what is honest passes, and each way to tamper is refused with its reason.

use emobox_score::{
    BootstrapOptions, Prediction, Provenance, Reference, ReferenceItem, RunLabels, SCHEMA,
    ScoreRequest, Submission, SubmissionEntry, score_folds, verify,
};
use std::collections::BTreeMap;

fn classes() -> Vec<String> {
    ["angry", "sad"].map(String::from).to_vec()
}

fn predictions() -> Vec<Prediction> {
    (0..40)
        .map(|i| Prediction {
            key: format!("k{i}"),
            fold: 1 + i % 2,
            label: classes()[(i / 2 % 2) as usize].clone(),
            prediction: classes()[usize::from(i % 7 < 3)].clone(),
            scores: BTreeMap::from([("angry".into(), 0.25f64.ln()), ("sad".into(), 0.75f64.ln())]),
            speaker: Some((i % 8).to_string()),
            gender: None,
        })
        .collect()
}

fn reference() -> Reference {
    let item = |p: Prediction| ReferenceItem {
        key: p.key,
        fold: p.fold,
        label: p.label,
        speaker: p.speaker,
        gender: p.gender,
    };
    Reference {
        corpus: "demo".into(),
        partition: "paper".into(),
        protocol: "strict".into(),
        manifest_digest: "aa".repeat(32),
        partition_digest: "bb".repeat(32),
        classes: classes(),
        items: predictions().into_iter().map(item).collect(),
        audit: Some("clean".into()),
    }
}

fn submission() -> Submission {
    let bootstrap = BootstrapOptions {
        replicates: 200,
        ..BootstrapOptions::default()
    };
    let labels = RunLabels {
        corpus: "demo".into(),
        encoder: "fbank".into(),
        protocol: "strict".into(),
        partition: "paper".into(),
        config: String::new(),
    };
    let predictions = predictions();
    let scores = score_folds(&ScoreRequest {
        labels: &labels,
        classes: &classes(),
        predictions: &predictions,
        oracle: None,
        bootstrap,
    })
    .unwrap();
    let entry = SubmissionEntry {
        corpus: labels.corpus,
        encoder: labels.encoder,
        protocol: labels.protocol,
        protocol_details: serde_json::json!({"epochs": 100, "clip_norm": 5.0}),
        partition: labels.partition,
        config: labels.config,
        classes: classes(),
        manifest_digest: "aa".repeat(32),
        partition_digest: "bb".repeat(32),
        store_digest: Some("cc".repeat(32)),
        bootstrap,
        predictions,
        scores,
    };
    Submission {
        schema: SCHEMA,
        system: "a probe".into(),
        description: String::new(),
        provenance: Provenance::default(),
        entries: vec![entry],
        digest: String::new(),
    }
    .seal()
}

/// The reasons for refusing the honest submission after one change, sealed again or not.
fn reasons(seal: bool, change: impl FnOnce(&mut SubmissionEntry)) -> String {
    let mut submission = submission();
    change(&mut submission.entries[0]);
    let submission = if seal { submission.seal() } else { submission };
    let refusals = verify(&submission, &[reference()]).unwrap_err();
    refusals.iter().map(|r| format!("{r}\n")).collect()
}

#[test]
fn an_honest_submission_passes_also_after_a_trip_through_a_file() {
    let text = serde_json::to_string_pretty(&submission()).unwrap();
    let read: Submission = serde_json::from_str(&text).unwrap();
    let verified = verify(&read, &[reference()]).unwrap();
    assert_eq!(verified.runs().len(), 4);
    assert_eq!(verified.runs()[0].audit.as_deref(), Some("clean"));
    assert_eq!(verified.runs()[0].ua, submission().entries[0].scores[0].ua);
    assert_eq!(
        (verified.system(), verified.digest().len()),
        ("a probe", 64)
    );
}

#[test]
fn a_changed_prediction_is_refused() {
    let flip = |entry: &mut SubmissionEntry| {
        let p = &mut entry.predictions[3];
        p.prediction = if p.prediction == "sad" {
            "angry"
        } else {
            "sad"
        }
        .into();
    };
    assert!(reasons(false, flip).contains("the file was changed after it was packed"));
    let resealed = reasons(true, flip);
    assert!(
        resealed.contains("demo, fbank: ") && resealed.contains("does not come out"),
        "{resealed}"
    );
    assert!(!resealed.contains("was changed"));
}

#[test]
fn changed_digests_are_refused() {
    let text = reasons(true, |entry| entry.partition_digest = "dd".repeat(32));
    assert!(
        text.contains("another partition: expected digest bbbb"),
        "{text}"
    );
    let text = reasons(true, |entry| entry.manifest_digest = "dd".repeat(32));
    assert!(text.contains("another manifest"), "{text}");
    let text = reasons(false, |entry| entry.store_digest = Some("dd".repeat(32)));
    assert!(text.contains("was changed after it was packed"), "{text}");
}

#[test]
fn other_items_labels_and_speakers_are_refused() {
    let text = reasons(true, |entry| {
        entry.predictions.pop();
    });
    assert!(text.contains("1 missing: k39 (fold 2)"), "{text}");
    let text = reasons(true, |entry| entry.predictions[0].fold = 2);
    assert!(text.contains("other test items"), "{text}");
    let text = reasons(true, |entry| entry.predictions[0].label = "sad".into());
    assert!(
        text.contains("label of k0 (fold 1): expected \"angry\", got \"sad\""),
        "{text}"
    );
    let text = reasons(true, |entry| entry.predictions[0].speaker = None);
    assert!(text.contains("speaker of k0"), "{text}");
    let text = reasons(true, |entry| entry.partition = "speaker".into());
    assert!(
        text.contains("no manifest and partition \"speaker\""),
        "{text}"
    );
    let text = reasons(true, |entry| entry.classes.push("calm".into()));
    assert!(text.contains("other classes"), "{text}");
}

#[test]
fn inflated_scores_are_refused() {
    let text = reasons(true, |entry| entry.scores[0].ua += 0.01);
    assert!(text.contains("ua of fold \"mean\": claimed"), "{text}");
    let text = reasons(true, |entry| entry.scores[1].wa_ci = None);
    assert!(text.contains("wa_ci of fold \"pooled\""), "{text}");
    let text = reasons(true, |entry| {
        entry.scores.remove(0);
    });
    assert!(
        text.contains("no scores claimed for fold \"mean\""),
        "{text}"
    );
    let text = reasons(true, |entry| entry.predictions.clear());
    assert!(text.contains("no predictions to score"), "{text}");
}
