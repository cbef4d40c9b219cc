//! Runs, folds, intervals and their file format.

use emobox_score::{
    AsPublished, CompareRequest, CrossCell, FoldName, InferenceOptions, IntervalMethod,
    IntervalUnit, NoInterval, Oracle, Prediction, Run, RunLabels, ScoreRequest, ScoresFile,
    StandardErrors, compare, leaks, score_folds, score_seeds, soft_scores,
};
use std::collections::BTreeMap;

fn classes() -> Vec<String> {
    ["angry", "happy", "sad"].map(String::from).to_vec()
}

/// `n` items of `speakers` speakers in `folds` folds, three in four of them correct.
fn corpus(n: usize, speakers: usize, folds: usize) -> Vec<Prediction> {
    let classes = classes();
    (0..n)
        .map(|i| {
            let speaker = i % speakers;
            let label = (i / speakers) % 3;
            let wrong = (i * 7 + i / 5) % 4 == 0;
            Prediction {
                key: format!("utterance-{i}"),
                fold: (speaker % folds) as u32 + 1,
                label: classes[label].clone(),
                prediction: classes[(label + usize::from(wrong)) % 3].clone(),
                scores: BTreeMap::new(),
                speaker: Some(format!("speaker {speaker}")),
                votes: BTreeMap::new(),
                gender: None,
            }
        })
        .collect()
}

fn score(predictions: &[Prediction], oracle: Option<&[Prediction]>) -> Vec<Run> {
    score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: "demo".into(),
            encoder: "fbank".into(),
            protocol: "strict".into(),
            partition: "paper".into(),
            config: "last layer".into(),
        },
        classes: &classes(),
        predictions,
        oracle,
        inference: InferenceOptions::default(),
    })
    .unwrap()
}

#[test]
fn the_mean_is_the_mean_of_the_folds_and_the_pooled_holds_every_item() {
    let mut predictions = corpus(120, 8, 4);
    // The folds differ.
    for item in predictions.iter_mut().filter(|item| item.fold == 2) {
        item.prediction = item.label.clone();
    }
    let runs = score(&predictions, None);
    let names: Vec<String> = runs.iter().map(|r| r.fold.to_string()).collect();
    assert_eq!(names, ["mean", "pooled", "1", "2", "3", "4"]);
    let expected = runs[2..].iter().map(|r| r.ua).sum::<f64>() / 4.0;
    assert!((runs[0].ua - expected).abs() < 1e-12);
    assert_eq!((runs[0].n, runs[1].n, runs[2].n), (120, 120, 30));
    let pooled_right = runs[1]
        .confusion
        .iter()
        .enumerate()
        .map(|(i, r)| r[i])
        .sum::<u64>();
    assert!((runs[1].wa - pooled_right as f64 / 120.0).abs() < 1e-12);
    let squares = runs[2..].iter().map(|r| (r.ua - expected).powi(2));
    let deviation = (squares.sum::<f64>() / 3.0).sqrt();
    assert!(deviation > 0.01);
    assert!((runs[0].spread.unwrap().ua - deviation).abs() < 1e-12);
    assert!(runs[1].spread.is_none());
    // Groups are of all items.
    assert!(
        runs[1].groups.len() >= 8
            && runs
                .iter()
                .all(|run| run.fold == FoldName::Pooled || run.groups.is_empty())
    );
}

#[test]
fn intervals_hold_the_score_and_name_what_was_drawn() {
    let mut predictions = corpus(240, 12, 4);
    for run in &score(&predictions, None)[..2] {
        let [low, high] = run.ua_ci.unwrap();
        assert!(low <= run.ua && run.ua <= high, "{run:?}");
        assert!(low < high && low >= 0.0 && high <= 1.0);
        assert_eq!(run.interval.unwrap().unit, IntervalUnit::Speaker);
        assert!((run.errors.unwrap().ua.degrees - 11.0).abs() < 1e-9);
    }
    assert_eq!(score(&predictions, None)[0].interval.unwrap().units, 12);
    for prediction in &mut predictions {
        prediction.speaker = None;
    }
    let how = score(&predictions, None)[0].interval.unwrap();
    assert_eq!((how.unit, how.units), (IntervalUnit::Utterance, 240));
}

#[test]
fn neither_the_order_of_items_nor_a_second_call_changes_a_digit() {
    let predictions = corpus(120, 8, 4);
    let mut reversed = predictions.clone();
    reversed.reverse();
    assert_eq!(score(&predictions, None), score(&predictions, None));
    assert_eq!(score(&predictions, None), score(&reversed, None));
}

