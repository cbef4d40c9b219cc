//! Comparing systems, matching keys, groups and cross-corpus matrices.

use emobox_score::{
    CompareRequest, Comparison, CrossCell, CrossMatrix, Grouping, InferenceOptions, Mismatch,
    NoInterval, Prediction, ScoreError, SeededSystem, compare, compare_seeds, correct,
    group_scores, holm, join_published_lists, read_published_list, sign_flip,
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
        votes: BTreeMap::new(),
        gender: Some(if i % 7 < 3 { "female" } else { "male" }.to_owned()),
    }
}

fn against(a: &[Prediction], b: &[Prediction]) -> Result<Comparison, ScoreError> {
    compare(&CompareRequest {
        corpus: "c",
        a: ("one", a),
        b: ("two", b),
        classes: &classes(),
        inference: InferenceOptions::default(),
    })
}

#[test]
fn a_system_does_not_differ_from_itself_and_swapping_turns_the_sign() {
    let a: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let mut b: Vec<Prediction> = (0..70).map(|i| item(i, i % 5 > 1)).collect();
    let same = against(&a, &a).unwrap();
    assert_eq!(
        (same.ua.difference, same.ua.ci, same.ua.p, same.ua.p_t),
        (0.0, Some([0.0, 0.0]), 1.0, Some(1.0))
    );
    b.reverse();
    let (there, back) = (against(&a, &b).unwrap(), against(&b, &a).unwrap());
    assert!((there.ua.difference + back.ua.difference).abs() < 1e-12);
    assert_eq!(there.ua.p, back.ua.p);
    assert_eq!(there.ua.p_t, back.ua.p_t);
    let [low, high] = there.ua.ci.unwrap();
    assert!(low <= there.ua.difference && there.ua.difference <= high);
    // The smallest detectable difference exceeds half the interval by the power's quantile, which is below the level's.
    let (half, smallest) = (
        high - there.ua.difference,
        there.ua.smallest_detectable.unwrap(),
    );
    assert!(
        (1.2 * half..1.6 * half).contains(&smallest),
        "{smallest} {half}"
    );
}

#[test]
fn flips_add_up_to_the_differences() {
    let a: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let b: Vec<Prediction> = (0..70).map(|i| item(i, i % 5 > 1)).collect();
    let found = against(&a, &b).unwrap();
    let flips = found.ua.flips.unwrap();
    // Three of the seven speakers are tied, and have no sign.
    assert_eq!((flips.exact, flips.flips), (true, 16));
    // All speakers have equally many items: the part of each is its own difference in hits.
    let parts: Vec<f64> = (0..7)
        .map(|speaker| {
            let of = |list: &[Prediction], class: &str| {
                let own = list
                    .iter()
                    .filter(|p| p.speaker == Some(speaker.to_string()));
                own.filter(|p| p.label == class && p.prediction == class)
                    .count() as f64
            };
            (of(&a, "a") - of(&b, "a") + of(&a, "b") - of(&b, "b")) / 70.0
        })
        .collect();
    assert!((parts.iter().sum::<f64>() - found.ua.difference).abs() < 1e-12);
    assert_eq!(sign_flip(&parts, 10, 0).p, flips.p);
}

#[test]
fn four_speakers_give_no_interval_and_no_small_p() {
    let keep = |right: fn(usize) -> bool| -> Vec<Prediction> {
        let all = (0..70).map(|i| item(i, right(i)));
        all.filter(|p| p.speaker.as_ref().unwrap().as_str() < "4")
            .collect()
    };
    let found = against(&keep(|_| true), &keep(|_| false)).unwrap();
    assert_eq!((found.ua.ci, found.ua.p, found.ua.p_t), (None, 0.125, None));
    assert_eq!(found.interval.refused, Some(NoInterval::FewClusters));
    assert!(!found.ua.is_significant(0.05));
    assert_eq!(
        found.mcnemar, None,
        "utterances of a speaker are not independent"
    );
}

