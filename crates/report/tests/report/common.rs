//! A small report with every part.

use emobox_report::{
    AuditFindings, Clip, ERRORS_LIMIT, Embedded, ErrorList, ErrorRow, Fact, LayerCurve, LayerPoint,
    MapItem, MapMethod, PaperScore, PaperSource, ReportData, Training, TrainingPoint, UtteranceMap,
    utterance_maps,
};
use emobox_score::{
    CompareRequest, Comparison, CrossCell, CrossMatrix, InferenceOptions, KnownProtocol,
    PerturbedScores, Prediction, Provenance, Reference, ReferenceItem, Rules, Run, RunLabels,
    SCHEMA, ScoreRequest, ScoresFile, Source, Submission, SubmissionEntry, Verified, compare,
    score_folds, verify,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const FOUR: [&str; 4] = ["angry", "happy", "neutral", "sad"];
const CLASSES: [&str; 7] = [
    "angry",
    "bored",
    "disgusted",
    "fearful",
    "happy",
    "neutral",
    "sad",
];

/// Predictions of ten speakers in four folds; the share `skill` of them is correct.
pub(crate) fn predictions(corpus: &str, classes: &[String], skill: f64) -> Vec<Prediction> {
    let mut state = 12_345_u64 + corpus.len() as u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    (0..535)
        .map(|i| {
            let speaker = i % 10;
            let label = (i / 10) % classes.len();
            let near = (label + 1 + (random() * 2.0) as usize) % classes.len();
            let right = random() < skill + 0.02 * speaker as f64 - 0.1;
            let predicted = if right { label } else { near };
            let confidence = 0.35 + 0.6 * random();
            Prediction {
                key: format!("{corpus}-{i:04}"),
                fold: (speaker % 4) as u32 + 1,
                label: classes[label].clone(),
                prediction: classes[predicted].clone(),
                scores: probabilities(classes, predicted, confidence),
                speaker: Some(format!("{speaker:02}")),
                votes: BTreeMap::new(),
                gender: Some(if speaker < 5 { "female" } else { "male" }.to_owned()),
            }
        })
        .collect()
}

fn probabilities(classes: &[String], predicted: usize, confidence: f64) -> BTreeMap<String, f64> {
    let rest = (1.0 - confidence) / (classes.len() - 1) as f64;
    let of = |i| if i == predicted { confidence } else { rest };
    classes
        .iter()
        .enumerate()
        .map(|(i, class)| (class.clone(), of(i).ln()))
        .collect()
}

pub(crate) fn report() -> ReportData {
    // The maps take a second, and every test uses the whole.
    static REPORT: LazyLock<ReportData> = LazyLock::new(make_report);
    REPORT.clone()
}

fn make_report() -> ReportData {
    let mut runs = Vec::new();
    let mut training = Vec::new();
    let corpora = [("emodb", 7), ("urdu", 4)];
    for (corpus, size) in corpora {
        for (encoder, skill) in [("whisper-tiny.en", 0.8), ("fbank", 0.55)] {
            let classes = classes(size);
            let predictions = predictions(corpus, &classes, skill);
            let mut scored = score_folds(&ScoreRequest {
                labels: &RunLabels {
                    corpus: corpus.into(),
                    encoder: encoder.into(),
                    protocol: "strict".into(),
                    partition: "paper".into(),
                    config: String::new(),
                },
                classes: &classes,
                predictions: &predictions,
                oracle: Some(&predictions),
                inference: InferenceOptions::default(),
            })
            .unwrap();
            for run in &mut scored {
                run.audit = Some(verdict(corpus).to_owned());
            }
            runs.extend(scored);
            if corpus == "emodb" {
                training.extend((1..=4).map(|fold| training_of(corpus, encoder, fold)));
            }
        }
    }
    let scores = ScoresFile {
        provenance: provenance(),
        runs,
        ..ScoresFile::default()
    };
    let mut data = ReportData::new("EmoBox: two corpora, two encoders", scores);
    data.training = training;
    data.layers = layers();
    data.errors = errors();
    data.embedded = vec![Embedded {
        corpus: "emodb".into(),
        key: data.errors[0].rows[0].key.clone(),
        address: SILENCE.into(),
    }];
    data.maps = maps();
    data.scores.cross = ["whisper-tiny.en", "fbank"].map(cross).to_vec();
    data.scores.comparisons = corpora
        .map(|(corpus, size)| comparison(corpus, size))
        .to_vec();
    let heard = [
        (
            "noise:10dB",
            "pink noise 10 dB below the level of active speech",
        ),
        ("telephone", "300 to 3400 Hz, 8 kHz, G.711 µ-law"),
    ];
    data.scores.perturbed = heard
        .map(|(name, about)| PerturbedScores {
            encoder: "whisper-tiny.en".into(),
            config: String::new(),
            perturbation: name.into(),
            about: about.into(),
            identity: format!("{name}, revision 1"),
            comparison: data.scores.comparisons[0].clone(),
        })
        .to_vec();
    data.notes
        .push("These scores are made up, to show what a report looks like.".to_owned());
    data.audits = corpora.map(|(corpus, _)| audit(corpus)).to_vec();
    data.protocol = [
        ("name", "strict"),
        ("optimiser", "Adam"),
        ("batch", "32"),
        ("epochs", "100"),
        ("warm-up", "10 epochs"),
        ("learning rates", "0.001, 0.0001"),
        ("hidden sizes", "128, 256"),
        ("gradient norm clipped at", "5"),
    ]
    .map(|(name, value)| Fact::new(name, value))
    .to_vec();
    data
}

/// A WAV file of four samples.
const SILENCE: &str = "data:audio/wav;base64,UklGRiwAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQgAAAAAAAAAAAAAAA==";

/// The errors of each cell, with paths where the corpora would be.
fn errors() -> Vec<ErrorList> {
    let cells = [("emodb", 7), ("urdu", 4)].into_iter().flat_map(|corpus| {
        [("whisper-tiny.en", 0.8), ("fbank", 0.55)].map(|encoder| (corpus, encoder))
    });
    let lists = cells.map(|((corpus, size), (encoder, skill))| {
        let items = predictions(corpus, &classes(size), skill);
        errors_of([corpus, encoder, "paper", "strict", ""], &items)
    });
    lists.collect()
}

/// The errors of a cell: corpus, encoder, partition, protocol, config.
pub(crate) fn errors_of(
    [corpus, encoder, partition, protocol, config]: [&str; 5],
    items: &[Prediction],
) -> ErrorList {
    let wrong: Vec<&Prediction> = items.iter().filter(|i| i.label != i.prediction).collect();
    let share = |item: &Prediction, class: &str| item.scores[class].exp();
    let row = |item: &&Prediction| ErrorRow {
        key: item.key.clone(),
        fold: item.fold,
        reference: item.label.clone(),
        predicted: item.prediction.clone(),
        probability: Some([share(item, &item.prediction), share(item, &item.label)]),
        speaker: item.speaker.clone(),
        text: None,
        clip: Some(Clip {
            path: format!("wav/{} 50%.wav", item.key),
            channel: 1,
            part: (corpus == "urdu").then_some([1.5, 3.0]),
        }),
    };
    ErrorList {
        corpus: corpus.into(),
        encoder: encoder.into(),
        partition: partition.into(),
        protocol: protocol.into(),
        config: config.into(),
        n: items.len(),
        wrong: wrong.len(),
        root: format!("/corpora/{corpus}"),
        rows: wrong.iter().take(ERRORS_LIMIT).map(row).collect(),
    }
}

fn verdict(corpus: &str) -> &'static str {
    match corpus {
        "urdu" => "clean: no speaker on both sides",
        _ => "10 of 10 speakers on both sides",
    }
}

