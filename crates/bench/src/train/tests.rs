use super::*;
use crate::cell::Cell;
use crate::prepare::{PrepareHow, prepare_choice};
use crate::progress::Silent;
use crate::tiny::{SPEAKERS, Tiny};
use crate::workshop::Workshop;
use crate::{Progress, Share};
use emobox_corpus::Scheme;
use emobox_probe::Role;

/// The folds of the first corpus of an experiment, encoded, and its features.
fn with_folds<T>(
    tiny: &Tiny,
    change: impl FnOnce(&mut Workshop<'_>),
    then: impl FnOnce(Jobs<'_>, &Store) -> T,
) -> T {
    let (home, context) = (tiny.home(), tiny.context());
    let choice = &tiny.experiment.corpora[0];
    prepare_choice(&home, choice, PrepareHow::default(), false, context).unwrap();
    let mut shop = Workshop::new(&home, &tiny.experiment, context).unwrap();
    change(&mut shop);
    let cell = Cell::open(&shop, &choice.name, "fbank").unwrap();
    cell.extract(Some(Share::ALL)).unwrap();
    let split = shop.split(&cell.corpus, Scheme::Speaker).unwrap();
    let store = cell.store().unwrap();
    tiny.told.take_steps();
    let found = cell.with_folds(&cell.corpus, &split, |jobs| Ok(then(jobs, &store)));
    found.unwrap()
}

fn train(tiny: &Tiny, jobs: &Jobs<'_>, store: &Store) -> Trained {
    let all: Vec<&FoldJob<'_>> = jobs.jobs.iter().collect();
    train_jobs(&all, store, "training".to_owned(), None, tiny.context()).unwrap()
}

/// The outcomes as files say them: without the weights, which are saved with the probes.
fn read(trained: &Trained) -> Vec<serde_json::Value> {
    let outcomes = trained.outcomes.iter();
    outcomes.map(|o| serde_json::to_value(o).unwrap()).collect()
}

#[test]
fn a_fold_has_every_utterance_with_its_role_and_label() {
    with_folds(
        &Tiny::new(&["a"]),
        |_| {},
        |jobs, store| {
            assert_eq!(jobs.jobs.len(), SPEAKERS);
            assert!(jobs.folder.join("job.json").exists());
            for (fold, job) in (1..).zip(&jobs.jobs) {
                assert_eq!(
                    (job.fold, &job.classes[..]),
                    (fold, &["happy", "sad"].map(str::to_owned)[..])
                );
                assert_eq!(job.folder, jobs.folder.join(format!("fold{fold}")));
                assert!(job.items.is_sorted_by_key(|item| &item.key));
                assert_eq!(job.items.len(), 2 * SPEAKERS);
                for item in &job.items {
                    assert_eq!(
                        item.label,
                        usize::from(item.key.contains("sad")),
                        "{item:?}"
                    );
                }
                let tested = job.items.iter().filter(|item| item.role == Role::Test);
                let tested: BTreeSet<_> = tested.map(|item| &item.speaker).collect();
                assert_eq!(tested.len(), 1);
                let trained = job.items.iter().filter(|item| item.role == Role::Train);
                assert_eq!(trained.count(), 2 * (SPEAKERS - 1));
                let frames = job
                    .items
                    .iter()
                    .filter_map(|item| job.inputs.ledgers.frames(&item.key));
                assert_eq!(job.frames, frames.sum::<usize>());
                let operations =
                    train_operations(job.inputs.protocol, store.header().dim, job.frames as f64);
                assert!(operations > 1e3);
                assert_eq!(job.operations(store), operations);
            }
            assert!(jobs.left_out.is_empty() && jobs.skipped().is_empty());
        },
    );
}

#[test]
fn utterances_are_left_out_for_three_reasons_and_counted() {
    let mut tiny = Tiny::new(&["a"]);
    tiny.experiment.target = emobox_probe::Target::Dimensions;
    let mut table = String::from("path,label,speaker,valence\n");
    let mut row = |name: &str, valence: &str| {
        let speaker = name.len() % SPEAKERS;
        table.push_str(&format!("{name},happy,s{speaker},{valence}\n"));
    };
    for (kind, samples, count, valence) in [
        ("broken", 3200, 2, "1.5"),
        ("lasting", 3201, 3, "2.5"),
        ("unrated", 3200, 4, ""),
        ("usual", 3200, 12, "3.5"),
    ] {
        for number in 0..count {
            // Names of several lengths, so that there are several speakers.
            let name = format!("{kind}{}.wav", "x".repeat(number));
            tiny.long_tone("a", &name, 200.0 + 10.0 * number as f32, samples);
            row(&name, valence);
        }
    }
    tiny.write("a/labels.csv", &table);
    let limit = |shop: &mut Workshop<'_>| {
        shop.protocol.max_seconds = Some(0.2);
        for name in ["broken.wav", "brokenx.wav"] {
            tiny.write(&format!("a/{name}"), "no recording");
        }
    };
    with_folds(&tiny, limit, |jobs, _| {
        let left_out: Vec<(&str, u64)> = [
            ("no features could be extracted", 2),
            ("longer than the protocol's limit", 3),
            ("without a value of every dimension", 4),
        ]
        .to_vec();
        let skipped = jobs.skipped();
        let skipped: Vec<(&str, u64)> = skipped
            .iter()
            .map(|s| (s.reason.as_str(), s.count))
            .collect();
        assert_eq!(skipped, left_out);
        for job in &jobs.jobs {
            assert_eq!(job.items.len(), 12);
            assert!(job.items.iter().all(|item| item.target == [3.5]));
        }
    });
}

#[test]
fn only_folds_without_an_outcome_are_trained() {
    let tiny = Tiny::new(&["a"]);
    with_folds(
        &tiny,
        |_| {},
        |jobs, store| {
            let first = train(&tiny, &jobs, store);
            assert!(
                first.measured.is_none(),
                "the processor's speed is measured elsewhere"
            );
            let folds: Vec<u32> = first.outcomes.iter().map(|outcome| outcome.fold).collect();
            assert_eq!(folds, [1, 2, 3, 4]);
            let [(stage, steps)] = &tiny.told.take_steps()[..] else {
                panic!("one stage")
            };
            assert_eq!(
                (&*stage.label, stage.total, stage.already),
                ("training", 4, 0)
            );
            assert_eq!(*steps, [1; 4]);
            for job in &jobs.jobs {
                assert!(!job.state_path().exists());
                assert!(job.folder.join("curves.csv").exists());
                let point = job
                    .folder
                    .join("tensorboard/point3/events.out.tfevents.0.emobox");
                assert!(std::fs::metadata(point).unwrap().len() > 0);
                assert!(job.folder.join("probe/probe.safetensors").exists());
            }

            std::fs::remove_file(jobs.jobs[2].outcome_path()).unwrap();
            let second = train(&tiny, &jobs, store);
            assert_eq!(read(&second), read(&first));
            let [(stage, steps)] = &tiny.told.take_steps()[..] else {
                panic!("one stage")
            };
            assert_eq!((stage.total, stage.already, &steps[..]), (4, 3, &[1][..]));

            assert_eq!(read(&train(&tiny, &jobs, store)), read(&first));
            assert!(tiny.told.take_steps().is_empty());
        },
    );
}

/// Stops a run after its first epoch.
struct AfterAnEpoch<'a>(&'a AtomicBool);

