use crate::harness::{published, reference};
use emobox_corpus::{PrepareOptions, prepare};
use std::collections::HashMap;

/// Real recordings, laid out as released: every field of every published row, sample counts included.
fn check(corpus: &str) {
    let raw = reference("../corpora").join(corpus);
    let rows = published(corpus).unwrap();
    let options = PrepareOptions {
        as_published: true,
        ..PrepareOptions::default()
    };
    let prepared = prepare(corpus, &raw, &options).unwrap();
    assert!(!prepared.report.has_skipped(), "{}", prepared.report);
    let ours: HashMap<&str, _> = prepared
        .manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u))
        .collect();
    assert_eq!(ours.len(), rows.len());
    for row in &rows {
        let u = ours[row.key.as_str()];
        let frames = (row.seconds * f64::from(row.sample_rate)).round() as u64;
        let of_ours = (
            &u.wav,
            &u.emo,
            u.channel,
            u.sample_rate,
            u.num_frame,
            u.speaker.as_deref(),
        );
        let of_row = (
            &row.path,
            &row.raw_label,
            row.channel,
            row.sample_rate,
            frames,
            Some(row.speaker.as_str()),
        );
        assert_eq!(of_ours, of_row, "{}", row.key);
        assert!((u.length - row.seconds).abs() < 1e-6, "{}", row.key);
    }
    // The same from one thread and from many.
    for threads in [1, 3] {
        let again = prepare(
            corpus,
            &raw,
            &PrepareOptions {
                threads: Some(threads),
                ..options.clone()
            },
        )
        .unwrap();
        assert_eq!(again.manifest, prepared.manifest);
    }
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn emodb() {
    check("emodb");
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn urdu() {
    check("urdu");
}