#[test]
fn mcnemar_stands_where_utterances_are_independent() {
    let apart = |right: fn(usize) -> bool| -> Vec<Prediction> {
        let mut items: Vec<Prediction> = (0..40).map(|i| item(i, right(i))).collect();
        for (i, item) in items.iter_mut().enumerate() {
            item.speaker = Some(format!("speaker {i}"));
        }
        items
    };
    let (a, b) = (apart(|i| i % 3 > 0), apart(|i| i % 5 > 1));
    let found = against(&a, &b).unwrap().mcnemar.unwrap();
    assert_eq!((found.only_a, found.only_b), (10, 8));
    let silent = |list: &[Prediction]| -> Vec<Prediction> {
        let mut list = list.to_vec();
        list.iter_mut().for_each(|p| p.speaker = None);
        list
    };
    let unknown = against(&silent(&a), &silent(&b)).unwrap();
    assert!(unknown.mcnemar.is_some() && unknown.is_by_utterance());
    let mut twice = a.clone();
    twice.extend(a.iter().cloned().map(|p| Prediction { fold: 2, ..p }));
    assert!(
        against(&twice, &twice).unwrap().mcnemar.is_none(),
        "each item is tested twice"
    );
}

#[test]
fn seeds_that_vary_widen_what_is_said() {
    let system = |seed: usize| -> Vec<Prediction> {
        (0..140)
            .map(|i| item(i, !(i + seed).is_multiple_of(3 + seed)))
            .collect()
    };
    let lists: Vec<Vec<Prediction>> = (0..3).map(system).collect();
    let views: Vec<&[Prediction]> = lists.iter().map(Vec::as_slice).collect();
    let other: Vec<Prediction> = (0..140).map(|i| item(i, i % 5 > 1)).collect();
    let one = compare_seeds(
        "c",
        SeededSystem {
            name: "one",
            seeds: &views,
        },
        SeededSystem {
            name: "two",
            seeds: &[&other],
        },
        &classes(),
        &InferenceOptions::default(),
    )
    .unwrap();
    assert_eq!(one.seeds, [3, 1]);
    let mean = lists
        .iter()
        .map(|l| against(l, &other).unwrap().ua.a)
        .sum::<f64>()
        / 3.0;
    assert!((one.ua.a - mean).abs() < 1e-12);
    assert!(one.ua.p >= one.ua.flips.unwrap().p && one.ua.p >= one.ua.p_t.unwrap());
    let same = compare_seeds(
        "c",
        SeededSystem {
            name: "one",
            seeds: &[&lists[0], &lists[0], &lists[0]],
        },
        SeededSystem {
            name: "two",
            seeds: &[&other],
        },
        &classes(),
        &InferenceOptions::default(),
    )
    .unwrap();
    let alone = against(&lists[0], &other).unwrap();
    let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-9;
    assert!(
        near(same.ua.ci.unwrap(), alone.ua.ci.unwrap()),
        "seeds alike add nothing"
    );
    let width = |c: &Comparison| c.ua.ci.map(|[l, h]| h - l).unwrap();
    let parts: f64 = width(&same);
    assert!(width(&one) > 0.5 * parts, "{} {parts}", width(&one));
}

#[test]
fn every_pair_of_a_table_is_corrected_together() {
    let lists: Vec<Vec<Prediction>> = (2..5)
        .map(|k| (0..140).map(|i| item(i, i % k > 0)).collect())
        .collect();
    let views: Vec<[&[Prediction]; 1]> = lists.iter().map(|l| [l.as_slice()]).collect();
    let names = ["one", "two", "three"];
    let systems: Vec<SeededSystem<'_>> = names
        .iter()
        .zip(&views)
        .map(|(name, seeds)| SeededSystem { name, seeds })
        .collect();
    let options = InferenceOptions::default();
    let pairs = [[0, 1], [0, 2], [1, 2]];
    let mut all: Vec<Comparison> = pairs
        .iter()
        .map(|[a, b]| compare_seeds("c", systems[*a], systems[*b], &classes(), &options).unwrap())
        .collect();
    let mut pair = vec![all[0].clone()];
    correct(&mut all);
    let p: Vec<f64> = all.iter().map(|c| c.ua.p).collect();
    let corrected: Vec<f64> = all.iter().map(|c| c.ua.p_corrected.unwrap()).collect();
    assert_eq!(corrected, holm(&p));
    correct(&mut pair);
    assert_eq!(pair[0].ua.p_corrected, None);
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
    let all_named = Mismatch::between(many[..5].iter().map(String::as_str), []);
    assert_eq!(all_named.to_string(), "5 missing: k0, k1, k2, k3, k4");
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
    let message = |list: &str| read_published_list(list, "l").unwrap_err().to_string();
    let broken = message("{\"key\":\"x\",\"label\":1}\n\n{\"key\"");
    assert!(broken.starts_with("l:3"), "{broken}");
    for name in ["\"\"", "1.5", "true", "null"] {
        let refused = message(&format!("{{\"key\":{name},\"label\":1}}"));
        assert!(refused.contains("as names or integers"), "{refused}");
    }
    let large = format!("{{\"key\":{},\"label\":-1}}", u64::MAX);
    let read = read_published_list(&large, "l").unwrap();
    assert_eq!(read, [(u64::MAX.to_string(), "-1".to_owned())]);
}