fn audit(corpus: &str) -> AuditFindings {
    AuditFindings {
        warning: None,
        corpus: corpus.into(),
        partition: "paper".into(),
        verdict: verdict(corpus).into(),
        clean: corpus == "urdu",
        findings: vec!["every sentence is in training and test".into()],
    }
}

fn provenance() -> Provenance {
    Provenance {
        versions: BTreeMap::from([("emobox".into(), "0.1.0".into())]),
        sources: vec![Source {
            kind: "manifest".into(),
            name: "emodb".into(),
            digest: "ab".repeat(32),
        }],
        command: Some("emobox bench --corpus emodb=DIR --encoder whisper-tiny.en=DIR".into()),
    }
}

pub(crate) fn training_of(corpus: &str, encoder: &str, fold: u32) -> Training {
    let points = ["0.001", "0.0001"]
        .iter()
        .flat_map(|rate| ["128", "256"].map(|hidden| (*rate, hidden)))
        .enumerate()
        .map(|(i, (rate, hidden))| {
            let speed = [0.09, 0.11, 0.02, 0.03][i];
            let wobble = |e: usize| ((e * (7 + i) + fold as usize * 13) % 11) as f64 / 11.0 - 0.5;
            let decay = |e: usize| (-speed * e as f64).exp();
            TrainingPoint {
                name: format!("learning rate {rate}, hidden {hidden}"),
                selected_epoch: (i == 1).then_some(48 + fold as usize * 6),
                train_loss: (0..100).map(|e| 1.95 * decay(e) + 0.02).collect(),
                valid_loss: (0..100)
                    .map(|e| 1.4 * decay(e) + 0.55 + 0.06 * wobble(e))
                    .collect(),
                valid_ua: (0..100)
                    .map(|e| 0.78 - 0.62 * decay(e) + 0.03 * wobble(e))
                    .collect(),
            }
        })
        .collect();
    Training {
        corpus: corpus.into(),
        encoder: encoder.into(),
        fold,
        points,
    }
}

