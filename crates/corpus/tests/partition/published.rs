//! The published folds: by rule, by draw, from lists.

use crate::{CAFE, manifest, parts, registered, test_speakers, utterance};
use emobox_corpus::{
    Manifest, Partition, PartitionOptions, Role, Rule, Scheme, partition, seeded_test_keys,
};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

const STRATIFIED: [&str; 16] = [
    "aesdd",
    "ased",
    "asvpesd",
    "cremad",
    "emns",
    "emovdb",
    "emozionalmente",
    "enterface",
    "mead",
    "mesd",
    "oreau",
    "pavoque",
    "shemo",
    "tess",
    "turevdb",
    "urdu",
];

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn the_published_draw_gives_the_test_lists_of_all_16_stratified_corpora() {
    for corpus in STRATIFIED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../../shared/reference/{corpus}.tsv.gz"));
        let file = std::fs::File::open(&path).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split('\t').collect())
            .collect();
        let pairs: Vec<(&str, &str)> = rows.iter().map(|row| (row[0], row[7])).collect();
        let drawn: BTreeSet<&str> = seeded_test_keys(&pairs).into_iter().collect();
        let published: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row[9] == "test:1")
            .map(|row| row[0])
            .collect();
        assert!(!published.is_empty());
        assert_eq!(drawn, published, "{corpus}");
    }
}

fn published(manifest: &Manifest, metadata: Option<&Path>) -> Result<Partition, String> {
    let options = PartitionOptions {
        scheme: Scheme::Published,
        metadata: metadata.map(Path::to_owned),
        ..PartitionOptions::default()
    };
    partition(manifest, &options).map_err(|error| error.to_string())
}

#[test]
fn published_folds_that_follow_a_rule_need_no_lists() {
    let cafe = registered("cafe", &CAFE, 2);
    let made = published(&cafe, None).unwrap();
    assert_eq!((made.info.rule, made.info.folds), (Rule::SpeakerFolds, 3));
    let tested = ["02", "04", "09", "12"].map(str::to_owned);
    assert_eq!(test_speakers(&cafe, &made, 2), BTreeSet::from(tested));
    // The published speakers of JL-Corpus are written with their folder.
    let speakers = ["any/folder/male2", "female1", "male1", "female2"];
    let made = published(&registered("jlcorpus", &speakers, 2), None).unwrap();
    assert_eq!(
        (made.info.rule, made.info.folds),
        (Rule::LeaveOneSpeakerOut, 4)
    );
    assert_eq!(made.keys(1, &Role::Test).len(), 4);
    let stranger = published(&registered("cafe", &["01", "13", "14"], 2), None).unwrap_err();
    assert!(
        stranger.contains("2 speakers are in no published fold, the first is \"13\""),
        "{stranger}"
    );

    let mut release = manifest(&[vec![9]]);
    release.corpus = "iemocap".to_owned();
    let without = published(&release, None).unwrap_err();
    assert!(without.contains("has no `split`"), "{without}");
    let sessions = ["session1", "session2", "session3", "session4", "session5"];
    let release = parts(release, |at| Some(sessions[at % 5]));
    let made = published(&release, None).unwrap();
    assert_eq!((made.info.rule, made.info.folds), (Rule::OfficialGroups, 5));
    assert_eq!(made.keys(5, &Role::Test).len(), 1);
    let mut release = parts(release, |at| Some(["train", "valid", "test"][at % 3]));
    release.corpus = "meld".to_owned();
    let made = published(&release, None).unwrap();
    assert_eq!(
        (made.info.rule, made.keys(1, &Role::Valid).len()),
        (Rule::OfficialSplit, 3)
    );

    for corpus in ["urdu", "emodb"] {
        let lists = published(&registered(corpus, &["a"], 9), None).unwrap_err();
        assert!(lists.contains("--metadata DIR"), "{lists}");
    }
    let own = published(&manifest(&[vec![9]]), None).unwrap_err();
    assert!(own.contains("not part of the published benchmark"), "{own}");
    let demo = published(&registered("demo", &["a"], 9), None).unwrap_err();
    assert!(
        demo.contains("not part of the published benchmark"),
        "{demo}"
    );
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Sixty utterances of three labels in a mixed order, and the test keys that CPython draws of them: `random.seed(0)`, then
/// `random.sample(keys, int(0.25 * len(keys)))` for A, B and C.
fn drawn() -> (Manifest, String, Vec<String>) {
    let mut made = manifest(&[]);
    made.corpus = "urdu".to_owned();
    let mut lines = String::new();
    for i in 0..60_usize {
        let emo = ["A", "B", "C"][(i * i / 3) % 3];
        made.utterances
            .push(utterance(&format!("urdu-{i:03}"), emo, None));
        lines += &format!("{{\"key\": \"urdu-{i:03}\", \"emo\": \"{emo}\"}}\n\n");
    }
    let tested = [1, 14, 15, 20, 21, 25, 27, 28, 34, 40, 41, 44, 45, 46];
    (
        made,
        lines,
        tested.iter().map(|i| format!("urdu-{i:03}")).collect(),
    )
}

#[test]
fn the_published_draw_is_made_from_a_full_list() {
    let (urdu, lines, tested) = drawn();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(&root.join("data/urdu/urdu.jsonl"), &lines);
    let made = published(&urdu, Some(root)).unwrap();
    assert_eq!((made.info.rule, made.info.folds), (Rule::PublishedDraw, 1));
    assert_eq!(made.keys(1, &Role::Test), tested);
    assert_eq!(made.keys(1, &Role::Train).len(), 46);
    assert!(
        made.info
            .reason
            .ends_with("every listed key is in the manifest")
    );
    // From the folder above, and from the folder itself.
    for path in ["data", "data/urdu"] {
        assert_eq!(published(&urdu, Some(&root.join(path))).unwrap(), made);
    }
    let other = published(&urdu, Some(&root.join("data/other"))).unwrap_err();
    assert!(other.contains("has no folder data/urdu or urdu"), "{other}");
    // A file of that name is no folder.
    put(&root.join("file/urdu"), "");
    assert!(
        published(&urdu, Some(&root.join("file")))
            .unwrap_err()
            .contains("has no folder")
    );
    // What the manifest lacks is named; what the lists lack is in no fold.
    let mut part = urdu.clone();
    part.utterances.remove(1);
    part.utterances.push(utterance("urdu-999", "A", None));
    let info = published(&part, Some(root)).unwrap().info;
    assert_eq!(
        (info.not_in_manifest, info.in_no_fold),
        (vec!["urdu-001".to_owned()], 1)
    );
    assert!(
        info.reason
            .ends_with("1 listed keys are not in the manifest"),
        "{}",
        info.reason
    );
    let none = registered("urdu", &["a"], 2);
    let none = published(&none, Some(root)).unwrap_err();
    assert!(none.contains("none of the 60 listed keys"), "{none}");
    // What is no list.
    for (text, problem) in [
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "Git LFS pointer",
        ),
        (
            "{\"key\": \"urdu-000\"}\n\n{\"emo\": \"A\"}\n",
            "line 3: no member `key`",
        ),
        ("{\"key\": \"urdu-000\"}\n{", "line 2: "),
    ] {
        put(&root.join("data/urdu/urdu.jsonl"), text);
        let refused = published(&urdu, Some(root)).unwrap_err();
        assert!(refused.contains(problem), "{refused}");
    }
    // Fixed lists are not drawn.
    let mut emodb = urdu.clone();
    emodb.corpus = "emodb".to_owned();
    put(&root.join("data/emodb/emodb.jsonl"), &lines);
    let refused = published(&emodb, Some(root)).unwrap_err();
    assert!(
        refused.contains("train and test of 5 folds are expected, found none"),
        "{refused}"
    );
}