impl Progress for AfterAnEpoch<'_> {
    fn begin(&self, _: &Stage) {}
    fn advance(&self, _: u64) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn end(&self) {}
    fn note(&self, _: &str) {}
}

#[test]
fn a_stopped_training_goes_on_where_it_was_and_ends_at_the_same_numbers() {
    let mut tiny = Tiny::new(&["a"]);
    tiny.experiment.epochs = Some(3);
    with_folds(
        &tiny,
        |_| {},
        |jobs, store| {
            let (job, how) = (&jobs.jobs[0], TrainOptions::default());
            let stop = AtomicBool::new(false);
            let progress = AfterAnEpoch(&stop);
            let context = Context {
                progress: &progress,
                stop: &stop,
            };
            assert!(matches!(
                job.run(store, &how, context),
                Err(BenchError::Interrupted)
            ));
            assert!(job.finished().is_none() && job.saved_state().is_some());

            let counted = |context: Context<'_>| {
                context.progress.begin(&Stage {
                    label: String::new(),
                    total: 3,
                    unit: "epochs",
                    already: 0,
                });
                let outcome = job.run(store, &how, context).unwrap();
                context.progress.end();
                (outcome, tiny.told.take_steps().remove(0).1)
            };
            let (resumed, steps) = counted(tiny.context());
            // The epoch of the earlier run is counted with the next.
            assert_eq!(steps, [2, 1]);
            assert!(job.saved_state().is_none());
            let (whole, steps) = counted(tiny.context());
            assert_eq!(steps, [1, 1, 1]);
            assert!(whole == resumed);
        },
    );
}

