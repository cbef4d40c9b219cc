//! A made-up benchmark of the paper's size: 32 corpora by ten encoders, five folds each.

use crate::common::errors_of;
use crate::common::{classes, training_of};
use emobox_report::{
    AuditFindings, Fact, MapItem, MapMethod, PaperSource, ReportData, paper, utterance_maps,
};
use emobox_score::{
    Absent, AbsentState, InferenceOptions, Prediction, Provenance, RunLabels, ScoreRequest,
    ScoresFile, Skipped, Source, score_folds,
};
use std::collections::BTreeMap;

/// The encoders of the paper as a user names them, with the number of their last layer.
pub(crate) const ENCODERS: [(&str, u32); 10] = [
    ("wav2vec2-base", 12),
    ("hubert-base-ls960", 12),
    ("hubert-large-ll60k", 24),
    ("wavlm-base", 12),
    ("wavlm-large", 24),
    ("data2vec-audio-base", 12),
    ("data2vec-audio-large", 24),
    ("data2vec2-base", 8),
    ("data2vec2-large", 16),
    ("whisper-large-v3", 32),
];

const FOLDS: usize = 5;

/// A pseudo-random number in 0..1 from a position.
fn noise(place: usize) -> f64 {
    let mixed = (place as u32 ^ 0x9e37).wrapping_mul(2_654_435_761);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519);
    f64::from((mixed ^ (mixed >> 13)) >> 8) / f64::from(1u32 << 24)
}

/// Predictions of a corpus: 300 utterances of 4 to 154 speakers.
fn predictions(corpus: usize, encoder: usize, names: &[String]) -> Vec<Prediction> {
    let speakers = 4 + (corpus * corpus) % 151;
    let skill = 0.35 + 0.035 * encoder as f64 + 0.2 * noise(corpus);
    (0..300)
        .map(|i| {
            let place = (corpus * 10 + encoder) * 1000 + i;
            let label = i % names.len();
            let near = (label + 1 + i / 7) % names.len();
            let predicted = if noise(place) < skill { label } else { near };
            let confidence = 0.3 + 0.65 * noise(place + 500_000);
            let rest = (1.0 - confidence) / (names.len() - 1) as f64;
            let of = |k| if k == predicted { confidence } else { rest };
            let scores = names.iter().enumerate();
            Prediction {
                key: format!("utterance-{i:05}"),
                fold: (i % speakers % FOLDS) as u32 + 1,
                label: names[label].clone(),
                prediction: names[predicted].clone(),
                scores: scores.map(|(k, n)| (n.clone(), f64::ln(of(k)))).collect(),
                speaker: Some(format!("speaker-{:03}", i % speakers)),
                votes: BTreeMap::new(),
                gender: Some(
                    if (i % speakers).is_multiple_of(2) {
                        "female"
                    } else {
                        "male"
                    }
                    .to_owned(),
                ),
            }
        })
        .collect()
}

/// Which cells have no scores: an absent corpus, an encoder that does not open for one, two not finished.
fn absent(corpus: usize, encoder: usize) -> Option<(AbsentState, &'static str, &'static str)> {
    match (corpus, encoder) {
        (13, _) => Some((
            AbsentState::Skipped,
            "prepare",
            "the raw folder /data/raw/iemocap is not there (--skip-absent)",
        )),
        (20, 4) => Some((
            AbsentState::Failed,
            "train",
            "the training part of fold 3 has no utterances left, as all of its files could not be decoded",
        )),
        (21 | 22, 9) => Some((AbsentState::Open, "extract", "")),
        _ => None,
    }
}

