//! Annotations besides the class: dimensions and votes.

use crate::{DIMENSIONS, Utterance};

/// Which dimensions and votes the utterances of a corpus have.
#[derive(Debug, Default)]
pub(crate) struct Ratings {
    /// Utterances that have each of the dimensions.
    dimensions: [usize; 3],
    /// Number of utterances for each combination of dimensions.
    sets: std::collections::BTreeMap<[bool; 3], usize>,
    /// Utterances with votes.
    voted: usize,
    /// The lowest and the highest value, where stated.
    pub(crate) scale: Option<(f64, f64)>,
}

impl Ratings {
    pub(crate) fn count(&mut self, utterance: &Utterance) {
        let has = utterance.dimensions().map(|value| value.is_some());
        for (count, has) in self.dimensions.iter_mut().zip(has) {
            *count += usize::from(has);
        }
        *self.sets.entry(has).or_default() += 1;
        self.voted += usize::from(!utterance.votes.is_empty());
    }

    /// Notes on how many utterances can be used for dimensions and for votes.
    pub(crate) fn notes(&self, utterances: usize) -> Vec<String> {
        let any = self.dimensions.map(|count| count > 0);
        let mut notes = Vec::new();
        if any != [false; 3] {
            let names = DIMENSIONS.iter().zip(any).filter(|(_, any)| *any);
            let names: Vec<&str> = names.map(|(name, _)| *name).collect();
            let whole = self.sets.get(&any).copied().unwrap_or(0);
            let scale = self.scale.map_or_else(
                || "the scale is not stated".to_owned(),
                |(low, high)| format!("from {low} to {high}"),
            );
            notes.push(format!(
                "dimensions: {} ({scale}); {whole} of {utterances} utterances have them, the others take no part where \
                 dimensions are learnt",
                names.join(", ")
            ));
        }
        if self.voted > 0 {
            notes.push(format!(
                "annotators' votes: {} of {utterances} utterances have them",
                self.voted
            ));
        }
        notes
    }
}

/// Whether a cell says that there is no rating.
pub(crate) fn is_unrated(text: &str) -> bool {
    crate::side_file::is_nothing(text) || text.eq_ignore_ascii_case("na")
}

/// No scale of ratings reaches further than this, up or down.
const FURTHEST: f64 = 1e6;

/// The value of a dimension as a table writes it; `None` if the cell is empty or a word for a missing value.
///
/// # Errors
/// It is not a number, or is outside the scale.
pub(crate) fn value(text: &str, scale: Option<(f64, f64)>) -> Result<Option<f64>, String> {
    let text = text.trim();
    if is_unrated(text) {
        return Ok(None);
    }
    let Some(value) = text.parse().ok().filter(|value: &f64| value.is_finite()) else {
        let comma = text.replacen(',', ".", 1);
        return Err(match comma.parse::<f64>() {
            Ok(_) if comma != text => {
                format!("{text:?} is no number; write it with a point, {comma}")
            }
            _ => format!("{text:?} is no number"),
        });
    };
    match scale {
        Some((low, high)) if !(low..=high).contains(&value) => Err(format!(
            "{value} is outside of the scale from {low} to {high}"
        )),
        None if value.abs() > FURTHEST => Err(format!(
            "{text} is on no scale of ratings; state the scale in dimensions.json, or correct the value"
        )),
        _ => Ok(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_value_is_a_number_of_the_scale_or_nothing() {
        assert_eq!(value(" 2.50 ", Some((1.0, 5.0))), Ok(Some(2.5)));
        assert_eq!(value("-7", None), Ok(Some(-7.0)));
        for nothing in ["", "NaN", "none", "NA", "na", "N/A"] {
            assert_eq!(value(nothing, None), Ok(None));
        }
        for (text, problem) in [
            ("high", "no number"),
            ("inf", "no number"),
            ("5.5", "outside of the scale from 1 to 5"),
            ("2,5", "\"2,5\" is no number; write it with a point, 2.5"),
        ] {
            let found = value(text, Some((1.0, 5.0))).unwrap_err();
            assert!(found.contains(problem), "{found}");
        }
        for text in ["1e30", "-1e300", "2000000"] {
            let found = value(text, None).unwrap_err();
            assert!(found.contains("on no scale of ratings"), "{found}");
        }
        assert_eq!(value("2000000", Some((0.0, 3e6))), Ok(Some(2e6)));
    }
}
