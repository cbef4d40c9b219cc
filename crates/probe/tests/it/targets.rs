//! Probes that learn dimensions, and distributions of votes.

use crate::dummy::{DIM, Dummy, dummy, short};
use crate::train::{StopAt, run, threads};
use emobox_features::{FrameData, FrameView, StoreHeader};
use emobox_probe::{
    FoldOutcome, Probe, ProbeOrigin, Protocol, Role, Target, TrainOptions, TrainState, Training,
    train_fold,
};

const NAMES: [&str; 2] = ["valence", "arousal"];

/// Values from 1 to 7 that shift some columns of the features.
fn rated(count: usize) -> Dummy {
    let mut data = dummy(count);
    data.classes = NAMES.map(str::to_owned).to_vec();
    for at in 0..count {
        let values = [
            (at * 37 % 61) as f32 / 10.0 + 1.0,
            (at * 53 % 59) as f32 / 58.0 * 6.0 + 1.0,
        ];
        data.items[at].target = values.to_vec();
        for (number, x) in data.frames_mut(at).iter_mut().enumerate() {
            match number % DIM % 5 {
                0 => *x += 0.2 * (values[0] - 4.0),
                1 => *x += 0.2 * (values[1] - 4.0),
                _ => {}
            }
        }
    }
    data
}

fn dimensions(epochs: usize) -> Protocol {
    short(epochs).with_target(Target::Dimensions)
}

/// Lin's coefficient over the test part, computed by its definition.
fn concordance(outcome: &FoldOutcome, dimension: usize) -> f64 {
    let items = &outcome.selected[0].predictions;
    let n = items.len() as f64;
    let value = |side: usize| items.iter().map(move |p| p.dimensions[dimension][side]);
    let mean = |side: usize| value(side).sum::<f64>() / n;
    let (my, mx) = (mean(0), mean(1));
    let spread = |side: usize, m: f64| value(side).map(|v| (v - m).powi(2)).sum::<f64>() / n;
    let both = value(0).zip(value(1)).map(|(y, x)| (y - my) * (x - mx));
    2.0 * both.sum::<f64>() / n / (spread(0, my) + spread(1, mx) + (mx - my).powi(2))
}

#[test]
fn dimensions_are_learnt_and_come_in_the_corpus_s_scale() {
    let data = rated(200);
    for head in ["linear-relu-mean-linear", "mean-linear"] {
        let protocol = dimensions(60).with_head(head).unwrap();
        let outcome = run(&data, &protocol, &threads(1)).unwrap();
        for dimension in 0..2 {
            let found = concordance(&outcome, dimension);
            assert!(found > 0.85, "{head}: {found}");
        }
        let selected = &outcome.selected[0];
        assert!(outcome.oracle.is_empty() && outcome.as_published.is_empty());
        assert!(
            selected.valid.ua > 0.9
                && (selected.valid.ua + selected.valid.loss - 1.0).abs() < 1e-12
        );
        for predicted in &selected.predictions {
            let item = data
                .items
                .iter()
                .find(|item| item.key == predicted.key)
                .unwrap();
            let reference = predicted.dimensions.iter().map(|pair| pair[0] as f32);
            assert_eq!(reference.collect::<Vec<_>>(), item.target);
        }
    }
}

#[test]
fn threads_and_interruptions_change_nothing() {
    let data = rated(90);
    let calm = run(&data, &dimensions(6), &threads(1)).unwrap();
    assert_eq!(run(&data, &dimensions(6), &threads(3)).unwrap(), calm);
    let source = data.source();
    let task = data.task(&source);
    let mut stop = StopAt {
        epoch: 3,
        saved: None,
    };
    let ended = train_fold(&task, &dimensions(6), &threads(1), &mut stop).unwrap();
    assert!(matches!(ended, Training::Stopped));
    let options = TrainOptions {
        resume: Some(TrainState::from_bytes(&stop.saved.unwrap()).unwrap()),
        ..threads(2)
    };
    assert_eq!(run(&data, &dimensions(6), &options).unwrap(), calm);
    // Another value makes it another training.
    let mut other = rated(90);
    other.items[0].target[0] += 0.5;
    let error = run(&other, &dimensions(6), &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("digest of protocol and data"), "{error}");
}