#[test]
fn one_speaker_who_is_always_right_leaves_no_doubt() {
    let mut predictions = corpus(9, 1, 1);
    for prediction in &mut predictions {
        prediction.prediction = prediction.label.clone();
    }
    let run = &score(&predictions, None)[0];
    assert_eq!(run.ua_ci, Some([1.0, 1.0]));
    assert_eq!(run.interval.unwrap().unit, IntervalUnit::Utterance);
}

#[test]
fn perfect_predictions_are_100_also_where_folds_lack_classes() {
    // Like urdu's speakers: nearly all have only one class, and each is a fold.
    let mut predictions = corpus(120, 12, 12);
    for (i, prediction) in predictions.iter_mut().enumerate() {
        let speaker = i % 12;
        if speaker > 1 {
            prediction.label = classes()[speaker % 3].clone();
        }
        prediction.prediction = prediction.label.clone();
    }
    let runs = score(&predictions, None);
    for run in &runs[..2] {
        let all = Some([1.0, 1.0]);
        assert_eq!((run.ua, run.wa, run.macro_f1), (1.0, 1.0, 1.0));
        assert_eq!((run.ua_ci, run.wa_ci, run.macro_f1_ci), (all, all, all));
    }
    for run in &runs[2..] {
        assert_eq!((run.ua, run.wa, run.macro_f1), (1.0, 1.0, 1.0));
    }
    assert_eq!(
        [runs[0].headline, runs[1].headline],
        [false, true],
        "folds lack classes: the pooled score is the headline"
    );
}

#[test]
fn the_mean_is_the_headline_where_every_fold_has_every_class() {
    let runs = score(&corpus(120, 8, 4), None);
    let marked: Vec<bool> = runs.iter().map(|run| run.headline).collect();
    assert_eq!(marked, [true, false, false, false, false, false]);
}

#[test]
fn intervals_are_refused_with_few_speakers_and_marked_below_twenty() {
    let few = &score(&corpus(120, 4, 2), None)[0];
    assert_eq!((few.ua_ci, few.wa_ci, few.macro_f1_ci), (None, None, None));
    let how = few.interval.unwrap();
    assert_eq!((how.refused, how.units), (Some(NoInterval::FewClusters), 4));
    assert!(!how.is_marked() && few.errors.is_none());
    assert!(
        score(&corpus(383, 19, 1), None)[0]
            .interval
            .unwrap()
            .is_marked()
    );
    assert!(
        !score(&corpus(405, 20, 1), None)[0]
            .interval
            .unwrap()
            .is_marked()
    );
    // Five speakers, but nearly all items are the first one's.
    let mut lonely = corpus(300, 5, 1);
    lonely.retain(|p| {
        p.speaker.as_deref() == Some("speaker 0") || p.key.ends_with("-7") || p.key.contains("-1")
    });
    let few = lonely.clone();
    lonely.extend((0..600).map(|i| Prediction {
        key: format!("more-{i}"),
        ..few[i % 3].clone()
    }));
    lonely
        .iter_mut()
        .filter(|p| p.key.starts_with("more"))
        .for_each(|p| {
            p.speaker = Some("speaker 0".to_owned());
        });
    let run = &score(&lonely, None)[0];
    assert_eq!((run.wa_ci, run.macro_f1_ci), (None, None));
    assert_eq!(run.interval.unwrap().refused, Some(NoInterval::FewDegrees));
}

