use super::*;
use crate::tiny::{SPEAKERS, Tiny, at};
use crate::{
    CorpusChoice, CrossOptions, EncoderChoice, KeepFeatures, Labeller, PrepareRecord, SlurmOptions,
};
use emobox_corpus::Manifest;
use emobox_files::read_json;
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
            std::fs::write(path, text).unwrap();
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
fn a_changed_recording_is_read_encoded_and_trained_on_again_with_its_corpus_alone() {
    let tiny = Tiny::new(&["a", "b"]);
    run(&tiny);
    tiny.told.take_stages();
    let inode = page(&tiny);
    tiny.tone("b", "happy0.wav", 1000.0);
    run(&tiny);
    let stages = tiny.told.take_stages();
    let of_a: Vec<&String> = stages
        .iter()
        .filter(|label| label.contains(" a "))
        .collect();
    assert_eq!(of_a, [""; 0], "{stages:?}");
    for label in ["encoding b with fbank", "training 4 folds of b with fbank"] {
        assert!(stages.iter().any(|stage| stage == label), "{stages:?}");
    }
    assert_ne!(page(&tiny), inode);
}

#[test]
fn changed_labels_change_the_scores_of_the_same_call() {
    let tiny = Tiny::new(&["a"]);
    let first = run(&tiny);
    tiny.told.take_stages();
    let table = tiny.path("a/labels.csv");
    let labels = std::fs::read_to_string(&table).unwrap();
    let swapped = labels.replace("happy0.wav,happy", "happy0.wav,sad");
    std::fs::write(&table, swapped.replace("sad0.wav,sad", "sad0.wav,happy")).unwrap();
    let second = run(&tiny);
    assert_ne!(
        second.scores().provenance.sources,
        first.scores().provenance.sources
    );
    let stages = tiny.told.take_stages();
    assert!(
        stages
            .iter()
            .any(|stage| stage.starts_with("training 4 folds")),
        "{stages:?}"
    );
    let again = run(&tiny);
    assert_eq!(again.scores(), second.scores());
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
    let table = tiny.path("a/labels.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    let text: String = text
        .lines()
        .map(|line| line.replace(",s", ",s0") + "\n")
        .collect();
    let one_speaker = text
        .replace("s01", "s00")
        .replace("s02", "s00")
        .replace("s03", "s00");
    std::fs::write(&table, one_speaker).unwrap();
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

/// A plan as a cluster runs it, whose tasks do not wait.
fn on_a_cluster(tiny: &mut Tiny) -> Plan {
    tiny.experiment.slurm = Some(SlurmOptions {
        settle_seconds: 0.0,
        ..SlurmOptions::default()
    });
    let plan = tiny.plan();
    plan.write().unwrap();
    plan
}

#[test]
fn tasks_say_what_they_did() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context());
    let names: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let jobs: Vec<&str> = plan.jobs.iter().map(|job| job.name.as_str()).collect();
    let Err(BenchError::NotReady { job, needs }) = task(1) else {
        panic!("a task began without what it needs")
    };
    assert_eq!((&*job, &*needs), (names[1], "prepare a"));
    assert!(task(99).unwrap_err().is_wrong_call());
    for (at, name) in names.iter().enumerate() {
        assert_eq!(task(at).unwrap(), 0);
        let notes = tiny.told.take();
        assert_eq!(notes[0], format!("task {name} begins"));
        let last = notes.last().unwrap();
        assert_eq!(*last, format!("job {} is done", jobs[at]));
        // What was encoded stands between.
        let encodes = plan.tasks[at].stage == JobStage::Extract;
        assert_eq!(notes.len(), 2 + usize::from(encodes), "{notes:?}");
        assert_eq!(task(at).unwrap(), 0);
        let again = format!("job {} was done already", jobs[at]);
        assert_eq!(tiny.told.take(), [again]);
    }
    // A fold is lost: its features are there, and are not counted as encoded.
    let [extract, train] =
        ["extract a fbank", "train a fbank"].map(|name| &plan.jobs[at(&plan, name)]);
    let outcome = Receipt::read(&plan, train).unwrap().outputs[0].path.clone();
    std::fs::remove_file(outcome).unwrap();
    Receipt::drop(&plan, extract).unwrap();
    assert_eq!(task(1).unwrap(), 0);
    assert_eq!(tiny.told.take().len(), 2);
}

#[test]
fn a_report_is_written_again_if_another_process_has_scored_again() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context()).unwrap();
    for at in 0..plan.tasks.len() {
        assert_eq!(task(at), 0);
    }
    let mut states = States::of(&plan);
    let before = page(&tiny);
    report_here(&plan, &mut states, tiny.context()).unwrap();
    assert_eq!(page(&tiny), before);
    let score = at(&plan, "score a fbank");
    Receipt::drop(&plan, &plan.jobs[score]).unwrap();
    let of_score = plan.tasks.iter().position(|task| task.jobs == [score]);
    assert_eq!(task(of_score.unwrap()), 0);
    report_here(&plan, &mut states, tiny.context()).unwrap();
    assert_ne!(page(&tiny), before);
}

