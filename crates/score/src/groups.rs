use crate::{Confusion, Prediction, ScoreError};
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
}

/// Scores of each speaker or gender, by name; utterances without one are left out.
///
/// # Errors
/// A class outside `classes`.
pub fn group_scores(
    predictions: &[Prediction],
    classes: &[String],
    by: Grouping,
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
            Ok(GroupScores {
                by,
                group: group.clone(),
                n: members.len() as u64,
                ua: rates.ua,
                wa: rates.wa,
                macro_f1: rates.macro_f1,
            })
        })
        .collect()
}