#[test]
fn speakers_who_all_score_alike_are_taken_to_differ_away_from_the_middle() {
    // Ten speakers; of every four items of a class `wrong` are wrong, always as the next class.
    let alike = |wrong: usize| -> Vec<Prediction> {
        let mut predictions = corpus(120, 10, 1);
        for (i, prediction) in predictions.iter_mut().enumerate() {
            let label = (i / 10) % 3;
            prediction.label = classes()[label].clone();
            prediction.prediction = classes()[(label + usize::from(i / 30 < wrong)) % 3].clone();
        }
        predictions
    };
    let run = &score(&alike(1), None)[0];
    assert!((run.ua - 0.75).abs() < 1e-12 && (run.wa - 0.75).abs() < 1e-12);
    let [low, high] = run.ua_ci.unwrap();
    assert!(low < 0.73 && high > 0.77, "{low} {high}");
    assert_eq!(run.interval.unwrap().refused, None);
    let middle = &score(&alike(2), None)[0];
    assert_eq!((middle.ua, middle.ua_ci, middle.wa_ci), (0.5, None, None));
    assert_eq!(middle.interval.unwrap().refused, Some(NoInterval::NoSpread));
    let told = NoInterval::NoSpread.to_string();
    assert!(told.contains("scored alike"), "{told}");
    // All correct, or all wrong, is the end of the scale.
    assert_eq!(score(&alike(0), None)[0].ua_ci, Some([1.0, 1.0]));
    assert_eq!(score(&alike(4), None)[0].ua_ci, Some([0.0, 0.0]));

    let pair = |a: &[Prediction], b: &[Prediction]| {
        compare(&CompareRequest {
            corpus: "c",
            a: ("a", a),
            b: ("b", b),
            classes: &classes(),
            inference: InferenceOptions::default(),
        })
        .unwrap()
    };
    let apart = pair(&alike(1), &alike(2));
    assert!((apart.ua.difference - 0.25).abs() < 1e-12);
    let [low, high] = apart.ua.ci.unwrap();
    assert!(low > 0.1 && low < 0.24 && high > 0.26, "{low} {high}");
    let middle = pair(&alike(1), &alike(3)).ua;
    assert_eq!((middle.ci, middle.p_t), (None, None));
    // Sign flips need no variance: 2 of 1024 patterns are as extreme.
    assert!((middle.p - 2.0 / 1024.0).abs() < 1e-12);
    let same = pair(&alike(1), &alike(1));
    assert_eq!((same.ua.ci, same.ua.p), (Some([0.0, 0.0]), 1.0));
}

#[test]
fn the_last_error_changes_an_interval_little() {
    let mut predictions = corpus(240, 8, 1);
    for item in &mut predictions {
        item.prediction = item.label.clone();
    }
    let wrong = predictions[0].clone();
    predictions[0].prediction = classes().into_iter().find(|c| *c != wrong.label).unwrap();
    let [low, high] = score(&predictions, None)[0].ua_ci.unwrap();
    assert!((0.95..0.99).contains(&low) && high > 0.999, "{low} {high}");
}

#[test]
fn several_seeds_give_their_mean_and_deviation() {
    let seeds: Vec<Vec<Prediction>> = (0..3)
        .map(|seed| {
            let mut list = corpus(240, 12, 4);
            for (i, item) in list.iter_mut().enumerate() {
                if i % (7 + 3 * seed) == 0 {
                    item.prediction = item.label.clone();
                }
            }
            list
        })
        .collect();
    let views: Vec<&[Prediction]> = seeds.iter().map(Vec::as_slice).collect();
    let labels = RunLabels::default();
    let request = ScoreRequest {
        labels: &labels,
        classes: &classes(),
        predictions: &[],
        oracle: None,
        inference: InferenceOptions::default(),
    };
    let together = score_seeds(&request, &views).unwrap();
    let alone: Vec<Vec<Run>> = seeds.iter().map(|list| score(list, None)).collect();
    for (place, run) in together.iter().enumerate() {
        let uas: Vec<f64> = alone.iter().map(|runs| runs[place].ua).collect();
        let mean = uas.iter().sum::<f64>() / 3.0;
        let variance = uas.iter().map(|ua| (ua - mean).powi(2)).sum::<f64>() / 2.0;
        assert!((run.ua - mean).abs() < 1e-12);
        let spread = run.seeds.unwrap();
        assert_eq!((spread.count, run.n), (3, alone[0][place].n));
        assert!((spread.deviation.ua - variance.sqrt()).abs() < 1e-12);
    }
    let cells: u64 = together[1].confusion.iter().flatten().sum();
    assert_eq!(cells, 3 * together[1].n, "confusions are sums over seeds");
    // The variance between seeds is part of the error.
    let spread = together[1].seeds.unwrap().deviation.ua;
    assert!(together[1].errors.unwrap().ua.error >= spread / 3.0_f64.sqrt());
    assert!(score_seeds(&request, &[&seeds[0], &seeds[1][1..]]).is_err());

    // The same holds for the accuracy across corpora.
    let across = |seeds: &[&[Prediction]]| {
        CrossCell::score_seeds("a", "b", seeds, &classes(), &request.inference).unwrap()
    };
    let one = across(&views[..1]);
    assert_eq!((one.seeds, one.accuracy_deviation), (None, None));
    let three = across(&views);
    assert_eq!((three.seeds, three.n), (Some(3), one.n));
    let accuracies: Vec<f64> = views.iter().map(|view| across(&[view]).accuracy).collect();
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0;
    assert!((three.accuracy - mean).abs() < 1e-12);
    assert!((three.accuracy_deviation.unwrap() - variance.sqrt()).abs() < 1e-12);
    assert!(three.accuracy_error.unwrap().error > (variance / 3.0).sqrt());
    // Seeds with the same predictions add no error.
    let thrice = across(&[views[0], views[0], views[0]]);
    assert_eq!(thrice.accuracy_deviation, Some(0.0));
    let [error, same] = [&one, &thrice].map(|cell| cell.accuracy_error.unwrap().error);
    assert!((error - same).abs() < 1e-12);
}

