//! Guarantees of training: the same result however it is run, and a selection that never sees the test part.

use crate::dummy::{DIM, Dummy, dummy, short};
use emobox_probe::{
    ClassWeighting, EpochProgress, FeatureSource, Flow, FoldOutcome, Observer, ProbeError,
    Protocol, Role, TrainOptions, TrainState, Training, ViewSource, train_fold,
};
use std::ops::Range;

pub(crate) fn run(
    data: &Dummy,
    protocol: &Protocol,
    options: &TrainOptions,
) -> Result<FoldOutcome, ProbeError> {
    run_from(data, &data.source(), protocol, options)
}

fn run_from(
    data: &Dummy,
    source: &dyn FeatureSource,
    protocol: &Protocol,
    options: &TrainOptions,
) -> Result<FoldOutcome, ProbeError> {
    let task = data.task(source);
    match train_fold(&task, protocol, options, &mut ())? {
        Training::Done(outcome) => Ok(*outcome),
        Training::Stopped => panic!("nobody asked to stop"),
    }
}

pub(crate) fn threads(threads: usize) -> TrainOptions {
    TrainOptions {
        threads,
        ..TrainOptions::default()
    }
}

fn accuracy(predictions: &[emobox_probe::Predicted]) -> f64 {
    let hits = predictions.iter().filter(|p| p.prediction == p.label);
    hits.count() as f64 / predictions.len() as f64
}

#[test]
fn it_learns() {
    let outcome = run(&dummy(200), &short(15), &threads(1)).unwrap();
    let selected = &outcome.selected[0];
    assert_eq!(selected.predictions.len(), 40);
    assert!(accuracy(&selected.predictions) > 0.8);
    assert!(outcome.oracle[0].test_ua >= accuracy(&selected.predictions) - 1e-9);
    let losses: Vec<f64> = outcome.curves[0]
        .epochs
        .iter()
        .map(|e| e.train_loss)
        .collect();
    assert!(losses[14] < losses[0] * 0.95, "{losses:?}");
    assert_eq!((outcome.curves.len(), losses.len()), (4, 15));
    for predicted in &selected.predictions {
        let sum: f64 = predicted.log_probabilities.iter().map(|p| p.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}

#[test]
fn threads_change_nothing() {
    let data = dummy(90);
    let one = run(&data, &short(4), &threads(1)).unwrap();
    for count in [2, 3] {
        assert_eq!(run(&data, &short(4), &threads(count)).unwrap(), one);
    }
}

/// Frames without views, which must be read, as from a store that does not fit into memory.
struct Streamed<'a>(ViewSource<'a>);

impl FeatureSource for Streamed<'_> {
    fn layers(&self) -> usize {
        self.0.layers()
    }

    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn frames(&self, item: usize) -> usize {
        self.0.frames(item)
    }

    fn read(
        &self,
        item: usize,
        layer: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ProbeError> {
        self.0.read(item, layer, range, out)
    }
}

#[test]
fn frames_in_memory_and_frames_read_give_the_same() {
    let data = dummy(90);
    let source = Streamed(data.source());
    let streamed = run_from(&data, &source, &short(4), &threads(2)).unwrap();
    assert_eq!(streamed, run(&data, &short(4), &threads(2)).unwrap());
}

#[test]
fn points_trained_together_or_alone_are_the_same() {
    let data = dummy(90);
    let protocol = Protocol {
        seeds: vec![1, 7],
        ..short(4)
    };
    let fused = run(&data, &protocol, &threads(2)).unwrap();
    assert_eq!((fused.curves.len(), fused.selected.len()), (8, 2));
    for curve in &fused.curves {
        let alone = Protocol {
            seeds: vec![curve.point.seed],
            learning_rates: vec![curve.point.learning_rate],
            hidden_sizes: vec![curve.point.hidden],
            ..protocol.clone()
        };
        let alone = run(&data, &alone, &threads(1)).unwrap();
        assert_eq!(&alone.curves[0], curve);
        let selected = fused.selected.iter().find(|s| s.point == curve.point);
        if let Some(selected) = selected {
            assert_eq!(&alone.selected[0], selected);
        }
    }
    assert_ne!(
        fused.curves[0].epochs, fused.curves[4].epochs,
        "seeds differ"
    );
}

#[test]
fn three_seeds_together_are_three_trainings_alone() {
    let data = dummy(90);
    let three = short(4).with_training_seeds(5, 3);
    let together = run(&data, &three, &threads(2)).unwrap();
    assert_eq!(together.selected.len(), 3);
    for (place, seed) in [5, 6, 7].into_iter().enumerate() {
        let alone = run(&data, &short(4).with_training_seeds(seed, 1), &threads(1)).unwrap();
        assert_eq!(together.selected[place], alone.selected[0]);
        assert_eq!(together.oracle[place], alone.oracle[0]);
        assert_eq!(together.as_published[place], alone.as_published[0]);
    }
    assert_ne!(together.selected[0].weights, together.selected[1].weights);
}

#[test]
fn what_the_recipe_prints_pools_the_epochs_up_to_the_best() {
    let data = dummy(120);
    let mut lone = short(6);
    lone.learning_rates = vec![1e-3];
    lone.hidden_sizes = vec![20];
    // A training of e epochs equals the start of a longer one only if the rates are equal: they are constant here.
    lone.warmup_epochs = 0;
    let outcome = run(&data, &lone, &threads(1)).unwrap();
    let published = &outcome.as_published[0];
    let tested = data.items.iter().filter(|i| i.role == Role::Test).count();
    let counted: u64 = published.confusion.iter().flatten().sum();
    assert_eq!(counted, (published.epoch * tested) as u64);
    // The test part's labels, once for each epoch.
    for (label, row) in published.confusion.iter().enumerate() {
        let own = data
            .items
            .iter()
            .filter(|i| i.role == Role::Test && i.label == label);
        assert_eq!(
            row.iter().sum::<u64>(),
            (published.epoch * own.count()) as u64
        );
    }
    let blind = Protocol {
        oracle: false,
        ..lone
    };
    assert!(
        run(&data, &blind, &threads(1))
            .unwrap()
            .as_published
            .is_empty()
    );
}

/// Stops after some epochs, as a crash after the last save would.
pub(crate) struct StopAt {
    pub(crate) epoch: usize,
    pub(crate) saved: Option<Vec<u8>>,
}

impl Observer for StopAt {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        if progress.epoch == self.epoch {
            Flow::Stop
        } else {
            Flow::Save
        }
    }

    fn save(&mut self, state: &TrainState) -> Result<(), ProbeError> {
        self.saved = Some(state.to_bytes()?);
        Ok(())
    }
}