/// The published figures as if they were a user's own: 32 corpora, ten encoders, and the cross-corpus table.
pub(crate) fn published() -> ReportData {
    let paper = emobox_report::paper();
    let mut file = ScoresFile::default();
    for corpus in paper.corpora() {
        for model in paper.models() {
            let score = paper.score(model, corpus, PaperSource::WithSupplement);
            file.runs.push(bare_run(corpus, model, &score));
        }
    }
    let classes = ["angry", "happy", "neutral", "sad"]
        .map(String::from)
        .to_vec();
    for model in paper.models() {
        let corpora = paper.cross_corpora();
        let pairs = corpora
            .iter()
            .flat_map(|train| corpora.iter().map(move |test| (train, test)));
        let cells = pairs.filter_map(|(train, test)| {
            let accuracy = paper.cross(model, train, test)?;
            Some(CrossCell {
                heard: None,
                seeds: None,
                accuracy_deviation: None,
                train: (*train).into(),
                test: (*test).into(),
                n: 240,
                accuracy,
                accuracy_ci: Some([accuracy - 0.06, accuracy + 0.06]),
                accuracy_error: None,
                ua: accuracy,
                macro_f1: accuracy,
                per_class: vec![],
                confusion: vec![],
            })
        });
        file.cross.push(CrossMatrix {
            encoder: (*model).into(),
            classes: classes.clone(),
            corpora: corpora.iter().map(|c| (*c).to_owned()).collect(),
            cells: cells.collect(),
        });
    }
    ReportData::new("The published figures", file)
}

fn bare_run(corpus: &str, model: &str, score: &PaperScore) -> Run {
    let [ua, wa, macro_f1] = [score.ua, score.wa, score.macro_f1].map(Option::unwrap);
    let run = serde_json::json!({
        "corpus": corpus, "encoder": model, "protocol": "paper", "partition": "published", "config": "",
        "fold": "mean", "n": 0, "ua": ua, "wa": wa, "macro_f1": macro_f1, "micro_f1": wa, "weighted_f1": wa,
        "confusion": [], "classes": [],
        "as_published": {"ua": ua, "wa": wa, "macro_f1": macro_f1},
    });
    serde_json::from_value(run).unwrap()
}

pub(crate) fn classes(size: usize) -> Vec<String> {
    let names = if size == 7 { &CLASSES[..] } else { &FOUR[..] };
    names.iter().map(|&c| c.to_owned()).collect()
}

fn layers() -> Vec<LayerCurve> {
    [("whisper-tiny.en", 5, 0.5), ("wavlm-base", 13, 0.55)]
        .map(|(encoder, layers, base)| LayerCurve {
            head: String::new(),
            chosen: None,
            corpus: "emodb".into(),
            encoder: encoder.into(),
            points: (0..layers)
                .map(|layer| {
                    let depth = layer as f64 / (layers - 1) as f64;
                    let ua = base + 0.9 * depth * (1.2 - depth);
                    LayerPoint {
                        valid_ua: None,
                        layer,
                        ua,
                        ua_ci: Some([ua - 0.04, ua + 0.03]),
                    }
                })
                .collect(),
        })
        .to_vec()
}