#[test]
fn groups_share_out_the_utterances() {
    let predictions: Vec<Prediction> = (0..70).map(|i| item(i, i % 7 != 0)).collect();
    let speakers = group_scores(&predictions, &classes(), Grouping::Speaker, 0.95).unwrap();
    assert_eq!(speakers.len(), 7);
    assert_eq!((speakers[0].ua, speakers[1].ua), (0.0, 1.0));
    let genders = group_scores(&predictions, &classes(), Grouping::Gender, 0.95).unwrap();
    assert_eq!(genders.iter().map(|g| g.n).sum::<u64>(), 70);
    assert_eq!((genders[1].group.as_str(), genders[1].wa), ("male", 1.0));
}

#[test]
fn equation_1_averages_the_pairs_off_the_diagonal() {
    let corpora = ["x", "y", "z"];
    let options = InferenceOptions::default();
    let mut cells = Vec::new();
    for (t, train) in corpora.iter().enumerate() {
        for (s, test) in corpora.iter().enumerate() {
            let predictions: Vec<Prediction> = (0..20)
                .map(|i| item(i, t == s || i < 5 * (t + 1)))
                .collect();
            cells.push(CrossCell::score(train, test, &predictions, &classes(), &options).unwrap());
        }
    }
    let mut matrix = matrix(&corpora, cells);
    // Rows 5/20, 10/20 and 15/20, each for two other corpora.
    assert!((matrix.average().unwrap() - 0.5).abs() < 1e-12);
    // Six cells of seven speakers with similar errors, two on each test set.
    let error = matrix.average_error().unwrap();
    let cell = matrix.cell("x", "y").unwrap();
    assert!(error.error > 0.0 && error.error < cell.accuracy_error.unwrap().error);
    let [low, high] = cell.accuracy_ci.unwrap();
    assert!(low < cell.accuracy && cell.accuracy < high);
    assert_eq!(matrix.cell("x", "x").unwrap().accuracy, 1.0);
    assert_eq!(matrix.cell("x", "y").unwrap().per_class.len(), 2);
    matrix.cells.pop();
    assert!(matrix.average().is_some(), "the diagonal is not needed");
    matrix.cells.retain(|c| !(c.train == "x" && c.test == "z"));
    assert_eq!(matrix.average(), None);
    assert_eq!(matrix.average_error(), None);
}

/// `speakers` × 20 items, each speaker's first `right` of every class answered rightly.
fn alike(speakers: usize, right: usize) -> Vec<Prediction> {
    let item = |i: usize| Prediction {
        speaker: Some((i / 20).to_string()),
        ..item(i, i % 20 / 2 < right)
    };
    (0..20 * speakers).map(item).collect()
}

#[test]
fn the_deviation_of_seeds_is_part_of_the_error() {
    // No speaker differs from another, so that nearly all of the error is that of three seeds: 0.6, 0.7 and 0.8.
    let lists: Vec<Vec<Prediction>> = [6, 7, 8].map(|right| alike(400, right)).to_vec();
    let views: Vec<&[Prediction]> = lists.iter().map(Vec::as_slice).collect();
    let other = alike(400, 5);
    let system = |seeds| SeededSystem { name: "s", seeds };
    let found = compare_seeds(
        "c",
        system(&views),
        system(&[&other]),
        &classes(),
        &InferenceOptions::default(),
    )
    .unwrap();
    let [low, high] = found.ua.ci.unwrap();
    // Student's t of two degrees of freedom at 95 % is 4.303.
    let half = 4.303 * 0.1 / 3.0_f64.sqrt();
    assert!((found.ua.difference - 0.2).abs() < 1e-12);
    assert!(
        ((high - low) / 2.0 / half - 1.0).abs() < 0.05,
        "{low} {high}"
    );
}