#[test]
fn a_stopped_training_ends_as_an_undisturbed_one() {
    let data = dummy(90);
    let calm = run(&data, &short(9), &threads(1)).unwrap();
    let source = data.source();
    let task = data.task(&source);
    let mut options = threads(2);
    for epoch in [1, 4, 8] {
        let mut observer = StopAt { epoch, saved: None };
        let ended = train_fold(&task, &short(9), &options, &mut observer).unwrap();
        assert!(matches!(ended, Training::Stopped));
        let bytes = observer.saved.unwrap();
        let state = TrainState::from_bytes(&bytes).unwrap();
        assert_eq!(state.epoch(), epoch);
        assert_eq!(state.to_bytes().unwrap(), bytes);
        options.resume = Some(state);
    }
    let Training::Done(outcome) = train_fold(&task, &short(9), &options, &mut ()).unwrap() else {
        panic!("nobody asked to stop");
    };
    assert_eq!(*outcome, calm);

    let error = run(&data, &short(8), &options).unwrap_err().to_string();
    assert!(error.contains("digest of protocol and data"), "{error}");
    let cut = TrainState::from_bytes(&[1, 2, 3]).unwrap_err().to_string();
    assert!(cut.starts_with("training state"), "{cut}");
}

/// Epochs at a rate so small that the weights stay what they were drawn as.
fn still(epochs: usize) -> Protocol {
    Protocol {
        learning_rates: vec![1e-15],
        warmup_epochs: 0,
        ..short(epochs)
    }
}

/// The first utterances for training, the next twenty for validation.
fn first(count: usize) -> Dummy {
    let mut data = dummy(120);
    for (at, item) in data.items.iter_mut().enumerate() {
        item.role = match at {
            _ if at < count => Role::Train,
            _ if (100..120).contains(&at) => Role::Valid,
            _ => Role::Test,
        };
    }
    data
}