#[test]
fn scores_of_earlier_versions_are_read() {
    let text = r#"{"schema":1,"runs":[{"corpus":"c","encoder":"e","protocol":"strict","partition":"paper",
        "config":"","fold":"mean","n":1,"ua":1.0,"wa":1.0,"macro_f1":1.0,"micro_f1":1.0,"weighted_f1":1.0,
        "ua_ci":[0.5,1.0],"interval":{"unit":"speaker","units":10,"replicates":2000,"seed":0,"level":0.95},
        "confusion":[[1]],"classes":["a"]}],
        "comparisons":[{"corpus":"c","a":"x","b":"y","n":1,
        "ua":{"a":1.0,"b":0.5,"difference":0.5,"ci":[0.1,0.9],"p":0.01,"smallest_detectable":0.2},
        "wa":{"a":1.0,"b":0.5,"difference":0.5,"ci":[0.1,0.9],"p":0.01,"smallest_detectable":0.2},
        "macro_f1":{"a":1.0,"b":0.5,"difference":0.5,"ci":[0.1,0.9],"p":0.01,"smallest_detectable":0.2},
        "mcnemar":{"only_a":1,"only_b":0,"p_exact":1.0,"chi_square":0.0,"p_asymptotic":1.0},
        "interval":{"unit":"speaker","units":10,"replicates":2000,"seed":0,"level":0.95}}]}"#;
    let file: ScoresFile = serde_json::from_str(text).unwrap();
    let how = file.runs[0].interval.unwrap();
    assert_eq!(how.method, IntervalMethod::PercentileBootstrap);
    assert!(!file.runs[0].headline);
    assert_eq!(file.comparisons[0].ua.ci, Some([0.1, 0.9]));
}

#[test]
fn what_the_recipe_prints_is_scored_as_scikit_learn_does_without_labels() {
    let published = AsPublished::of(&[vec![3, 1, 0], vec![0, 4, 0], vec![0, 0, 0]]);
    assert!((published.ua - 0.875).abs() < 1e-12 && (published.wa - 0.875).abs() < 1e-12);
    // f1_score([0]*4 + [1]*4, [0,0,0,1,1,1,1,1], average="macro") = (6/7 + 8/9) / 2; the third class never occurs.
    assert!((published.macro_f1 - (6.0 / 7.0 + 8.0 / 9.0) / 2.0).abs() < 1e-12);
    // A class that is never predicted counts as 0.
    let missed = AsPublished::of(&[vec![2, 0], vec![1, 0]]);
    assert!((missed.macro_f1 - 0.4).abs() < 1e-12);
    let mean = AsPublished::mean(&[published.clone(), published.clone()]);
    assert_eq!(mean, Some(published));
    assert_eq!(AsPublished::mean(&[]), None);
}

#[test]
fn the_oracle_says_what_it_is() {
    let predictions = corpus(60, 4, 2);
    let mut oracle = predictions.clone();
    for prediction in &mut oracle {
        prediction.prediction = prediction.label.clone();
    }
    for run in score(&predictions, Some(&oracle)) {
        let block = run.oracle.unwrap();
        assert_eq!(block.ua, 1.0);
        assert_eq!(block.selection, Oracle::SELECTION);
    }
}

#[test]
fn scores_json_has_the_documented_fields_and_reads_back() {
    let file = ScoresFile {
        runs: score(&corpus(67, 6, 2), None),
        ..ScoresFile::default()
    };
    let text = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<ScoresFile>(&text).unwrap(), file);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let run = &value["runs"][0];
    for field in [
        "corpus",
        "encoder",
        "protocol",
        "partition",
        "config",
        "n",
        "ua",
        "wa",
        "macro_f1",
        "micro_f1",
        "ua_ci",
        "wa_ci",
        "macro_f1_ci",
        "confusion",
        "classes",
    ] {
        assert!(!run[field].is_null(), "{field}");
    }
    assert_eq!(run["fold"], "mean");
    assert_eq!(value["runs"][2]["fold"], "1");
    assert!(serde_json::from_str::<FoldName>("\"0\"").is_err());
}