#[test]
fn a_difference_that_is_the_same_for_every_speaker_has_no_spread() {
    for (speakers, reason) in [(5, NoInterval::NoSpread), (4, NoInterval::FewClusters)] {
        let found = against(&alike(speakers, 5), &alike(speakers, 0)).unwrap();
        assert_eq!((found.ua.difference, found.ua.ci), (0.5, None));
        assert_eq!(found.interval.refused, Some(reason));
    }
}

#[test]
fn two_speakers_are_the_units_and_one_is_not() {
    let two: Vec<Prediction> = (0..70)
        .map(|i| Prediction {
            speaker: Some((i % 4 / 2).to_string()),
            ..item(i, i % 3 > 0)
        })
        .collect();
    assert!(!against(&two, &two).unwrap().is_by_utterance());
    let one: Vec<Prediction> = two
        .iter()
        .map(|p| Prediction {
            speaker: Some("0".to_owned()),
            ..p.clone()
        })
        .collect();
    assert!(against(&one, &one).unwrap().is_by_utterance());
}

#[test]
fn significance_is_by_the_corrected_p_below_the_level() {
    let a: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let found = against(&a, &a).unwrap().ua;
    let with = |p, p_corrected| emobox_score::Difference {
        p,
        p_corrected,
        ..found
    };
    assert!(with(0.04, None).is_significant(0.05));
    assert!(!with(0.05, None).is_significant(0.05));
    assert!(!with(0.06, None).is_significant(0.05));
    assert!(!with(0.04, Some(0.08)).is_significant(0.05));
    assert!(with(0.06, Some(0.01)).is_significant(0.05));
}

#[test]
fn a_comparison_without_seeds_has_one_each() {
    let a: Vec<Prediction> = (0..70).map(|i| item(i, i % 3 > 0)).collect();
    let mut json = serde_json::to_value(against(&a, &a).unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("seeds").unwrap();
    let read: Comparison = serde_json::from_value(json).unwrap();
    assert_eq!(read.seeds, [1, 1]);
}

fn cross_cell(train: &str, test: &str, right: usize) -> CrossCell {
    let items = alike(6, right);
    let options = InferenceOptions::default();
    CrossCell::score(train, test, &items, &classes(), &options).unwrap()
}

fn matrix(corpora: &[&str], cells: Vec<CrossCell>) -> CrossMatrix {
    CrossMatrix {
        encoder: "e".into(),
        classes: classes(),
        corpora: corpora.iter().map(|c| (*c).to_owned()).collect(),
        cells,
    }
}

#[test]
fn a_matrix_takes_up_what_it_lacks_and_no_contradiction() {
    let mut own = matrix(&["x", "y"], vec![cross_cell("x", "y", 7)]);
    let more = matrix(
        &["y", "z"],
        vec![cross_cell("x", "y", 7), cross_cell("y", "z", 6)],
    );
    assert!(own.take_up(&more));
    assert_eq!(own.corpora, ["x", "y", "z"]);
    let pairs: Vec<(&str, &str)> = own
        .cells
        .iter()
        .map(|c| (c.train.as_str(), c.test.as_str()))
        .collect();
    assert_eq!(pairs, [("x", "y"), ("y", "z")]);
    let before = own.clone();
    let contradiction = matrix(&["x", "y"], vec![cross_cell("x", "y", 8)]);
    let other_encoder = CrossMatrix {
        encoder: "f".into(),
        ..more.clone()
    };
    let other_classes = CrossMatrix {
        classes: vec!["a".to_owned()],
        ..more
    };
    for refused in [contradiction, other_encoder, other_classes] {
        assert!(!own.take_up(&refused));
        assert_eq!(own, before);
    }
}

#[test]
fn the_error_of_an_average_adds_test_sets_and_shares_their_speakers() {
    let corpora = ["x", "y", "z", "w"];
    let mut cells = Vec::new();
    for train in corpora {
        cells.extend(corpora.map(|test| cross_cell(train, test, 8)));
    }
    let one = cells[0].accuracy_error.unwrap().error;
    let found = matrix(&corpora, cells).average_error().unwrap().error;
    // Of 12 pairs, three are tested on each of four corpora.
    assert!((found - 4.0_f64.sqrt() * 3.0 * one / 12.0).abs() < 1e-12);
}