fn maps() -> Vec<UtteranceMap> {
    let classes = classes(7);
    let predictions = predictions("emodb", &classes, 0.8);
    let features: Vec<Vec<f32>> = predictions
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let class = classes.iter().position(|c| *c == p.label).unwrap();
            let speaker = i % 10;
            let noise = |k: usize| {
                let seed = (i * 24 + k) as u32;
                let mixed = (seed ^ (seed >> 3)).wrapping_mul(2_654_435_761);
                (mixed.wrapping_mul(mixed | 1) >> 8) as f32 / (1u32 << 24) as f32 - 0.5
            };
            let signal = |k: usize| {
                2.0 * f32::from(u8::from(k == class)) + 1.2 * f32::from(u8::from(k == 10 + speaker))
            };
            (0..24).map(|k| 2.0 * noise(k) + signal(k)).collect()
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
    utterance_maps("emodb", "whisper-tiny.en", &items, &MapMethod::ALL)
}

fn cross(encoder: &str) -> CrossMatrix {
    let corpora = ["emodb", "urdu", "ravdess"].map(String::from).to_vec();
    let classes = classes(4);
    let mut cells = Vec::new();
    for (i, train) in corpora.iter().enumerate() {
        for (j, test) in corpora.iter().enumerate().filter(|(j, _)| *j != i) {
            let skill = 0.35 + 0.06 * (i + 2 * j) as f64 + 0.02 * encoder.len() as f64 / 3.0;
            let predictions = predictions(test, &classes, skill);
            let options = InferenceOptions::default();
            cells.push(CrossCell::score(train, test, &predictions, &classes, &options).unwrap());
        }
    }
    CrossMatrix {
        encoder: encoder.into(),
        classes,
        corpora,
        cells,
    }
}

fn comparison(corpus: &str, size: usize) -> Comparison {
    let classes = classes(size);
    let (a, b) = (
        predictions(corpus, &classes, 0.8),
        predictions(corpus, &classes, 0.55),
    );
    compare(&CompareRequest {
        corpus,
        a: ("whisper-tiny.en", &a),
        b: ("fbank", &b),
        classes: &classes,
        inference: InferenceOptions::default(),
    })
    .unwrap()
}

/// A submission that verifies; the share `skill` of its predictions is correct.
pub(crate) fn verified(system: &str, skill: f64) -> Verified {
    let classes: Vec<String> = FOUR.map(String::from).to_vec();
    let predictions = predictions("demo", &classes, skill);
    let inference = InferenceOptions::default();
    let details = serde_json::json!({"epochs": "100"});
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
        inference,
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
    let source = |kind: &str, name: &str, digest: &str| Source {
        kind: kind.into(),
        name: name.into(),
        digest: digest.into(),
    };
    let provenance = Provenance {
        versions: [("emobox".to_owned(), "0.1.0".to_owned())].into(),
        sources: vec![
            source("manifest", "demo", "m"),
            source("partition", "demo/paper", "p"),
            source("checkpoint", "fbank", &"ab".repeat(32)),
        ],
        command: None,
    };
    let rules = Rules {
        protocols: vec![KnownProtocol {
            name: "strict".into(),
            digest: "d".into(),
            details: details.clone(),
            seeds: 1,
        }],
        ..Rules::default()
    };
    let entry = SubmissionEntry {
        corpus: labels.corpus,
        encoder: labels.encoder,
        protocol: labels.protocol,
        protocol_details: details,
        protocol_digest: "d".into(),
        partition: labels.partition,
        config: labels.config,
        classes,
        manifest_digest: "m".into(),
        partition_digest: "p".into(),
        store_digest: None,
        predictions,
        further_seeds: Vec::new(),
        scores: scores.unwrap(),
    };
    let submission = Submission {
        schema: SCHEMA,
        system: system.into(),
        description: "a head <b>on</b> filter banks".into(),
        provenance,
        entries: vec![entry],
        digest: String::new(),
    };
    verify(&submission.seal(), &[reference], &rules).unwrap()
}