#[test]
fn nothing_to_score_is_an_error_not_a_panic() {
    let request = ScoreRequest {
        labels: &RunLabels::default(),
        classes: &[],
        predictions: &[],
        oracle: None,
        inference: InferenceOptions::default(),
    };
    assert!(score_folds(&request).is_err());
}

#[test]
fn a_class_that_no_fold_has_leaves_the_mean_the_headline() {
    let mut predictions = corpus(120, 8, 4);
    for item in &mut predictions {
        for class in [&mut item.label, &mut item.prediction] {
            if class == "sad" {
                *class = "happy".to_owned();
            }
        }
    }
    assert!(score(&predictions, None)[0].headline);
}

#[test]
fn recordings_that_were_cut_are_counted_in_the_file() {
    let mut run = score(&corpus(120, 8, 4), None).remove(0);
    let cut = |run: &Run| serde_json::to_value(run).unwrap().get("cut").cloned();
    assert_eq!(cut(&run), None);
    run.cut = 2;
    assert_eq!(cut(&run), Some(2.into()));
}

#[test]
fn inference_options_out_of_range_are_refused() {
    let predictions = corpus(120, 8, 4);
    let message = |inference: InferenceOptions| {
        let request = ScoreRequest {
            labels: &RunLabels::default(),
            classes: &classes(),
            predictions: &predictions,
            oracle: None,
            inference,
        };
        score_folds(&request).err().map(|error| error.to_string())
    };
    let good = InferenceOptions::default();
    assert_eq!(message(good), None);
    for level in [0.0, 1.0, -0.5, 1.5, f64::NAN] {
        let found = message(InferenceOptions { level, ..good }).unwrap();
        assert!(found.contains("a share between 0 and 1"), "{found}");
    }
    for sampled_flips in [9, 1_000_001] {
        let found = message(InferenceOptions {
            sampled_flips,
            ..good
        });
        assert!(found.unwrap().contains("10 to 1000000"));
    }
}

#[test]
fn soft_scores_are_means_over_seeds_and_of_the_fold() {
    let voted = |sharp: f64| {
        let mut list = corpus(120, 8, 4);
        for (i, item) in list.iter_mut().enumerate() {
            let share = if i % 3 == 0 { sharp } else { 0.5 };
            let rest = (1.0 - share) / 2.0;
            let shares = [share, rest, rest].map(f64::ln);
            item.scores = classes().into_iter().zip(shares).collect();
            if i % 5 > 0 {
                item.votes = classes().into_iter().zip([2, 1, 0]).collect();
            }
        }
        list
    };
    let seeds = [voted(0.9), voted(0.6), voted(0.8)];
    let views: Vec<&[Prediction]> = seeds.iter().map(Vec::as_slice).collect();
    let request = ScoreRequest {
        labels: &RunLabels::default(),
        classes: &classes(),
        predictions: &[],
        oracle: None,
        inference: InferenceOptions::default(),
    };
    let runs = score_seeds(&request, &views).unwrap();
    for run in &runs {
        let each: Vec<f64> = seeds
            .iter()
            .map(|list| {
                let items: Vec<Prediction> = list
                    .iter()
                    .filter(|p| !matches!(run.fold, FoldName::Fold(fold) if fold != p.fold))
                    .cloned()
                    .collect();
                let found = soft_scores(&items, &classes()).unwrap().unwrap();
                let with = items.iter().filter(|p| !p.votes.is_empty()).count();
                assert_eq!((run.soft.unwrap().n, found.n), (with as u64, with as u64));
                found.jensen_shannon
            })
            .collect();
        let mean = each.iter().sum::<f64>() / 3.0;
        assert!((run.soft.unwrap().jensen_shannon - mean).abs() < 1e-12);
    }
    // By hand, in bits: votes (2/3, 1/3, 0) and probabilities (1/2, 1/4, 1/4), twice.
    let mut two = [seeds[0][1].clone(), seeds[0][1].clone()];
    two[1].votes.clear();
    let found = soft_scores(&two, &classes()).unwrap().unwrap();
    let entropy = |shares: [f64; 3]| -> f64 {
        let parts = shares.iter().filter(|share| **share > 0.0);
        parts.map(|share| -share * share.log2()).sum()
    };
    let (votes, seen) = ([2.0 / 3.0, 1.0 / 3.0, 0.0], [0.5, 0.25, 0.25]);
    let middle = [0, 1, 2].map(|i| f64::midpoint(votes[i], seen[i]));
    let wanted = entropy(middle) - f64::midpoint(entropy(votes), entropy(seen));
    assert_eq!(found.n, 1);
    assert!((found.jensen_shannon - wanted).abs() < 1e-12);
    let both = [two[0].clone(), two[0].clone()];
    let both = soft_scores(&both, &classes()).unwrap().unwrap();
    assert!((both.jensen_shannon - wanted).abs() < 1e-12 && both.n == 2);
    assert!(
        soft_scores(&two[1..], &classes()).unwrap().is_none(),
        "no votes"
    );
    two[0].scores.remove("sad");
    assert!(soft_scores(&two, &classes()).is_err());
}

