//! Runs after something has changed since the last one.

use super::*;

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
    tiny.relabel("a", "happy0.wav,happy", "happy0.wav,sad");
    tiny.relabel("a", "sad0.wav,sad", "sad0.wav,happy");
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
fn other_weights_at_the_same_place_are_refused_and_their_cells_empty() {
    let mut tiny = Tiny::new(&["a"]).with_second_encoder();
    assert_eq!(cells(&run(&tiny)), 2);
    tiny.golden("hubert-s3prl-base.pt", "tiny.pt");
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

#[test]
fn receipts_of_earlier_versions_do_not_count_and_their_folds_are_found() {
    let tiny = Tiny::new(&["a"]);
    let first = run(&tiny);
    for entry in std::fs::read_dir(tiny.path("home/receipts")).unwrap() {
        let path = entry.unwrap().path();
        let mut receipt: serde_json::Value = read_json(&path).unwrap();
        receipt["schema"] = 2.into();
        emobox_files::write_json(&path, &receipt).unwrap();
    }
    let plan = tiny.plan();
    let read = |plan: &Plan| plan.jobs.iter().find_map(|job| Receipt::read(plan, job));
    assert_eq!(read(&plan), None);
    tiny.told.take_stages();
    assert_eq!(run(&tiny).scores(), first.scores());
    assert_eq!(tiny.told.take_stages(), ["reading the raw corpora"]);
    assert!(read(&plan).is_some());
}

#[test]
fn a_run_begins_with_a_note_of_every_encoder_that_takes_part() {
    let mut tiny = Tiny::new(&["a", "b"]).with_second_encoder();
    let labeller = tiny.experiment.encoders.pop().unwrap();
    tiny.experiment.cross = Some(CrossOptions {
        labeller: Labeller::Named(labeller),
        ..CrossOptions::default()
    });
    tiny.plan().begin().unwrap();
    for encoder in ["fbank", "tiny"] {
        assert!(tiny.home().encoder(encoder).exists(), "{encoder}");
    }
    // A home that cannot be written is told at once.
    std::fs::remove_dir_all(tiny.path("home/encoders")).unwrap();
    tiny.write("home/encoders", "in the way");
    assert!(tiny.plan().begin().is_err());
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
            tiny.write(
                &format!("metadata/data/meld/meld_{part}_fold_1.jsonl"),
                &text,
            );
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
    type Change<'a> = (&'a str, Box<dyn Fn(&mut Tiny) + 'a>);
    let changes: Vec<Change<'_>> = vec![
        (
            "a label",
            Box::new(|tiny| tiny.relabel("a", "happy1.wav,happy", "happy1.wav,sad")),
        ),
        (
            "a speaker",
            Box::new(|tiny| tiny.relabel("a", "sad2.wav,sad,s2", "sad2.wav,sad,s3")),
        ),
        (
            "an utterance less",
            Box::new(|tiny| tiny.relabel("a", "sad3.wav,sad,s3\n", "")),
        ),
        (
            "an utterance more",
            Box::new(|tiny| {
                tiny.tone("a", "new.wav", 700.0);
                tiny.relabel("a", "speaker\n", "speaker\nnew.wav,sad,s1\n");
            }),
        ),
        (
            "speakers, which cannot be divided any more",
            Box::new(|tiny| tiny.one_speaker("a")),
        ),
        (
            "speakers again",
            Box::new(|tiny| {
                for (name, speaker) in [
                    ("happy1.wav,sad", "s1"),
                    ("new.wav,sad", "s1"),
                    ("happy2.wav,happy", "s2"),
                    ("sad2.wav,sad", "s2"),
                ] {
                    tiny.relabel("a", &format!("{name},s0"), &format!("{name},{speaker}"));
                }
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
            Box::new(|tiny| tiny.write("b/sad1.wav", "no recording")),
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
                tiny.relabel("a", "happy3.wav,happy", "happy3.wav,sad");
            }),
        ),
        (
            "an utterance less across corpora",
            Box::new(|tiny| tiny.relabel("a", "sad0.wav,sad,s0\n", "")),
        ),
        (
            "pseudo-labels",
            Box::new(|tiny| {
                let labels = tiny.path("labels.jsonl");
                let write = |tiny: &Tiny, wrong: &str| {
                    let label = |key: &str, label: &str| {
                        let label = if key == wrong { "angry" } else { label };
                        format!("{{\"key\": \"b-{key}\", \"prediction\": \"{label}\"}}\n")
                    };
                    let pairs = (0..4).map(|s| {
                        label(&format!("happy{s}"), "happy") + &label(&format!("sad{s}"), "sad")
                    });
                    tiny.write("labels.jsonl", &pairs.collect::<String>());
                };
                write(tiny, "");
                let cross = tiny.experiment.cross.as_mut().unwrap();
                cross.pseudo_labels.insert("b".to_owned(), labels.clone());
                run(tiny);
                write(tiny, "sad1");
            }),
        ),
        (
            "a balanced set",
            Box::new(|tiny| {
                let set = tiny.path("set.jsonl");
                let write = |tiny: &Tiny, speakers: [u32; 2]| {
                    let line = |class: &str, s: u32| {
                        let key = format!("b-{class}{s}");
                        format!(
                            "{{\"key\":\"{key}\",\"label\":\"{class}\",\"speaker\":\"s{s}\"}}\n"
                        )
                    };
                    let lines = speakers.map(|s| line("happy", s) + &line("sad", s));
                    tiny.write("set.jsonl", &lines.concat());
                };
                write(tiny, [0, 2]);
                let cross = tiny.experiment.cross.as_mut().unwrap();
                cross.balanced_sets.insert("b".to_owned(), set);
                run(tiny);
                write(tiny, [0, 3]);
            }),
        ),
    ];
    for (number, (what, change)) in changes.iter().enumerate() {
        change(&mut tiny);
        tiny.told.take();
        let written = |out: &Path| std::fs::read(out.join("scores.json")).unwrap();
        run(&tiny);
        let here = written(&tiny.out());
        let fresh = Home::new(tiny.path(&format!("fresh{number}")));
        let out = fresh.root().join("out");
        let plan = Plan::of(&fresh, &tiny.experiment, &out).unwrap();
        run_here(&plan, tiny.context()).unwrap();
        assert!(
            here == written(&out),
            "after a change of {what}: {:?}",
            tiny.told.take()
        );
        run(&tiny);
        assert!(here == written(&tiny.out()), "again after {what}");
        tiny.told.take_stages();
    }
}
