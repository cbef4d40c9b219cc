//! Submissions: honest ones pass, and each way to tamper is refused with its reason.

use emobox_score::{
    InferenceOptions, KnownEncoder, KnownProtocol, Prediction, Provenance, RERUN_TOLERANCE,
    Reference, ReferenceItem, Rerun, Rules, RunLabels, SCHEMA, ScoreRequest, Source, Submission,
    SubmissionEntry, Verdict, repeated, reproduce, score_folds, score_seeds, verify,
};
use std::collections::BTreeMap;

fn classes() -> Vec<String> {
    ["angry", "sad"].map(String::from).to_vec()
}

fn predictions() -> Vec<Prediction> {
    (0..40)
        .map(|i| Prediction {
            key: format!("k{i}"),
            fold: 1 + i % 2,
            label: classes()[(i / 2 % 2) as usize].clone(),
            prediction: classes()[usize::from(i % 7 < 3)].clone(),
            scores: {
                let [most, least] = [0.75f64.ln(), 0.25f64.ln()];
                let sad = if i % 7 < 3 { most } else { least };
                let angry = if i % 7 < 3 { least } else { most };
                BTreeMap::from([("angry".into(), angry), ("sad".into(), sad)])
            },
            speaker: Some((i % 8).to_string()),
            votes: BTreeMap::new(),
            gender: None,
        })
        .collect()
}

fn reference() -> Reference {
    let item = |p: Prediction| ReferenceItem {
        key: p.key,
        fold: p.fold,
        label: p.label,
        speaker: p.speaker,
        gender: p.gender,
    };
    Reference {
        corpus: "demo".into(),
        partition: "paper".into(),
        protocol: "strict".into(),
        manifest_digest: "aa".repeat(32),
        partition_digest: "bb".repeat(32),
        classes: classes(),
        items: predictions().into_iter().map(item).collect(),
        audit: Some("clean".into()),
    }
}

fn details() -> serde_json::Value {
    serde_json::json!({"epochs": "100", "seeds": "1", "clip norm": "5"})
}

fn rules() -> Rules {
    let variant = |digest: &str, head: &str| KnownProtocol {
        name: "strict".into(),
        digest: digest.repeat(32),
        details: {
            let mut details = details();
            details["head"] = head.into();
            details
        },
        seeds: 1,
    };
    let encoder = |name: &str, digest: &str| KnownEncoder {
        name: name.into(),
        digest: digest.repeat(32),
    };
    Rules {
        protocols: vec![variant("e1", "linear"), variant("e0", "default")],
        encoders: vec![encoder("fbank", "f0"), encoder("whisper", "f1")],
        options: InferenceOptions::default(),
    }
}

fn source(kind: &str, name: &str, digest: &str) -> Source {
    Source {
        kind: kind.into(),
        name: name.into(),
        digest: digest.repeat(32),
    }
}

fn scores(predictions: &[Prediction], options: InferenceOptions) -> Vec<emobox_score::Run> {
    score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: "demo".into(),
            encoder: "fbank".into(),
            protocol: "strict".into(),
            partition: "paper".into(),
            config: String::new(),
        },
        classes: &classes(),
        predictions,
        oracle: None,
        inference: options,
    })
    .unwrap()
}

fn submission() -> Submission {
    let predictions = predictions();
    let entry = SubmissionEntry {
        corpus: "demo".into(),
        encoder: "fbank".into(),
        protocol: "strict".into(),
        protocol_details: rules().protocols[1].details.clone(),
        protocol_digest: "e0".repeat(32),
        partition: "paper".into(),
        config: String::new(),
        classes: classes(),
        manifest_digest: "aa".repeat(32),
        partition_digest: "bb".repeat(32),
        store_digest: Some("cc".repeat(32)),
        scores: scores(&predictions, InferenceOptions::default()),
        predictions,
        further_seeds: Vec::new(),
    };
    Submission {
        schema: SCHEMA,
        system: "a probe".into(),
        description: "frozen".into(),
        provenance: Provenance {
            versions: BTreeMap::from([("emobox".into(), "0.1.0".into())]),
            sources: vec![
                source("manifest", "demo", "aa"),
                source("partition", "demo/paper", "bb"),
                source("checkpoint", "fbank", "f0"),
            ],
            command: None,
        },
        entries: vec![entry],
        digest: String::new(),
    }
    .seal()
}

