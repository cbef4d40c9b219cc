//! Training on a GPU compared with the CPU, with the GPU's kernels run on this machine's CPU (or on the card of the index in
//! `EMOBOX_TEST_CARD`).

use crate::dummy::{Dummy, Halves, dummy, short};
use emobox_gpu::{Gpu, Numbers};
use emobox_probe::{
    Card, ClassWeighting, EpochProgress, Flow, FoldOutcome, Observer, ProbeError, Protocol, Target,
    TrainOptions, TrainState, Training, ViewSource, heads, train_fold,
};
use std::sync::Arc;

/// Losses over 20 epochs agree within this share of the loss.
const LOSS: f64 = 1e-4;
const EPOCHS: usize = 20;

pub(crate) fn card() -> Card {
    let gpu = match std::env::var("EMOBOX_TEST_CARD") {
        Ok(index) => Gpu::cuda(index.parse().unwrap(), Numbers::F32),
        Err(_) => Gpu::host(Numbers::F32, 1 << 30),
    };
    Card::new(gpu.unwrap(), "host")
}

fn keys(data: &Dummy) -> Vec<&str> {
    data.items.iter().map(|item| item.key.as_str()).collect()
}

/// A card that holds the features permanently, or has memory for `limit` bytes of them.
fn holding(data: &Dummy, source: &ViewSource<'_>, limit: usize) -> Result<Card, ProbeError> {
    let mut card = card();
    let held = card.hold(&keys(data), source, 1, limit)?;
    assert_eq!(held, limit == usize::MAX);
    Ok(card)
}

fn on(card: Option<Card>) -> TrainOptions {
    TrainOptions {
        card: card.map(Arc::new),
        ..TrainOptions::default()
    }
}

fn train(
    data: &Dummy,
    source: &ViewSource<'_>,
    protocol: &Protocol,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<Training, ProbeError> {
    let task = data.task(source);
    train_fold(&task, protocol, options, observer)
}

fn outcome(
    data: &Dummy,
    source: &ViewSource<'_>,
    protocol: &Protocol,
    options: &TrainOptions,
) -> FoldOutcome {
    match train(data, source, protocol, options, &mut ()).unwrap() {
        Training::Done(outcome) => *outcome,
        Training::Stopped => panic!("nobody asked to stop"),
    }
}

#[test]
fn every_head_that_a_card_has_follows_the_processor_s() {
    let data = dummy(60);
    let halves = Halves::of(&data);
    let source = halves.source();
    for head in heads::all() {
        let protocol = Protocol {
            class_weighting: ClassWeighting::Balanced,
            logit_adjustment: 0.5,
            hidden_sizes: vec![12, 40],
            batch: 6,
            ..short(EPOCHS).with_head(head.name).unwrap()
        };
        let expected = outcome(&data, &source, &protocol, &on(None));
        let card = holding(&data, &source, usize::MAX).unwrap();
        let found = outcome(&data, &source, &protocol, &on(Some(card)));
        let mut apart: f64 = 0.0;
        for (found, expected) in found.curves.iter().zip(&expected.curves) {
            assert_eq!(found.epochs.len(), EPOCHS);
            for (found, expected) in found.epochs.iter().zip(&expected.epochs) {
                let pairs = [
                    (found.train_loss, expected.train_loss),
                    (found.valid.loss, expected.valid.loss),
                ];
                for (found, expected) in pairs {
                    apart = apart.max((found - expected).abs() / expected);
                }
            }
        }
        assert!(apart <= LOSS, "{}: {apart}", head.name);
        assert!(apart > 0.0, "{}: the processor did it", head.name);
        let mut curves = expected.curves.iter().map(|curve| &curve.epochs);
        let falls = curves.any(|e| e[EPOCHS - 1].train_loss < 0.95 * e[0].train_loss);
        assert!(falls, "{}: the curves are flat", head.name);
        // Selection and predictions are the CPU's.
        for (found, expected) in found.selected.iter().zip(&expected.selected) {
            assert_eq!((found.point, found.epoch), (expected.point, expected.epoch));
            let pairs = found.predictions.iter().zip(&expected.predictions);
            assert!(pairs.clone().all(|(a, b)| a.prediction == b.prediction));
        }
    }
}

#[test]
fn folds_at_once_and_slices_of_features_change_no_bit() {
    let data = dummy(90);
    let halves = Halves::of(&data);
    let source = halves.source();
    let protocols = [short(3), short(3).with_training_seeds(4, 2)];
    let card = holding(&data, &source, usize::MAX).unwrap();
    let one_by_one: Vec<FoldOutcome> = protocols
        .iter()
        .map(|protocol| {
            let line = card.beside().unwrap();
            outcome(&data, &source, protocol, &on(Some(line)))
        })
        .collect();
    let at_once: Vec<FoldOutcome> = std::thread::scope(|scope| {
        let trainings: Vec<_> = protocols
            .iter()
            .map(|protocol| {
                let line = card.beside().unwrap();
                let (data, source) = (&data, &source);
                scope.spawn(move || outcome(data, source, protocol, &on(Some(line))))
            })
            .collect();
        let trainings = trainings.into_iter();
        trainings.map(|training| training.join().unwrap()).collect()
    });
    assert_eq!(at_once, one_by_one);
    // A seed among others gives the same as alone.
    let curves = &one_by_one[1].curves;
    let seed = Protocol {
        seeds: vec![5],
        ..protocols[1].clone()
    };
    let line = card.beside().unwrap();
    let alone = outcome(&data, &source, &seed, &on(Some(line)));
    assert_eq!(alone.curves, curves[curves.len() / 2..]);
    // A batch is about 40 kB: one batch fits, an epoch does not.
    let streaming = holding(&data, &source, 60_000).unwrap();
    let streamed = outcome(&data, &source, &protocols[0], &on(Some(streaming)));
    assert_eq!(streamed, one_by_one[0]);
    let tiny = holding(&data, &source, 20_000).unwrap();
    let error = train(&data, &source, &protocols[0], &on(Some(tiny)), &mut ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("more than the 416"), "{error}");
}

struct StopAt(usize, Option<Vec<u8>>);

impl Observer for StopAt {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        match progress.epoch == self.0 {
            true => Flow::Stop,
            false => Flow::Save,
        }
    }

    fn save(&mut self, state: &TrainState) -> Result<(), ProbeError> {
        self.1 = Some(state.to_bytes()?);
        Ok(())
    }
}