fn first_losses(data: &Dummy, protocol: &Protocol) -> Vec<f64> {
    let outcome = run(data, protocol, &threads(1)).unwrap();
    let curves = outcome.curves.iter();
    curves.map(|curve| curve.epochs[0].train_loss).collect()
}

fn near(found: &[f64], expected: &[f64]) -> bool {
    let mut pairs = found.iter().zip(expected);
    found.len() == expected.len() && pairs.all(|(x, y)| (x - y).abs() < 1e-6)
}

#[test]
fn the_training_loss_is_the_mean_over_utterances_whatever_the_batches() {
    let data = first(50);
    for class_weighting in [ClassWeighting::None, ClassWeighting::Balanced] {
        let whole = Protocol {
            batch: 50,
            class_weighting,
            ..still(1)
        };
        // Batches of 16, 16, 16 and 2.
        let parts = Protocol {
            batch: 16,
            ..whole.clone()
        };
        let (whole, parts) = (first_losses(&data, &whole), first_losses(&data, &parts));
        assert!(near(&whole, &parts), "{whole:?} {parts:?}");
    }
}

#[test]
fn balanced_weights_make_up_for_a_class_that_comes_twice() {
    let once = first(40);
    let mut twice = first(80);
    for at in (40..80).filter(|at| at % 4 != 2) {
        twice.items[at].role = Role::Extra;
    }
    for at in (2..40).step_by(4) {
        *twice.frames_mut(at + 40) = once.frames(at).to_vec();
    }
    let balanced = Protocol {
        class_weighting: ClassWeighting::Balanced,
        ..still(1)
    };
    let (equal, weighted) = (
        first_losses(&once, &still(1)),
        first_losses(&twice, &balanced),
    );
    assert!(near(&equal, &weighted), "{equal:?} {weighted:?}");
    let plain = first_losses(&twice, &still(1));
    assert!(!near(&equal, &plain), "{equal:?} {plain:?}");
}

/// Counts the frames that it is told of.
struct Frames(Vec<u64>);

impl Observer for Frames {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        self.0.push(progress.frames);
        Flow::Continue
    }
}

#[test]
fn every_frame_of_the_training_part_counts_once_an_epoch() {
    let data = first(50);
    let frames: usize = (0..50).map(|at| data.frames(at).len() / DIM).sum();
    let source = data.source();
    let task = data.task(&source);
    let mut seen = Frames(Vec::new());
    train_fold(&task, &short(3), &threads(1), &mut seen).unwrap();
    assert_eq!(seen.0, [1, 2, 3].map(|epochs| epochs * frames as u64));
}

#[test]
fn two_classes_and_two_utterances_are_enough() {
    let mut data = first(2);
    data.classes.truncate(2);
    data.items
        .retain(|item| item.label < 2 && item.role != Role::Test);
    let kept: Vec<usize> = data
        .items
        .iter()
        .map(|i| i.key[6..].parse().unwrap())
        .collect();
    for (at, from) in kept.into_iter().enumerate() {
        let frames = data.frames(from).to_vec();
        *data.frames_mut(at) = frames;
    }
    assert!(run(&data, &short(2), &threads(1)).is_ok());
    data.items[0].role = Role::Valid;
    let error = run(&data, &short(2), &threads(1)).unwrap_err().to_string();
    assert!(error.contains("training part has 1 utterances"), "{error}");
}

#[test]
fn selection_does_not_see_the_test_part() {
    let honest = run(&dummy(90), &short(6), &threads(1)).unwrap();
    let mut data = dummy(90);
    for at in 0..data.items.len() {
        if data.items[at].role == Role::Test {
            data.items[at].label = (data.items[at].label + 1) % 4;
            data.frames_mut(at).iter_mut().for_each(|x| *x = -*x);
        }
    }
    let spoilt = run(&data, &short(6), &threads(1)).unwrap();
    assert_eq!(spoilt.curves, honest.curves);
    assert_eq!(spoilt.selected[0].weights, honest.selected[0].weights);
    assert_ne!(
        spoilt.selected[0].predictions,
        honest.selected[0].predictions
    );
    let blind = Protocol {
        oracle: false,
        ..short(6)
    };
    let blind = run(&dummy(90), &blind, &threads(1)).unwrap();
    assert!(blind.oracle.is_empty());
    assert_eq!(blind.selected, honest.selected);
}