/// The whole report.
pub(crate) fn report() -> ReportData {
    let corpora = paper().corpora();
    let mut data = ReportData::new("The benchmark at its full size", ScoresFile::default());
    for (c, corpus) in corpora.iter().enumerate() {
        let names = classes(if c % 3 == 0 { 7 } else { 4 });
        for (e, (encoder, layer)) in ENCODERS.iter().enumerate() {
            if let Some((state, stage, reason)) = absent(c, e) {
                data.scores.absent.push(Absent {
                    corpus: (*corpus).to_owned(),
                    encoder: (*encoder).to_owned(),
                    partition: "paper".to_owned(),
                    tested_on: None,
                    state,
                    stage: stage.to_owned(),
                    reason: reason.to_owned(),
                });
                continue;
            }
            add_cell(&mut data, (c, corpus), (e, encoder, *layer), &names);
        }
        data.audits.push(audit(corpus, c));
        data.notes.push(format!(
            "{corpus}: {} files were skipped while reading the raw release; /home/emobox/prepared/{corpus}.json \
             names them.",
            c + 2
        ));
    }
    data.notes.insert(
        0,
        "These scores are made up, to show what a report looks like.".to_owned(),
    );
    data.protocol = [("name", "strict"), ("epochs", "100"), ("folds", "5")]
        .map(|(name, value)| Fact::new(name, value))
        .to_vec();
    data.scores.provenance = provenance(corpora);
    data.corpora = corpora.iter().map(|&c| c.to_owned()).collect();
    data
}

/// The same with the published figures beside them.
pub(crate) fn beside() -> ReportData {
    let mut data = report();
    data.beside = Some(PaperSource::WithSupplement);
    data
}

fn add_cell(
    data: &mut ReportData,
    (c, corpus): (usize, &str),
    (e, encoder, layer): (usize, &str, u32),
    names: &[String],
) {
    let predictions = predictions(c, e, names);
    let mut runs = score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: corpus.into(),
            encoder: encoder.into(),
            protocol: "strict".into(),
            partition: "paper".into(),
            config: format!("layer {layer}, utterance norm, f32"),
        },
        classes: names,
        predictions: &predictions,
        oracle: Some(&predictions),
        inference: InferenceOptions {
            sampled_flips: 40,
            ..InferenceOptions::default()
        },
    })
    .unwrap();
    for run in &mut runs {
        run.audit = Some(audit(corpus, c).verdict);
        if c % 5 == 0 {
            run.skipped.push(Skipped {
                reason: "longer than 30 s".into(),
                count: 3 + c as u64,
            });
        }
    }
    data.errors.push(errors_of(
        [corpus, encoder, "paper", "strict", &runs[0].config],
        &predictions,
    ));
    data.scores.runs.extend(runs);
    let folds = 1..=FOLDS as u32;
    data.training
        .extend(folds.map(|fold| training_of(corpus, encoder, fold)));
    let features: Vec<Vec<f32>> = (0..predictions.len())
        .map(|i| {
            let loud = |k: usize| if k == i % names.len() { 1.5 } else { 0.0 };
            let place = (c * 10 + e) * 7000 + i * 12;
            (0..12)
                .map(|k| (noise(place + k) + loud(k)) as f32)
                .collect()
        })
        .collect();
    let items: Vec<MapItem<'_>> = predictions
        .iter()
        .zip(&features)
        .map(|(p, features)| MapItem {
            key: &p.key,
            label: &p.label,
            speaker: p.speaker.as_deref(),
            features,
        })
        .collect();
    data.maps
        .extend(utterance_maps(corpus, encoder, &items, &[MapMethod::Pca]));
}

fn audit(corpus: &str, place: usize) -> AuditFindings {
    let clean = place % 3 == 1;
    AuditFindings {
        warning: None,
        corpus: corpus.to_owned(),
        partition: "paper".to_owned(),
        verdict: if clean {
            "clean: no speaker on both sides".to_owned()
        } else {
            format!("{0} of {0} speakers on both sides", 4 + place)
        },
        clean,
        findings: vec!["every sentence is in training and test".to_owned()],
    }
}

fn provenance(corpora: &[&str]) -> Provenance {
    let source = |kind: &str, name: &str| Source {
        kind: kind.to_owned(),
        name: name.to_owned(),
        digest: "5e".repeat(32),
    };
    let mut sources: Vec<Source> = corpora.iter().map(|c| source("manifest", c)).collect();
    sources.extend(ENCODERS.iter().map(|(e, _)| source("checkpoint", e)));
    for corpus in corpora {
        sources.extend(
            ENCODERS
                .iter()
                .map(|(e, _)| source("store", &format!("{corpus}/{e}"))),
        );
    }
    Provenance {
        versions: BTreeMap::from([("emobox".into(), "0.1.0".into())]),
        sources,
        command: Some("emobox bench paper.toml".into()),
    }
}