#[test]
fn an_outcome_counts_for_its_own_fold_and_classes() {
    let tiny = Tiny::new(&["a"]);
    with_folds(
        &tiny,
        |_| {},
        |jobs, store| {
            let trained = train(&tiny, &jobs, store);
            let outcomes = &trained.outcomes;
            let job = &jobs.jobs[0];
            assert!(job.finished().is_some());
            write_json(job.outcome_path(), &outcomes[1]).unwrap();
            assert!(job.finished().is_none());
            let other = FoldOutcome {
                classes: vec!["angry".to_owned(), "sad".to_owned()],
                ..outcomes[0].clone()
            };
            write_json(job.outcome_path(), &other).unwrap();
            assert!(job.finished().is_none());
            // Training begins again over it.
            assert_eq!(read(&train(&tiny, &jobs, store)), read(&trained));
        },
    );
}

#[test]
fn training_is_saved_at_intervals_and_when_it_is_stopped() {
    let tiny = Tiny::new(&["a"]);
    with_folds(
        &tiny,
        |_| {},
        |jobs, _| {
            let stop = AtomicBool::new(false);
            let flow = |interval: Duration| {
                let mut watch = Watch {
                    job: &jobs.jobs[0],
                    context: Context {
                        progress: &Silent,
                        stop: &stop,
                    },
                    epochs: 0,
                    saved: Instant::now(),
                    interval,
                };
                watch.epoch(&EpochProgress {
                    epoch: 1,
                    epochs: 3,
                    frames: 0,
                    points: &[],
                    records: &[],
                    test: &[],
                })
            };
            assert_eq!(flow(Duration::ZERO), Flow::Save);
            assert_eq!(flow(Duration::from_secs(3600)), Flow::Continue);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(flow(Duration::from_secs(3600)), Flow::Stop);
        },
    );
}

#[test]
fn a_folder_is_named_by_what_determines_its_numbers() {
    let tiny = Tiny::new(&["a"]);
    let base = with_folds(
        &tiny,
        |_| {},
        |jobs, _| {
            let inputs = jobs.jobs[0].inputs;
            let of = |header: StoreHeader| {
                JobIdentity::of(&TrainingInputs {
                    header: &header,
                    ..inputs
                })
                .digest()
            };
            let header = inputs.header.clone();
            let base = of(header.clone());
            let described = StoreHeader {
                program_version: "another".to_owned(),
                pooled_layers: header.pooled_layers + 1,
                ..header.clone()
            };
            assert_eq!(of(described), base);
            let other = StoreHeader {
                dim: header.dim + 1,
                ..header
            };
            assert_ne!(of(other), base);
            assert_eq!(jobs.folder.file_name().unwrap(), base.short());
            base
        },
    );
    let longer = with_folds(
        &tiny,
        |shop| shop.protocol.epochs = 2,
        |jobs, _| JobIdentity::of(&jobs.jobs[0].inputs).digest(),
    );
    assert_ne!(longer, base);
}

#[test]
fn the_probe_of_the_first_seed_is_the_one_to_predict_with() {
    assert_eq!(probe_folder(0, 7), "probe");
    assert_eq!(probe_folder(1, 7), "probe-seed7");
}