#[test]
fn a_leak_is_the_difference_to_the_same_configuration_on_speaker() {
    let on = |partition: &str, every: usize| {
        let mut list = corpus(240, 12, 4);
        for item in list.iter_mut().step_by(every) {
            item.prediction = item.label.clone();
        }
        let mut runs = score(&list, None);
        for run in &mut runs {
            run.partition = partition.to_owned();
        }
        runs
    };
    let (paper, clean) = (on("paper", 2), on("speaker", 9));
    let (worth, other) = (&paper[0], &clean[0]);
    let found = leaks(&[paper.clone(), clean.clone()].concat());
    assert_eq!(found.len(), 1, "of the headline alone");
    let leak = &found[0];
    assert_eq!(
        (&*leak.corpus, &*leak.encoder, &*leak.partition),
        ("demo", "fbank", "paper")
    );
    let difference = worth.ua - other.ua;
    assert!(difference > 0.05 && (leak.ua.difference - difference).abs() < 1e-12);
    assert!((leak.wa.difference - (worth.wa - other.wa)).abs() < 1e-12);
    assert!((leak.macro_f1.difference - (worth.macro_f1 - other.macro_f1)).abs() < 1e-12);
    let both = worth.errors.unwrap().ua.plus(&other.errors.unwrap().ua);
    let [low, high] = leak.ua.ci.unwrap();
    // Student's t at 95 % is above 2 and, with these degrees of freedom, below 2.2.
    let times = (high - low) / 2.0 / both.error;
    assert!(
        both.degrees > 12.0 && (2.0..2.2).contains(&times),
        "{times}"
    );
    assert!((f64::midpoint(low, high) - difference).abs() < 1e-12);

    // What differs in anything else is no pair, nor is `speaker` one with itself.
    assert!(leaks(&clean).is_empty() && leaks(&paper).is_empty());
    for change in [
        |run: &mut Run| run.config = "layer 3".into(),
        |run: &mut Run| run.protocol = "paper".into(),
        |run: &mut Run| run.encoder = "other".into(),
        |run: &mut Run| run.corpus = "other".into(),
    ] {
        let mut changed = clean.clone();
        changed.iter_mut().for_each(change);
        assert!(leaks(&[paper.clone(), changed].concat()).is_empty());
    }
    // The headline is compared, whichever it is; in files without one, the mean.
    let mut pooled = [paper.clone(), clean.clone()].concat();
    for run in &mut pooled {
        run.headline = run.fold == FoldName::Pooled;
    }
    let found = leaks(&pooled);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].ua.difference, paper[1].ua - clean[1].ua);
    for run in &mut pooled {
        run.headline = false;
    }
    assert_eq!(
        leaks(&pooled),
        leaks(&[paper.clone(), clean.clone()].concat())
    );
    // Without an error, or with one of too few degrees of freedom, there is no interval.
    for change in [
        |_: StandardErrors| None,
        |mut errors: StandardErrors| {
            errors.ua.error = 0.0;
            Some(errors)
        },
        |mut errors: StandardErrors| {
            errors.ua.degrees = 1.4;
            Some(errors)
        },
    ] {
        let mut poor = clean.clone();
        poor[0].errors = poor[0].errors.and_then(change);
        assert_eq!(leaks(&[paper.clone(), poor].concat())[0].ua.ci, None);
    }
    // An interval ends where differences do.
    let mut wide = paper.clone();
    if let Some(errors) = &mut wide[0].errors {
        errors.ua.error = 5.0;
    }
    let found = leaks(&[wide, clean].concat())[0].ua.ci.unwrap();
    assert_eq!(found, [-1.0, 1.0]);
}