#[test]
fn odd_folds_train() {
    // A class without training utterances, a last batch of one, another test set.
    let mut data = dummy(80);
    data.items
        .retain(|item| item.label != 3 || item.role == Role::Test);
    let keep: Vec<usize> = data
        .items
        .iter()
        .map(|i| i.key[6..].parse().unwrap())
        .collect();
    let mut odd = dummy(80);
    odd.items = data.items;
    let frames: Vec<Vec<f32>> = keep.iter().map(|&at| odd.frames_mut(at).clone()).collect();
    for (at, frames) in frames.into_iter().enumerate() {
        *odd.frames_mut(at) = frames;
    }
    odd.items[0].role = Role::Extra;
    let protocol = Protocol {
        batch: 5,
        class_weighting: ClassWeighting::Balanced,
        logit_adjustment: 1.0,
        ..short(5)
    };
    let outcome = run(&odd, &protocol, &threads(1)).unwrap();
    assert_eq!(outcome.selected[0].extra.len(), 1);
    let trained = outcome.curves.iter().flat_map(|c| &c.epochs);
    assert!(
        trained
            .clone()
            .all(|e| e.train_loss < 10.0 && e.valid.loss < 10.0)
    );
}

#[test]
fn bad_features_are_named() {
    let mut data = dummy(40);
    data.frames_mut(7)[2 * DIM + 3] = f32::NAN;
    let error = run(&data, &short(2), &threads(1)).unwrap_err().to_string();
    assert!(
        error.contains("\"dummy-0007\": frame 2, dimension 3 is NaN"),
        "{error}"
    );
    let mut data = dummy(40);
    data.frames_mut(9).clear();
    let error = run(&data, &short(2), &threads(1)).unwrap_err().to_string();
    assert!(error.contains("\"dummy-0009\": no frames"), "{error}");
    let mut data = dummy(40);
    data.items[3].label = 9;
    let error = run(&data, &short(2), &threads(1)).unwrap_err().to_string();
    assert!(error.contains("label 9 of 4 classes"), "{error}");
    let mut data = dummy(40);
    data.items
        .iter_mut()
        .for_each(|item| item.role = Role::Test);
    let error = run(&data, &short(2), &threads(1)).unwrap_err().to_string();
    assert!(error.contains("training part has 0 utterances"), "{error}");
    let unknown = Protocol {
        head: "transformer".into(),
        ..short(2)
    };
    let error = run(&dummy(40), &unknown, &threads(1))
        .unwrap_err()
        .to_string();
    assert!(error.contains("linear-relu-mean-linear"), "{error}");
}

/// Frames that are finite, whose product with the weights is not.
#[test]
fn updates_from_gradients_that_are_not_finite_are_skipped_and_counted() {
    let mut data = dummy(60);
    let protocol = short(3);
    assert_eq!(
        run(&data, &protocol, &TrainOptions::default())
            .unwrap()
            .skipped_steps,
        0
    );
    data.frames_mut(3).fill(3e38);
    let outcome = run(&data, &protocol, &TrainOptions::default()).unwrap();
    // The one batch with that utterance, in every epoch and at every point.
    let steps = (protocol.points().len() * protocol.epochs) as u64;
    assert_eq!(outcome.skipped_steps, steps);
    assert!(
        outcome.selected[0]
            .predictions
            .iter()
            .all(|p| p.log_probabilities.iter().all(|x| x.is_finite()))
    );
}

#[test]
fn long_utterances_go_through_in_pieces() {
    let mut data = dummy(40);
    for at in [1, 2, 9] {
        let frames = data.frames_mut(at);
        let once = frames.clone();
        while frames.len() < 20_000 * DIM {
            frames.extend_from_slice(&once);
        }
    }
    let one = run(&data, &short(2), &threads(1)).unwrap();
    assert_eq!(run(&data, &short(2), &threads(2)).unwrap(), one);
    assert!(one.curves[0].epochs.iter().all(|e| e.train_loss < 10.0));
}