#[test]
fn tasks_say_what_they_could_not_do() {
    let mut tiny = Tiny::new(&["a"]);
    std::fs::remove_dir_all(tiny.path("a")).unwrap();
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context()).unwrap();
    assert_eq!(task(0), 1);
    let notes = tiny.told.take();
    assert_eq!(notes.last().unwrap(), "job prepare a could not be done");
    assert_eq!(task(1), 1);
    let notes = tiny.told.take();
    assert_eq!(notes, ["job extract a fbank needs prepare a"]);
    // The report is written of whatever there is.
    assert_eq!(task(plan.tasks.len() - 1), 0);
    assert!(tiny.out().join("report.html").exists());
}

#[test]
fn a_task_that_waits_can_be_stopped() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    tiny.stop.store(true, Ordering::Relaxed);
    let stopped = run_task(&plan.folder(), 1, tiny.context());
    assert!(matches!(stopped, Err(BenchError::Interrupted)));
}

#[test]
fn other_weights_at_the_same_place_are_refused_and_their_cells_empty() {
    let mut tiny = Tiny::new(&["a"]).with_second_encoder();
    assert_eq!(cells(&run(&tiny)), 2);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
    std::fs::copy(golden.join("hubert-s3prl-base.pt"), tiny.path("tiny.pt")).unwrap();
    tiny.told.take();
    assert_eq!(cells(&run(&tiny)), 1);
    let notes = tiny.told.take();
    let refused = notes
        .iter()
        .filter(|note| note.contains("digest of the weights is"));
    assert_eq!(refused.count(), 1, "{notes:?}");
    std::fs::remove_dir_all(tiny.home().features("a", "tiny")).unwrap();
    assert_eq!(cells(&run(&tiny)), 2);
    let weights = |run: &BenchRun| {
        let sources = run.scores().provenance.sources.iter();
        let mut weights = sources.filter(|s| s.kind == "checkpoint" && s.name == "tiny");
        weights.next().unwrap().digest.clone()
    };
    let now = weights(&run(&tiny));
    // Without its checkpoint, what is finished stays as it is.
    std::fs::remove_file(tiny.path("tiny.pt")).unwrap();
    assert_eq!(weights(&run(&tiny)), now);
    tiny.experiment.encoders.truncate(1);
    assert_eq!(cells(&run(&tiny)), 1);
}

/// Prepares the corpus of an experiment under a registered name.
fn prepared_as(tiny: &mut Tiny, name: &str) {
    let (home, choice) = (tiny.home(), &tiny.experiment.corpora[0]);
    let how = PrepareHow::default();
    let record = prepare_choice(&home, choice, how, false, tiny.context()).unwrap();
    let mut manifest = Manifest::read(home.manifest(&choice.name)).unwrap();
    for utterance in &mut manifest.utterances {
        utterance.key = utterance.key.replacen(&choice.name, name, 1);
        utterance.dataset = name.to_owned();
    }
    manifest.corpus = name.to_owned();
    manifest.write(home.manifest(name)).unwrap();
    let record = PrepareRecord {
        corpus: name.to_owned(),
        manifest: manifest.digest(),
        ..record
    };
    emobox_files::write_json(home.prepare_report(name), &record).unwrap();
    tiny.experiment.corpora = vec![CorpusChoice {
        name: name.to_owned(),
        ..CorpusChoice::default()
    }];
}

#[test]
fn folds_are_trained_again_when_the_published_lists_change() {
    let mut tiny = Tiny::new(&["a"]);
    prepared_as(&mut tiny, "meld");
    tiny.experiment.schemes = "published".parse().unwrap();
    tiny.experiment.metadata = Some(tiny.path("metadata"));
    let folder = tiny.path("metadata/data/meld");
    std::fs::create_dir_all(&folder).unwrap();
    let lists = |tested: usize| {
        for part in ["train", "test"] {
            let speakers = (0..SPEAKERS).filter(|s| (part == "test") == (*s == tested));
            let line = |s| {
                let line = |class| format!("{{\"key\": \"meld-{class}{s}\"}}\n");
                line("happy") + &line("sad")
            };
            let text: String = speakers.map(line).collect();
            std::fs::write(folder.join(format!("meld_{part}_fold_1.jsonl")), text).unwrap();
        }
    };
    let partition = |run: &BenchRun| {
        assert_eq!(cells(run), 1, "{:?}", tiny.told.take());
        let mut sources = run.scores().provenance.sources.iter();
        sources
            .find(|s| s.kind == "partition")
            .unwrap()
            .digest
            .clone()
    };
    lists(0);
    let first = partition(&run(&tiny));
    lists(1);
    let second = partition(&run(&tiny));
    assert_ne!(second, first);
    tiny.told.take_stages();
    assert_eq!(partition(&run(&tiny)), second);
    assert_eq!(tiny.told.take_stages(), [""; 0]);
    // Without the lists, what is finished stays as it is.
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(partition(&run(&tiny)), second);
}

