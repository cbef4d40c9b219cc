mod changes;
mod tasks;

use super::*;
use crate::tiny::{SPEAKERS, Tiny, at};
use crate::{
    CorpusChoice, CrossOptions, EncoderChoice, KeepFeatures, Labeller, PrepareRecord, SlurmOptions,
};
use emobox_corpus::Manifest;
use emobox_files::{read_json, write_atomic};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;

/// The jobs in the order of one process.
fn local(experiment: Experiment) -> Vec<String> {
    let tiny = Tiny::of(experiment);
    let plan = tiny.plan();
    let order = plan.local_order();
    order.iter().map(|&at| plan.jobs[at].name.clone()).collect()
}

fn encoders() -> Vec<EncoderChoice> {
    ["fbank", "egemaps"].map(EncoderChoice::named).to_vec()
}

#[test]
fn one_process_finishes_a_cell_before_it_begins_the_next() {
    let names = local(Experiment {
        encoders: encoders(),
        schemes: "speaker,paper".parse().unwrap(),
        perturb: "telephone".parse().unwrap(),
        ..Tiny::new(&["b", "a"]).experiment
    });
    let mut expected = vec!["prepare b".to_owned(), "prepare a".to_owned()];
    for encoder in ["fbank", "egemaps"] {
        for corpus in ["b", "a"] {
            let cell = format!("{corpus} {encoder}");
            expected.push(format!("extract {cell}"));
            for scheme in ["speaker", "paper"] {
                expected.push(format!("train {cell} {scheme}"));
                expected.push(format!("score {cell} {scheme}"));
                expected.push(format!("perturb {cell} {scheme} telephone"));
            }
        }
    }
    expected.push("report".to_owned());
    assert_eq!(names, expected);
}

#[test]
fn across_corpora_one_process_finishes_a_stage_before_it_begins_the_next() {
    let names = local(Experiment {
        encoders: encoders(),
        cross: Some(CrossOptions {
            labeller: Labeller::Nobody,
            ..CrossOptions::default()
        }),
        ..Tiny::new(&["b", "a"]).experiment
    });
    let cells = ["b fbank", "a fbank", "b egemaps", "a egemaps"];
    let mut expected = vec!["prepare b".to_owned(), "prepare a".to_owned()];
    expected.extend(cells.map(|cell| format!("extract {cell}")));
    expected.extend(["draw b", "draw a"].map(str::to_owned));
    expected.extend(cells.map(|cell| format!("train {cell}")));
    for encoder in ["fbank", "egemaps"] {
        expected.push(format!("test b {encoder} on a"));
        expected.push(format!("test a {encoder} on b"));
    }
    expected.push("report".to_owned());
    assert_eq!(names, expected);
}

#[test]
fn content_is_names_and_bytes_in_order() {
    let tiny = Tiny::new(&["a"]);
    let plan = tiny.plan();
    let [one, other] = ["one", "other"].map(|name| tiny.path(name));
    let stamps = |files: [(&Path, &str); 2]| {
        for (path, text) in files {
            write_atomic(path, text.as_bytes()).unwrap();
        }
        let outputs = files.map(|(path, _)| path.to_owned()).to_vec();
        let done = Done {
            inputs: Vec::new(),
            outputs,
        };
        Receipt::done(&plan, &plan.jobs[0], &done).unwrap().outputs
    };
    let before = stamps([(&one, "1"), (&other, "2")]);
    std::fs::remove_file(&one).unwrap();
    let again = stamps([(&one, "1"), (&other, "2")]);
    assert_ne!(before, again, "the file is another one");
    assert!(same_content(&before, &again));
    assert!(!same_content(
        &before,
        &stamps([(&one, "3"), (&other, "2")])
    ));
    assert!(!same_content(
        &before,
        &stamps([(&other, "2"), (&one, "1")])
    ));
    assert!(!same_content(&before, &before[..1]));
}

/// The inode of the report page, which another one replaces.
fn page(tiny: &Tiny) -> u64 {
    std::fs::metadata(tiny.out().join("report.html"))
        .unwrap()
        .ino()
}

fn run(tiny: &Tiny) -> BenchRun {
    run_here(&tiny.plan(), tiny.context()).unwrap()
}

/// The number of scored cells.
fn cells(run: &BenchRun) -> usize {
    run.scores().runs.iter().filter(|run| run.headline).count()
}