/// The reasons for refusing the honest submission after one change to the file.
fn refused(change: impl FnOnce(&mut Submission)) -> String {
    let mut submission = submission();
    change(&mut submission);
    let refusals = verify(&submission.seal(), &[reference()], &rules()).unwrap_err();
    refusals.iter().map(|r| format!("{r}\n")).collect()
}

/// The reasons for refusing the honest submission after one change to an entry, sealed again or not.
fn reasons(seal: bool, change: impl FnOnce(&mut SubmissionEntry)) -> String {
    let mut submission = submission();
    change(&mut submission.entries[0]);
    let submission = if seal { submission.seal() } else { submission };
    let refusals = verify(&submission, &[reference()], &rules()).unwrap_err();
    refusals.iter().map(|r| format!("{r}\n")).collect()
}

#[test]
fn an_honest_submission_passes_also_after_a_trip_through_a_file() {
    let text = serde_json::to_string_pretty(&submission()).unwrap();
    let read: Submission = serde_json::from_str(&text).unwrap();
    let verified = verify(&read, &[reference()], &rules()).unwrap();
    assert_eq!(verified.runs().len(), 4);
    assert_eq!(verified.verdict(), Verdict::Consistent);
    assert_eq!(verified.runs()[0].audit.as_deref(), Some("clean"));
    assert_eq!(verified.runs()[0].ua, submission().entries[0].scores[0].ua);
    assert_eq!(
        (verified.system(), verified.digest().len()),
        ("a probe", 64)
    );
}

#[test]
fn a_changed_prediction_is_refused() {
    let flip = |entry: &mut SubmissionEntry| {
        let p = &mut entry.predictions[3];
        p.prediction = if p.prediction == "sad" {
            "angry"
        } else {
            "sad"
        }
        .into();
    };
    assert!(reasons(false, flip).contains("the file was changed after it was packed"));
    let resealed = reasons(true, flip);
    assert!(
        resealed.contains("demo, fbank: ") && resealed.contains("does not come out"),
        "{resealed}"
    );
    assert!(!resealed.contains("was changed"));
}

#[test]
fn changed_digests_are_refused() {
    let text = reasons(true, |entry| entry.partition_digest = "dd".repeat(32));
    assert!(
        text.contains("another partition than the verifier's") && !text.contains("bbbb"),
        "{text}"
    );
    let text = reasons(true, |entry| entry.manifest_digest = "dd".repeat(32));
    assert!(text.contains("another manifest"), "{text}");
    let text = reasons(false, |entry| entry.store_digest = Some("dd".repeat(32)));
    assert!(text.contains("was changed after it was packed"), "{text}");
}

#[test]
fn other_items_labels_and_speakers_are_refused() {
    let text = reasons(true, |entry| {
        entry.predictions.pop();
    });
    assert!(text.contains("1 missing: k39 (fold 2)"), "{text}");
    let text = reasons(true, |entry| entry.predictions[0].fold = 2);
    assert!(text.contains("other test items"), "{text}");
    let text = reasons(true, |entry| entry.predictions[0].label = "sad".into());
    assert!(
        text.contains("the label of k0 (fold 1) is not the manifest's"),
        "{text}"
    );
    assert!(
        !text.contains("angry"),
        "the right label is not given away: {text}"
    );
    let text = reasons(true, |entry| entry.predictions[0].speaker = None);
    assert!(text.contains("the speaker of k0"), "{text}");
    let text = reasons(true, |entry| entry.partition = "speaker".into());
    assert!(
        text.contains("no manifest and partition \"speaker\""),
        "{text}"
    );
    let text = reasons(true, |entry| entry.classes.push("calm".into()));
    assert!(text.contains("other classes"), "{text}");
}

#[test]
fn inflated_scores_are_refused_without_the_right_ones() {
    let ua = submission().entries[0].scores[0].ua;
    let text = reasons(true, |entry| entry.scores[0].ua += 0.01);
    assert!(
        text.contains("ua of fold \"mean\" does not come out"),
        "{text}"
    );
    assert!(!text.contains(&ua.to_string()), "{text}");
    let text = reasons(true, |entry| entry.scores[1].wa_ci = None);
    assert!(text.contains("wa_ci of fold \"pooled\""), "{text}");
    let text = reasons(true, |entry| {
        entry.scores.remove(0);
    });
    assert!(
        text.contains("no scores claimed for fold \"mean\""),
        "{text}"
    );
    let text = reasons(true, |entry| entry.scores[1].headline = true);
    assert!(text.contains("which score is the headline"), "{text}");
    let text = reasons(true, |entry| entry.predictions.clear());
    assert!(text.contains("no predictions to score"), "{text}");
}