/// Whatever has changed since the last run, a run gives the scores of one that begins with nothing.
#[test]
fn a_home_with_a_past_gives_the_scores_of_a_fresh_one() {
    let mut tiny = Tiny::new(&["a", "b"]);
    run(&tiny);
    let replace = |tiny: &Tiny, from: &str, to: &str| {
        let table = tiny.path("a/labels.csv");
        let text = std::fs::read_to_string(&table).unwrap();
        assert!(text.contains(from));
        std::fs::write(table, text.replace(from, to)).unwrap();
    };
    type Change<'a> = (&'a str, Box<dyn Fn(&mut Tiny) + 'a>);
    let changes: Vec<Change<'_>> = vec![
        (
            "a label",
            Box::new(|tiny| replace(tiny, "happy1.wav,happy", "happy1.wav,sad")),
        ),
        (
            "a speaker",
            Box::new(|tiny| replace(tiny, "sad2.wav,sad,s2", "sad2.wav,sad,s3")),
        ),
        (
            "an utterance less",
            Box::new(|tiny| replace(tiny, "sad3.wav,sad,s3\n", "")),
        ),
        (
            "an utterance more",
            Box::new(|tiny| {
                tiny.tone("a", "new.wav", 700.0);
                replace(
                    tiny,
                    "path,label,speaker\n",
                    "path,label,speaker\nnew.wav,sad,s1\n",
                );
            }),
        ),
        (
            "a recording",
            Box::new(|tiny| tiny.tone("b", "happy2.wav", 900.0)),
        ),
        (
            "a longer recording",
            Box::new(|tiny| tiny.long_tone("b", "sad1.wav", 300.0, 6400)),
        ),
        (
            "a recording that is broken",
            Box::new(|tiny| std::fs::write(tiny.path("b/sad1.wav"), "no recording").unwrap()),
        ),
        (
            "the recording again",
            Box::new(|tiny| tiny.tone("b", "sad1.wav", 250.0)),
        ),
        ("epochs", Box::new(|tiny| tiny.experiment.epochs = Some(2))),
        (
            "the scheme",
            Box::new(|tiny| tiny.experiment.schemes = "paper,speaker".parse().unwrap()),
        ),
        (
            "the seed of partitions",
            Box::new(|tiny| tiny.experiment.partition_seed = 3),
        ),
        (
            "labels across corpora",
            Box::new(|tiny| {
                tiny.experiment.schemes = "speaker".parse().unwrap();
                tiny.experiment.cross = Some(CrossOptions {
                    labeller: Labeller::Nobody,
                    ..CrossOptions::default()
                });
                run(tiny);
                replace(tiny, "happy3.wav,happy", "happy3.wav,sad");
            }),
        ),
        (
            "an utterance less across corpora",
            Box::new(|tiny| replace(tiny, "sad0.wav,sad,s0\n", "")),
        ),
        (
            "pseudo-labels",
            Box::new(|tiny| {
                let labels = tiny.path("labels.jsonl");
                let write = |wrong: &str| {
                    let label = |key: &str, label: &str| {
                        let label = if key == wrong { "angry" } else { label };
                        format!("{{\"key\": \"b-{key}\", \"prediction\": \"{label}\"}}\n")
                    };
                    let pairs = (0..4).map(|s| {
                        label(&format!("happy{s}"), "happy") + &label(&format!("sad{s}"), "sad")
                    });
                    std::fs::write(&labels, pairs.collect::<String>()).unwrap();
                };
                write("");
                let cross = tiny.experiment.cross.as_mut().unwrap();
                cross.pseudo_labels.insert("b".to_owned(), labels.clone());
                run(tiny);
                write("sad1");
            }),
        ),
    ];
    for (number, (what, change)) in changes.iter().enumerate() {
        change(&mut tiny);
        tiny.told.take();
        let here = run(&tiny);
        let fresh = Home::new(tiny.path(&format!("fresh{number}")));
        let plan = Plan::of(&fresh, &tiny.experiment, &fresh.root().join("out")).unwrap();
        let fresh = run_here(&plan, tiny.context()).unwrap();
        assert!(
            here.scores() == fresh.scores(),
            "after a change of {what}: {:?}",
            tiny.told.take()
        );
        assert!(run(&tiny).scores() == here.scores(), "again after {what}");
        tiny.told.take_stages();
    }
}