#[test]
fn a_run_makes_everything_once_and_a_second_one_finds_it() {
    let mut tiny = Tiny::new(&["a", "b"]).with_second_encoder();
    tiny.experiment.allow_missing = true;
    let plan = tiny.plan();
    let first = run(&tiny);
    assert_eq!(cells(&first), 4, "{:?}", tiny.told.take());
    assert!(!first.scores().comparisons.is_empty());
    let notes = tiny.told.take();
    let [note, row] = &notes[..2] else {
        panic!("{notes:?}")
    };
    let encoded = "a with fbank: 8 of 8 utterances encoded now, 1 of 1 shards there";
    assert_eq!(note, encoded);
    assert!(row.starts_with("1 of 4: a with fbank: UA "), "{row}");
    assert!(
        notes[7].starts_with("4 of 4: b with tiny: UA "),
        "{notes:?}"
    );
    assert_eq!(notes.len(), 8, "{notes:?}");
    let stages = tiny.told.take_stages();
    assert_eq!(stages[0], "reading the raw corpora");
    let record: PrepareRecord = read_json(tiny.home().prepare_report("a")).unwrap();
    assert!(record.allow_missing && !record.as_published);
    let inode = page(&tiny);
    let receipts = |plan: &Plan| -> Vec<Option<Receipt>> {
        plan.jobs
            .iter()
            .map(|job| Receipt::read(plan, job))
            .collect()
    };
    let written = receipts(&plan);
    assert!(Plan::read(&plan.folder()).is_ok());

    let second = run(&tiny);
    assert_eq!(second.scores(), first.scores());
    assert_eq!(tiny.told.take().len(), 4);
    assert_eq!(tiny.told.take_stages(), [""; 0]);
    assert_eq!((page(&tiny), receipts(&plan)), (inode, written));

    // The same cells without a report have no comparison of encoders.
    let trained = train_here(&plan, tiny.context()).unwrap();
    assert_eq!(trained.scores().runs, first.scores().runs);
    assert_eq!(trained.scores().comparisons.len(), 0);
    assert_eq!(page(&tiny), inode);
    let mut states = States::of(&plan);
    let reported = report_here(&plan, &mut states, tiny.context()).unwrap();
    assert_eq!(reported.scores(), first.scores());
}

#[test]
fn features_that_are_not_kept_stay_in_memory_and_have_no_receipt() {
    let mut tiny = Tiny::new(&["a"]);
    tiny.experiment.features = KeepFeatures::Discard;
    assert_eq!(cells(&run(&tiny)), 1);
    let notes = tiny.told.take();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].ends_with("; the features are in memory alone"));
    let plan = tiny.plan();
    let receipt = |name: &str| Receipt::read(&plan, &plan.jobs[at(&plan, name)]);
    assert_eq!(receipt("extract a fbank"), None);
    assert!(receipt("train a fbank").is_some());
    run(&tiny);
    assert_eq!(tiny.told.take(), [""; 0]);
}

#[test]
fn a_table_of_one_cell_has_no_rows_to_count() {
    let tiny = Tiny::new(&["a"]);
    run(&tiny);
    assert_eq!(tiny.told.take().len(), 1);
}

#[test]
fn a_file_that_is_made_again_with_the_same_bytes_changes_nothing_else() {
    let tiny = Tiny::new(&["a"]);
    run(&tiny);
    let plan = tiny.plan();
    let score = &plan.jobs[at(&plan, "score a fbank")];
    let cell = Receipt::read(&plan, score).unwrap().outputs[0].path.clone();
    let inode = page(&tiny);
    std::fs::remove_file(&cell).unwrap();
    run(&tiny);
    assert!(cell.exists());
    assert_eq!(page(&tiny), inode);
}

#[test]
fn trained_folds_are_found_without_features_and_receipts() {
    let tiny = Tiny::new(&["a"]);
    run(&tiny);
    let plan = tiny.plan();
    let [extract, train] = ["extract a fbank", "train a fbank"].map(|name| at(&plan, name));
    for job in [extract, train] {
        Receipt::drop(&plan, &plan.jobs[job]).unwrap();
    }
    std::fs::remove_dir_all(tiny.home().features("a", "fbank").join("frames")).unwrap();
    tiny.told.take_stages();
    tiny.told.take();
    run(&tiny);
    assert_eq!(tiny.told.take_stages(), [""; 0]);
    assert_eq!(tiny.told.take(), [""; 0]);
    assert!(Receipt::read(&plan, &plan.jobs[train]).is_some_and(|receipt| receipt.holds()));
}