#[test]
fn published_fold_lists_are_read_under_all_their_names() {
    let (urdu, lines, _) = drawn();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("urdu");
    put(&data.join("urdu.jsonl"), &lines);
    let row = |key: usize| format!("{{\"key\": \"urdu-{key:03}\", \"label\": \"A\"}}\n");
    let object = |key: usize| format!("{{\"urdu-{key:03}\": {{\"emo\": \"A\"}}}}");
    put(&data.join("fold_1/urdu_train_fold_1.jsonl"), &row(0));
    // Named least preferred first: each that is added wins over those before it.
    let names = ["fold1.json", "fold1.jsonl", "fold_1.json", "fold_1.jsonl"];
    for (key, name) in (1..).zip(names) {
        let text = if name.ends_with('l') {
            row(key)
        } else {
            object(key)
        };
        put(&data.join(format!("fold_1/urdu_test_{name}")), &text);
        let made = published(&urdu, Some(&data)).unwrap();
        assert_eq!(made.info.rule, Rule::PublishedLists, "{name}");
        assert_eq!(
            made.keys(1, &Role::Test),
            [format!("urdu-{key:03}")],
            "{name}"
        );
        assert_eq!(made.keys(1, &Role::Train), ["urdu-000"]);
    }
    // A test part without a train part is no fold; the full list draws it instead.
    std::fs::remove_file(data.join("fold_1/urdu_train_fold_1.jsonl")).unwrap();
    let made = published(&urdu, Some(&data)).unwrap();
    assert_eq!(made.info.rule, Rule::PublishedDraw);
    std::fs::remove_file(data.join("urdu.jsonl")).unwrap();
    let refused = published(&urdu, Some(&data)).unwrap_err();
    assert!(
        refused.contains("of 1 folds are expected, found test 1"),
        "{refused}"
    );

    // MER2023 lists its test part twice.
    let data = folder.path().join("mer2023");
    let mut mer = urdu.clone();
    mer.corpus = "mer2023".to_owned();
    for (part, key) in [("train", 0), ("test", 1), ("test1", 1), ("test2", 2)] {
        put(&data.join(format!("mer2023_{part}_fold1.jsonl")), &row(key));
    }
    let made = published(&mer, Some(&data)).unwrap();
    let roles: Vec<String> = made
        .assignments
        .iter()
        .map(|a| a.role.to_string())
        .collect();
    assert_eq!(roles, ["train", "test", "test2"]);
}
