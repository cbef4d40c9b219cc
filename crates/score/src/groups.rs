use crate::clusters::{Clusters, Over, Tables};
use crate::distribution::student_quantile;
use crate::inference::{StandardError, standard_errors};
use crate::{Confusion, IntervalUnit, Prediction, ScoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What utterances are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// Who speaks.
    Speaker,
    /// The speaker's gender.
    Gender,
}

/// The scores on the utterances of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupScores {
    /// What the group shares.
    pub by: Grouping,
    /// Its name.
    pub group: String,
    /// Number of utterances.
    pub n: u64,
    /// Unweighted accuracy over the classes that this group has.
    pub ua: f64,
    /// Weighted accuracy.
    pub wa: f64,
    /// Macro F1 over the classes that this group has.
    pub macro_f1: f64,
    /// Interval of the unweighted accuracy over the group's speakers, where there are enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ua_ci: Option<[f64; 2]>,
    /// Its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ua_error: Option<StandardError>,
}

/// How far one group is above another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Difference of the unweighted accuracies.
    pub ua: f64,
    /// Its interval: Student's t on the standard errors of both, which have different speakers (Welch 1947).
    pub ci: [f64; 2],
}

/// The gap between two groups that have standard errors.
pub fn gap(a: &GroupScores, b: &GroupScores, level: f64) -> Option<Gap> {
    let both = a.ua_error?.plus(&b.ua_error?);
    let half = student_quantile(f64::midpoint(1.0, level), both.degrees) * both.error;
    let ua = a.ua - b.ua;
    Some(Gap {
        ua,
        ci: [(ua - half).max(-1.0), (ua + half).min(1.0)],
    })
}

/// Scores of each speaker or gender, by name; utterances without one are left out. Genders get intervals of this level.
///
/// # Errors
/// A class outside `classes`.
pub fn group_scores(
    predictions: &[Prediction],
    classes: &[String],
    by: Grouping,
    level: f64,
) -> Result<Vec<GroupScores>, ScoreError> {
    let mut groups = BTreeMap::<&String, Vec<&Prediction>>::new();
    for prediction in predictions {
        let group = match by {
            Grouping::Speaker => &prediction.speaker,
            Grouping::Gender => &prediction.gender,
        };
        if let Some(group) = group {
            groups.entry(group).or_default().push(prediction);
        }
    }
    groups
        .into_iter()
        .map(|(group, members)| {
            let rates = Confusion::of(members.iter().copied(), classes)?.rates();
            let ua_error = match by {
                Grouping::Gender => speakers_error(&members, classes)?,
                Grouping::Speaker => None,
            };
            let ua_ci = ua_error.and_then(|e| e.interval_or_reason(rates.ua, level).ok());
            Ok(GroupScores {
                by,
                group: group.clone(),
                n: members.len() as u64,
                ua: rates.ua,
                wa: rates.wa,
                macro_f1: rates.macro_f1,
                ua_ci,
                ua_error: ua_error.filter(|_| ua_ci.is_some()),
            })
        })
        .collect()
}

/// The standard error of the unweighted accuracy over speakers.
fn speakers_error(
    members: &[&Prediction],
    classes: &[String],
) -> Result<Option<StandardError>, ScoreError> {
    let own: Vec<Prediction> = members.iter().copied().cloned().collect();
    let clusters = Clusters::of(&own);
    let tables = Tables::of(&[own.as_slice()], classes, &clusters)?;
    if tables.unit != IntervalUnit::Speaker {
        return Ok(None);
    }
    Ok(standard_errors(&tables, Over::Pooled)
        .ok()
        .map(|errors| errors.ua))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FoldName, InferenceOptions, RunLabels, ScoreRequest, score_folds};

    /// Twelve speakers of two genders with 16 utterances each; later speakers have more of them right.
    fn items() -> Vec<Prediction> {
        let item = |i: usize| {
            let (speaker, utterance) = (i / 16, i % 16);
            let label = ["sad", "happy"][utterance % 2];
            let right = (utterance * 7 + speaker) % 16 < 8 + speaker / 2;
            Prediction {
                key: format!("{i}"),
                fold: 1,
                label: label.to_owned(),
                prediction: if right == (label == "sad") {
                    "sad"
                } else {
                    "happy"
                }
                .to_owned(),
                scores: BTreeMap::new(),
                speaker: Some(format!("s{speaker}")),
                votes: BTreeMap::new(),
                gender: Some(["female", "male"][speaker % 2].to_owned()),
            }
        };
        (0..192).map(item).collect()
    }

    #[test]
    fn a_genders_interval_is_that_of_its_speakers_alone() {
        let (items, classes) = (items(), ["happy", "sad"].map(str::to_owned));
        let groups = group_scores(&items, &classes, Grouping::Gender, 0.95).unwrap();
        for group in &groups {
            let own = items
                .iter()
                .filter(|i| i.gender.as_ref() == Some(&group.group));
            let own: Vec<Prediction> = own.cloned().collect();
            let runs = score_folds(&ScoreRequest {
                labels: &RunLabels::default(),
                classes: &classes,
                predictions: &own,
                oracle: None,
                inference: InferenceOptions::default(),
            })
            .unwrap();
            let whole = runs
                .iter()
                .find(|run| run.fold == FoldName::Pooled)
                .unwrap_or(&runs[0]);
            assert_eq!((group.ua_ci, group.ua), (whole.ua_ci, whole.ua));
            assert!(group.ua_ci.is_some());
        }
        let gap = gap(&groups[1], &groups[0], 0.95).unwrap();
        assert!((gap.ua - (groups[1].ua - groups[0].ua)).abs() < 1e-12);
        // Six speakers each give at most ten degrees of freedom: t exceeds 2.22, against 1.96 for the normal distribution.
        let error = groups[0]
            .ua_error
            .unwrap()
            .error
            .hypot(groups[1].ua_error.unwrap().error);
        let half = gap.ci[1] - gap.ua;
        assert!(half > 2.22 * error && half < 3.0 * error, "{half} {error}");
    }

    #[test]
    fn few_speakers_or_none_have_no_interval() {
        let (mut items, classes) = (items(), ["happy", "sad"].map(str::to_owned));
        items.retain(|item| matches!(item.speaker.as_deref(), Some("s0" | "s1" | "s2" | "s3")));
        for group in group_scores(&items, &classes, Grouping::Gender, 0.95).unwrap() {
            assert_eq!((group.ua_ci, group.ua_error), (None, None));
        }
        for group in group_scores(&items, &classes, Grouping::Speaker, 0.95).unwrap() {
            assert_eq!(group.ua_ci, None);
        }
    }
}