#[test]
fn nothing_is_encoded_for_a_corpus_that_cannot_be_divided() {
    let tiny = Tiny::new(&["a", "b"]);
    tiny.one_speaker("a");
    let ran = run(&tiny);
    assert_eq!(cells(&ran), 1);
    let stages = tiny.told.take_stages();
    assert!(
        !stages.contains(&"encoding a with fbank".to_owned()),
        "{stages:?}"
    );
    let plan = tiny.plan();
    let states = States::of(&plan);
    let failed = |name: &str| matches!(states.get(at(&plan, name)), JobState::Failed(_));
    assert!(failed("train a fbank") && !failed("extract a fbank"));
    let reason = &states
        .failure(&plan, at(&plan, "score a fbank"))
        .unwrap()
        .1
        .reason;
    assert!(reason.contains("speaker"), "{reason}");
    // The user is told once.
    let notes = tiny.told.take();
    assert_eq!(
        notes.iter().filter(|note| note.contains(reason)).count(),
        1,
        "{notes:?}"
    );
}

#[test]
fn a_run_begins_with_what_failed_and_with_a_report_of_empty_cells() {
    let tiny = Tiny::new(&["a", "b"]);
    let [away, there] = ["away", "b"].map(|name| tiny.path(name));
    std::fs::rename(&there, &away).unwrap();
    run(&tiny);
    let plan = tiny.plan();
    let has = |name: &str| Receipt::read(&plan, &plan.jobs[at(&plan, name)]).is_some();
    assert!(has("prepare a") && has("prepare b") && has("report"));
    plan.begin().unwrap();
    assert!(has("prepare a") && !has("prepare b") && !has("report"));
    std::fs::rename(&away, &there).unwrap();
    tiny.told.take();
    assert_eq!(cells(&run(&tiny)), 2);
    plan.begin().unwrap();
    assert!(has("prepare a") && has("prepare b") && has("report"));
    // Without its raw files a prepared corpus stays as it is, and a run says so.
    std::fs::rename(&there, &away).unwrap();
    tiny.told.take();
    run(&tiny);
    let about = |notes: Vec<String>| {
        let notes = notes.into_iter();
        let found = notes.filter(|note| note.contains("prepared earlier is used"));
        found.collect::<Vec<String>>()
    };
    let notes = about(tiny.told.take());
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("the manifest of b"), "{notes:?}");
    // It is not said of a corpus that was never prepared.
    std::fs::remove_file(tiny.home().prepare_report("b")).unwrap();
    note_absent_raw(&tiny.home(), &tiny.experiment, tiny.context());
    assert_eq!(about(tiny.told.take()), [""; 0]);
}

#[test]
fn a_corpus_that_may_be_absent_is_left_out_and_named() {
    let mut tiny = Tiny::new(&["a", "b"]);
    tiny.experiment.skip_absent = true;
    std::fs::remove_dir_all(tiny.path("b")).unwrap();
    run(&tiny);
    let notes = tiny.told.take();
    assert!(
        notes[0].starts_with("the raw folder of b is not there"),
        "{notes:?}"
    );
    assert!(
        !notes.iter().any(|note| note.contains("failed")),
        "{notes:?}"
    );
}

#[test]
fn what_would_stop_every_job_is_an_error_and_what_stops_one_is_its_receipt() {
    let tiny = Tiny::new(&["a"]);
    let plan = tiny.plan();
    let (home, context) = (tiny.home(), tiny.context());
    let shop = Workshop::new(&home, &plan.experiment, context).unwrap();
    let mut states = States::of(&plan);
    let mut outcome = |error: BenchError| {
        let outcome = record(&plan, &shop, 0, Err(error), &mut states);
        let state = states.get(0).clone();
        (outcome, state, Receipt::read(&plan, &plan.jobs[0]))
    };
    let full = ErrorKind::StorageFull.into();
    let full = emobox_files::FileError::io("write", "x", full);
    for error in [BenchError::Interrupted, full.into()] {
        let (outcome, state, receipt) = outcome(error);
        assert!(outcome.is_err());
        assert_eq!((state, receipt), (JobState::Open, None));
    }
    let (done, state, receipt) = outcome(BenchError::Internal("for a test"));
    assert!(done.is_ok() && matches!(state, JobState::Failed(_)));
    assert!(receipt.is_some_and(|receipt| receipt.failure.is_some()));
    assert_eq!(tiny.told.take().len(), 1);

    // Features in memory have no receipt.
    record(&plan, &shop, 0, Ok(None), &mut states).unwrap();
    assert_eq!(*states.get(0), JobState::Done);
    assert_eq!(Receipt::read(&plan, &plan.jobs[0]), None);

    tiny.stop.store(true, Ordering::Relaxed);
    let stopped = run_here(&plan, context);
    assert!(matches!(stopped, Err(BenchError::Interrupted)));
}