#[test]
fn a_stopped_training_ends_as_an_undisturbed_one_and_on_no_other_device() {
    let data = dummy(40);
    let halves = Halves::of(&data);
    let source = halves.source();
    let protocol = short(5);
    let held = || on(Some(holding(&data, &source, usize::MAX).unwrap()));
    let calm = outcome(&data, &source, &protocol, &held());
    let mut options = held();
    for epoch in [1, 3] {
        let mut observer = StopAt(epoch, None);
        let ended = train(&data, &source, &protocol, &options, &mut observer).unwrap();
        assert!(matches!(ended, Training::Stopped));
        options = held();
        options.resume = Some(TrainState::from_bytes(&observer.1.unwrap()).unwrap());
    }
    assert_eq!(outcome(&data, &source, &protocol, &options), calm);
    options.card = None;
    let error = train(&data, &source, &protocol, &options, &mut ()).unwrap_err();
    assert!(
        error.to_string().contains("digest of protocol and data"),
        "{error}"
    );
}

#[test]
fn what_a_card_cannot_do_is_refused_by_name() {
    let data = dummy(20);
    let mut halves = Halves::of(&data);
    let layers = Card::cannot(13, Target::Classes).unwrap();
    for target in [Target::Votes, Target::Dimensions] {
        let refused = Card::cannot(1, target).unwrap();
        assert!(refused.contains(target.name()), "{refused}");
    }
    assert!(Card::cannot(1, Target::Classes).is_none());
    assert!(layers.contains("a sum of 13 layers"), "{layers}");
    // Numbers that f16 cannot represent, and NaN.
    let error = holding(&data, &data.source(), usize::MAX)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no 16-bit number"), "{error}");
    halves.item_mut(3)[30] = half::f16::NAN;
    let broken = halves.source();
    for limit in [usize::MAX, 20_000] {
        let error = holding(&data, &broken, limit).and_then(|card| {
            train(&data, &broken, &short(2), &on(Some(card)), &mut ()).map(|_| ())
        });
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("\"dummy-0003\": frame 1, dimension 6 is NaN"),
            "{error}"
        );
    }
    // Features of another corpus.
    let other = dummy(10);
    let card = holding(&other, &Halves::of(&other).source(), usize::MAX).unwrap();
    let source = Halves::of(&data);
    let error = train(&data, &source.source(), &short(2), &on(Some(card)), &mut ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("other features than those on the device"),
        "{error}"
    );
}