#[test]
fn a_saved_probe_answers_in_the_corpus_s_scale() {
    let data = rated(90);
    let protocol = dimensions(6);
    let outcome = run(&data, &protocol, &threads(1)).unwrap();
    let header: StoreHeader = serde_json::from_value(serde_json::json!({
        "schema": emobox_features::SCHEMA, "corpus": "dummy", "encoder": "none", "weights_digest": "0",
        "layers": [1], "pooled_layers": 0, "dim": DIM, "hop": 320, "precision": "f32",
        "compute": "f32", "normalisation": "none", "revision": 1, "program_version": "0"
    }))
    .unwrap();
    let origin = ProbeOrigin {
        classes: &data.classes,
        header: &header,
        corpus: "dummy",
        fold: 1,
        protocol: &protocol,
        program_version: "0",
    };
    let selected = &outcome.selected[0];
    let folder = tempfile::tempdir().unwrap();
    Probe::new(selected, &origin)
        .unwrap()
        .save(folder.path())
        .unwrap();
    let probe = Probe::load(folder.path()).unwrap();
    let source = data.source();
    for predicted in &selected.predictions {
        let at = data
            .items
            .iter()
            .position(|item| item.key == predicted.key)
            .unwrap();
        let mut frames = vec![0.0; emobox_probe::FeatureSource::frames(&source, at) * DIM];
        let whole = 0..frames.len() / DIM;
        emobox_probe::FeatureSource::read(&source, at, 0, whole, &mut frames).unwrap();
        let view = FrameView {
            layers: 1,
            frames: frames.len() / DIM,
            dim: DIM,
            data: FrameData::F32(&frames),
        };
        let values: Vec<f64> = predicted.dimensions.iter().map(|pair| pair[1]).collect();
        assert_eq!(probe.predict(&view).unwrap(), values);
    }
}

#[test]
fn what_cannot_be_learnt_is_named() {
    let refused = |data: &Dummy, protocol: &Protocol| {
        run(data, protocol, &threads(1)).unwrap_err().to_string()
    };
    let mut lacking = rated(40);
    lacking.items[3].target.pop();
    let told = refused(&lacking, &dimensions(2));
    assert!(
        told.contains("\"dummy-0003\"") && told.contains("expected 2 finite numbers"),
        "{told}"
    );
    let told = refused(&rated(40), &short(2));
    assert!(told.contains("expected 0 finite numbers"), "{told}");
    let mut none = rated(40);
    none.classes.clear();
    assert!(refused(&none, &dimensions(2)).contains("no dimension"));
}

/// Utterances whose annotators disagree by one vote in four; every seventh has no votes.
fn voted(count: usize) -> Dummy {
    let mut data = dummy(count);
    for at in 0..count {
        let item = &mut data.items[at];
        if at % 7 != 0 {
            item.target = vec![0.0; 4];
            item.target[item.label] = 0.75;
            item.target[(item.label + 1) % 4] = 0.25;
        }
    }
    data
}

#[test]
fn votes_are_learnt_as_distributions_and_scored_as_classes() {
    let protocol = short(40).with_target(Target::Votes);
    let outcome = run(&voted(300), &protocol, &threads(1)).unwrap();
    let hard = run(&dummy(300), &short(40), &threads(1)).unwrap();
    let second = |outcome: &FoldOutcome| {
        let items = outcome.selected[0].predictions.iter();
        let share = |p: &emobox_probe::Predicted| p.log_probabilities[(p.label + 1) % 4].exp();
        items.map(share).sum::<f64>() / outcome.selected[0].predictions.len() as f64
    };
    let right = outcome.selected[0]
        .predictions
        .iter()
        .filter(|p| p.prediction == p.label);
    assert!(right.count() > 45);
    assert_eq!(outcome.oracle.len(), 1);
    // The class with one vote in four is predicted with about that probability.
    assert!(
        (second(&outcome) - 0.25).abs() < 0.1,
        "{}",
        second(&outcome)
    );
    assert!(second(&hard) < second(&outcome) - 0.05);
    assert!(
        voted(300)
            .items
            .iter()
            .any(|item| item.role == Role::Test && item.target.is_empty())
    );
}
