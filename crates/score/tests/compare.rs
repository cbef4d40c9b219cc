//! Comparing systems, matching keys, groups and cross-corpus matrices.

use emobox_score::{
    BootstrapOptions, CompareRequest, Comparison, CrossCell, CrossMatrix, Grouping, Mismatch,
    Prediction, ScoreError, compare, group_scores, join_published_lists, read_published_list,
};
use std::collections::BTreeMap;

fn classes() -> Vec<String> {
    ["a", "b"].map(String::from).to_vec()
}

fn item(i: usize, right: bool) -> Prediction {
    let label = i % 2;
    Prediction {
        key: format!("k{i}"),
        fold: 1,
        label: classes()[label].clone(),
        prediction: classes()[if right { label } else { 1 - label }].clone(),
        scores: BTreeMap::new(),
        speaker: Some((i % 7).to_string()),
        gender: Some(if i % 7 < 3 { "female" } else { "male" }.to_owned()),
    }
}

fn against(a: &[Prediction], b: &[Prediction]) -> Result<Comparison, ScoreError> {
    compare(&CompareRequest {
        corpus: "c",
        a: ("one", a),
        b: ("two", b),
        classes: &classes(),
        bootstrap: BootstrapOptions::default(),
    })
}

#[test]
fn a_system_does_not_differ_from_itself_and_swapping_turns_the_sign() {
    let a: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let mut b: Vec<Prediction> = (0..70).map(|i| item(i, i % 5 > 1)).collect();
    let same = against(&a, &a).unwrap();
    assert_eq!(
        (same.ua.difference, same.ua.ci, same.ua.p),
        (0.0, [0.0, 0.0], 1.0)
    );
    assert_eq!(same.mcnemar.p_exact, 1.0);
    b.reverse();
    let (there, back) = (against(&a, &b).unwrap(), against(&b, &a).unwrap());
    assert!((there.ua.difference + back.ua.difference).abs() < 1e-12);
    assert_eq!(there.ua.p, back.ua.p);
    assert_eq!(there.mcnemar.only_a, back.mcnemar.only_b);
    assert!(there.ua.ci[0] <= there.ua.difference && there.ua.difference <= there.ua.ci[1]);
}

#[test]
fn speakers_that_only_one_system_names_are_those_of_both() {
    let spoken: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let mut silent: Vec<Prediction> = (0..70).map(|i| item(i, i % 5 > 1)).collect();
    let expected = against(&spoken, &silent).unwrap();
    for item in &mut silent {
        item.speaker = None;
    }
    assert_eq!(against(&spoken, &silent).unwrap(), expected);
    let utterances = against(&silent, &spoken).unwrap();
    assert_eq!(utterances.interval.units, 70);
}

#[test]
fn other_items_and_other_labels_are_refused_by_name() {
    let a: Vec<Prediction> = (0..4).map(|i| item(i, true)).collect();
    let message = against(&a, &a[1..]).unwrap_err().to_string();
    assert!(message.contains("1 missing: k0 (fold 1)"), "{message}");
    let mut relabelled = a.clone();
    relabelled[2].label = "b".into();
    let message = against(&a, &relabelled).unwrap_err().to_string();
    assert!(
        message.contains("k2") && message.contains("expected \"a\" as in one"),
        "{message}"
    );
    assert!(against(&[], &[]).is_err());
}

#[test]
fn keys_that_do_not_match_are_all_named() {
    let mismatch = Mismatch::between(["a", "b", "c", "c"], ["b", "b", "d", "c"]);
    assert_eq!(mismatch.missing, ["a"]);
    assert_eq!(mismatch.extra, ["d"]);
    assert_eq!(mismatch.doubled, ["b"]);
    assert_eq!(mismatch.doubled_references, ["c"]);
    let many: Vec<String> = (0..9).map(|i| format!("k{i}")).collect();
    let text = Mismatch::between(many.iter().map(String::as_str), []).to_string();
    assert_eq!(text, "9 missing: k0, k1, k2, k3, k4 and 4 more");
    assert!(Mismatch::between(["a"], ["a"]).is_empty());
}

#[test]
fn the_published_lists_join_by_key() {
    let predictions =
        read_published_list(r#"[{"key":"x","pred":1},{"key":"y","pred":2}]"#, "p").unwrap();
    let lines = "{\"key\":\"y\",\"label\":2}\n\n{\"key\":\"x\",\"label\":\"2\"}\n";
    let labels = read_published_list(lines, "l").unwrap();
    let joined = join_published_lists(&predictions, &labels).unwrap();
    assert_eq!(
        (joined[0].key.as_str(), joined[0].prediction.as_str()),
        ("y", "2")
    );
    assert_eq!(
        (joined[1].label.as_str(), joined[1].prediction.as_str()),
        ("2", "1")
    );
    assert!(join_published_lists(&predictions[1..], &labels).is_err());
    let message = read_published_list("{\"key\":\"x\",\"label\":1}\n{\"key\":\"x\"}", "l");
    assert!(
        message
            .unwrap_err()
            .to_string()
            .starts_with("l:2: entry 2 of 2")
    );
    assert!(read_published_list("[{", "l").is_err());
}

#[test]
fn groups_share_out_the_utterances() {
    let predictions: Vec<Prediction> = (0..70).map(|i| item(i, i % 7 != 0)).collect();
    let speakers = group_scores(&predictions, &classes(), Grouping::Speaker).unwrap();
    assert_eq!(speakers.len(), 7);
    assert_eq!((speakers[0].ua, speakers[1].ua), (0.0, 1.0));
    let genders = group_scores(&predictions, &classes(), Grouping::Gender).unwrap();
    assert_eq!(genders.iter().map(|g| g.n).sum::<u64>(), 70);
    assert_eq!((genders[1].group.as_str(), genders[1].wa), ("male", 1.0));
}

#[test]
fn equation_1_averages_the_pairs_off_the_diagonal() {
    let corpora: Vec<String> = ["x", "y", "z"].map(String::from).to_vec();
    let options = BootstrapOptions::default();
    let mut cells = Vec::new();
    for (t, train) in corpora.iter().enumerate() {
        for (s, test) in corpora.iter().enumerate() {
            let predictions: Vec<Prediction> = (0..20)
                .map(|i| item(i, t == s || i < 5 * (t + 1)))
                .collect();
            cells.push(CrossCell::score(train, test, &predictions, &classes(), &options).unwrap());
        }
    }
    let mut matrix = CrossMatrix {
        encoder: "e".into(),
        classes: classes(),
        corpora,
        cells,
    };
    // Rows 5/20, 10/20 and 15/20, each on two other corpora.
    assert!((matrix.average().unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(matrix.cell("x", "x").unwrap().accuracy, 1.0);
    assert_eq!(matrix.cell("x", "y").unwrap().per_class.len(), 2);
    matrix.cells.pop();
    assert!(matrix.average().is_some(), "the diagonal is not needed");
    matrix.cells.retain(|c| !(c.train == "x" && c.test == "z"));
    assert_eq!(matrix.average(), None);
}