#[test]
fn intervals_are_the_verifiers() {
    let lax = InferenceOptions {
        level: 0.05,
        sampled_flips: 10,
        ..InferenceOptions::default()
    };
    let text = reasons(true, |entry| entry.scores = scores(&entry.predictions, lax));
    assert!(
        text.contains("intervals of fold \"mean\" are made otherwise")
            && text.contains("ua_ci of fold \"mean\" does not come out"),
        "{text}"
    );
    let text = reasons(true, |entry| {
        // The narrow interval labelled with the usual level.
        let honest = entry.scores.clone();
        entry.scores = scores(&entry.predictions, lax);
        for (narrow, honest) in entry.scores.iter_mut().zip(honest) {
            narrow.interval = honest.interval;
        }
    });
    assert!(
        text.contains("ua_ci of fold \"mean\" does not come out"),
        "{text}"
    );
}

#[test]
fn a_renamed_encoder_is_refused() {
    let rename = |submission: &mut Submission| {
        submission.entries[0].encoder = "my great model".into();
        for run in &mut submission.entries[0].scores {
            run.encoder = "my great model".into();
        }
    };
    let text = refused(|s| {
        rename(s);
        s.provenance = Provenance::default();
    });
    for reason in [
        "names no version of emobox",
        "no manifest of this corpus",
        "no partition of this corpus",
        "no checkpoint of this encoder",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
    let text = refused(|s| {
        rename(s);
        s.provenance.sources[2] = source("checkpoint", "my great model", "f0");
    });
    assert!(
        text.contains("these weights are known under another name"),
        "{text}"
    );
    let text = refused(|s| s.provenance.sources[2] = source("checkpoint", "fbank", "ab"));
    assert!(text.contains("other weights than the known ones"), "{text}");
    let text = refused(|s| s.provenance.sources[2] = source("checkpoint", "fbank", "zz"));
    assert!(text.contains("is no SHA-256"), "{text}");
    let text = refused(|s| s.provenance.sources[0] = source("manifest", "demo", "ab"));
    assert!(text.contains("another manifest than the entry"), "{text}");
}

#[test]
fn invented_protocols_other_seeds_and_other_epochs_are_refused() {
    let text = reasons(true, |entry| entry.protocol = "generous".into());
    assert!(text.contains("there is no protocol \"generous\""), "{text}");
    for constant in ["epochs", "seeds", "clip norm", "learning rates"] {
        let text = reasons(true, |entry| entry.protocol_details[constant] = "7".into());
        assert!(
            text.contains(&format!(
                "other constants than protocol \"strict\" has: {constant}\n"
            )),
            "{text}"
        );
    }
    let text = reasons(true, |entry| entry.protocol_digest = "ee".repeat(32));
    assert!(
        text.contains("the protocol's digest is not that of"),
        "{text}"
    );
    let text = reasons(true, |entry| entry.protocol_digest = String::new());
    assert!(
        text.contains("the protocol's digest is not that of"),
        "{text}"
    );
    let text = reasons(true, |entry| {
        entry.further_seeds.push(entry.predictions.clone());
    });
    assert!(text.contains("predictions of 2 training seeds"), "{text}");
    // Another head of the registry is another variant with the same name, and is accepted.
    let mut other = submission();
    other.entries[0].protocol_digest = "e1".repeat(32);
    other.entries[0].protocol_details = rules().protocols[0].details.clone();
    assert!(verify(&other.seal(), &[reference()], &rules()).is_ok());
}

#[test]
fn one_system_has_one_entry_for_a_corpus() {
    let text = refused(|s| s.entries.push(s.entries[0].clone()));
    assert!(text.contains("a second entry for this corpus"), "{text}");
    let verified = verify(&submission(), &[reference()], &rules()).unwrap();
    assert!(repeated(std::slice::from_ref(&verified)).is_empty());
    let twice = repeated(&[verified.clone(), verified]);
    assert_eq!(twice.len(), 1);
    assert!(
        twice[0]
            .to_string()
            .contains("\"a probe\" already has scores")
    );
}

#[test]
fn predictions_are_the_most_probable_class_of_their_scores() {
    let text = reasons(true, |entry| {
        // Correct predictions with log-probabilities that contradict them.
        for item in &mut entry.predictions {
            item.prediction = item.label.clone();
        }
        entry.scores = scores(&entry.predictions, InferenceOptions::default());
    });
    assert!(
        text.contains("are not the most probable class of their own scores"),
        "{text}"
    );
    let text = reasons(true, |entry| entry.predictions[3].scores.clear());
    assert!(
        text.contains("some predictions have scores and some have none"),
        "{text}"
    );
}

/// Labels copied as predictions, with the resulting scores.
fn copied() -> Submission {
    let mut forged = submission();
    let entry = &mut forged.entries[0];
    for item in &mut entry.predictions {
        item.prediction = item.label.clone();
        for (class, score) in &mut item.scores {
            *score = if *class == item.label {
                0.999_f64.ln()
            } else {
                0.001_f64.ln()
            };
        }
    }
    entry.scores = scores(&entry.predictions, InferenceOptions::default());
    forged.seal()
}

fn rerun(predictions: Vec<Prediction>, same_machine: bool) -> Rerun {
    Rerun {
        corpus: "demo".into(),
        partition: "paper".into(),
        same_machine,
        seeds: vec![predictions],
    }
}

#[test]
fn copied_labels_are_consistent_and_not_reproduced() {
    let forged = copied();
    let verified = verify(&forged, &[reference()], &rules()).unwrap();
    assert_eq!(verified.runs()[0].ua, 1.0);
    assert_eq!(verified.verdict(), Verdict::Consistent);
    assert_eq!(verified.verdict().to_string(), "consistent");
    let refusals = reproduce(verified, &forged, &[rerun(predictions(), true)]).unwrap_err();
    let text = refusals[0].to_string();
    assert!(
        text.starts_with("demo, fbank: consistent, not reproduced: 22 of 40 predictions are others when trained again, and 18 more have"),
        "{text}"
    );
}

#[test]
fn a_run_that_comes_out_again_is_reproduced() {
    let honest = submission();
    let verified = verify(&honest, &[reference()], &rules()).unwrap();
    assert_eq!(
        (verified.system(), verified.description()),
        ("a probe", "frozen")
    );
    let done = reproduce(verified.clone(), &honest, &[rerun(predictions(), true)]).unwrap();
    assert_eq!(done.verdict(), Verdict::Reproduced);
    assert_eq!(done.runs(), verified.runs());
    let mut moved = predictions();
    for score in moved[5].scores.values_mut() {
        *score += RERUN_TOLERANCE / 2.0;
    }
    let again =
        |list: Vec<Prediction>, same| reproduce(verified.clone(), &honest, &[rerun(list, same)]);
    assert!(
        again(moved.clone(), true).is_err(),
        "to the bit on one class of machine"
    );
    assert!(again(moved.clone(), false).is_ok());
    moved.pop();
    moved.pop();
    assert!(again(moved, false).is_err());
    assert!(reproduce(verified.clone(), &honest, &[]).is_err());
    for (corpus, partition) in [("demo", "speaker"), ("other", "paper")] {
        let elsewhere = Rerun {
            corpus: corpus.into(),
            partition: partition.into(),
            ..rerun(predictions(), true)
        };
        let refusals = reproduce(verified.clone(), &honest, &[elsewhere]).unwrap_err();
        assert!(refusals[0].reason.ends_with("it was not run again"));
    }
    assert!(reproduce(verified, &copied(), &[rerun(predictions(), true)]).is_err());
}

#[test]
fn every_seed_of_the_protocol_is_checked() {
    let mut rules = rules();
    rules.protocols[1].seeds = 2;
    let mut seeded = submission();
    let mut other = predictions();
    for item in &mut other[..5] {
        let (best, _) = item
            .scores
            .iter()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .unwrap();
        let best = best.clone();
        let [low, high] = [0.25f64.ln(), 0.75f64.ln()];
        for (class, score) in &mut item.scores {
            *score = if *class == best { high } else { low };
        }
        item.prediction = best;
    }
    let entry = &mut seeded.entries[0];
    entry.further_seeds = vec![other];
    let labels = RunLabels {
        corpus: "demo".into(),
        encoder: "fbank".into(),
        protocol: "strict".into(),
        partition: "paper".into(),
        config: String::new(),
    };
    let request = ScoreRequest {
        labels: &labels,
        classes: &classes(),
        predictions: &[],
        oracle: None,
        inference: InferenceOptions::default(),
    };
    entry.scores = score_seeds(&request, &entry.seeds()).unwrap();
    let seeded = seeded.seal();
    let verified = verify(&seeded, &[reference()], &rules).unwrap();
    assert_eq!(verified.runs()[0].seeds.unwrap().count, 2);
    let mut forged = seeded;
    let label = &mut forged.entries[0].further_seeds[0][7].label;
    *label = if label == "sad" { "angry" } else { "sad" }.into();
    let refusals = verify(&forged.seal(), &[reference()], &rules).unwrap_err();
    assert!(
        refusals
            .iter()
            .any(|r| r.reason.contains("the label of k7")),
        "{refusals:?}"
    );
}

#[test]
fn another_schema_gender_or_level_is_refused() {
    let schema = refused(|submission| submission.schema += 1);
    assert!(schema.contains("expected schema"), "{schema}");
    let gender = refused(|submission| {
        submission.entries[0].predictions[0].gender = Some("female".into());
    });
    assert!(gender.contains("gender"), "{gender}");
    // Scores are recomputed with the verifier's options, not the defaults.
    let mut rules = rules();
    rules.options.level = 0.9;
    let refusals = verify(&submission(), &[reference()], &rules).unwrap_err();
    assert!(!refusals.is_empty());
    assert!(verify(&submission(), &[reference()], &self::rules()).is_ok());
}

#[test]
fn every_kind_of_source_must_be_named() {
    for (at, words) in [
        (0, "no manifest of this corpus"),
        (1, "no partition of this corpus"),
        (2, "no checkpoint of this encoder"),
    ] {
        let text = refused(|s| s.provenance.sources[at].kind = "else".into());
        assert!(text.contains(words), "{text}");
        let text = refused(|s| s.provenance.sources[at].name = "else".into());
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn counts_folds_and_many_differences_are_told() {
    let text = reasons(true, |entry| entry.scores[0].n += 1);
    assert!(text.contains("confusion of fold \"mean\""), "{text}");
    let text = reasons(true, |entry| {
        let mut extra = entry.scores[2].clone();
        extra.fold = emobox_score::FoldName::Fold(9);
        entry.scores.push(extra);
    });
    assert!(
        text.contains("scores of fold \"9\", which has no predictions"),
        "{text}"
    );
    assert!(!text.contains("more scores that do not come out"), "{text}");
    let text = reasons(true, |entry| {
        for run in &mut entry.scores {
            run.ua += 0.01;
            run.wa += 0.01;
            run.macro_f1 += 0.01;
        }
    });
    assert!(text.contains("more scores that do not come out"), "{text}");
}

#[test]
fn another_machine_may_differ_in_few_ties_and_little_and_in_nothing_else() {
    let honest = submission();
    let verified = verify(&honest, &[reference()], &rules()).unwrap();
    let again = |same: bool, change: &dyn Fn(&mut Vec<Prediction>)| {
        let mut list = predictions();
        change(&mut list);
        let found = reproduce(verified.clone(), &honest, &[rerun(list, same)]);
        found
            .map(|_| ())
            .map_err(|refusals| refusals[0].to_string())
    };
    let turn = |item: &mut Prediction| {
        let other = classes()
            .into_iter()
            .find(|class| *class != item.prediction);
        item.prediction = other.unwrap();
    };
    // All scores may differ a little.
    assert_eq!(
        again(false, &|list| list.iter_mut().for_each(|item| {
            *item.scores.get_mut("sad").unwrap() += RERUN_TOLERANCE / 2.0;
        })),
        Ok(())
    );
    // Of 40 predictions one may be another, and one more may have other scores.
    let far = |item: &mut Prediction| *item.scores.get_mut("sad").unwrap() += 0.5;
    assert_eq!(again(false, &|list| turn(&mut list[3])), Ok(()));
    assert_eq!(again(false, &|list| far(&mut list[3])), Ok(()));
    assert!(again(true, &|list| turn(&mut list[3])).is_err());
    let two = again(false, &|list| {
        turn(&mut list[3]);
        turn(&mut list[8]);
    });
    assert!(
        two.unwrap_err()
            .contains("2 of 40 predictions are others when trained again, and 0 more")
    );
    let two = again(false, &|list| {
        far(&mut list[3]);
        far(&mut list[8]);
    });
    let two = two.unwrap_err();
    assert!(
        two.contains("0 of 40 predictions")
            && two.contains("2 more have other scores; the first is k3"),
        "{two}"
    );
    let extra = again(false, &|list| {
        for i in 0..2 {
            let key = format!("extra{i}");
            list.push(Prediction {
                key,
                ..list[i].clone()
            });
        }
    });
    assert!(extra.unwrap_err().contains("2 of 42 predictions"));
    let other_classes = again(false, &|list| {
        for item in list.iter_mut().take(2) {
            item.scores.insert("happy".into(), -9.0);
        }
    });
    assert!(
        other_classes
            .unwrap_err()
            .contains("2 more have other scores")
    );
}
