use std::collections::BTreeSet;
use std::fmt;

/// How many keys a message names before it gives the number of the rest.
const NAMED: usize = 5;

/// Where predictions and references do not match one to one. All lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mismatch {
    /// Keys that were expected and have no prediction.
    pub missing: Vec<String>,
    /// Keys with a prediction that were not expected.
    pub extra: Vec<String>,
    /// Keys that occur more than once among the predictions.
    pub doubled: Vec<String>,
    /// Keys that occur more than once among the references.
    pub doubled_references: Vec<String>,
}

impl Mismatch {
    /// Compares two lists of keys.
    pub fn between<'a>(
        expected: impl IntoIterator<Item = &'a str>,
        given: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (expected, doubled_references) = count(expected);
        let (given, doubled) = count(given);
        let owned = |keys: Vec<&&str>| keys.into_iter().map(|&k| k.to_owned()).collect();
        Self {
            missing: owned(expected.difference(&given).collect()),
            extra: owned(given.difference(&expected).collect()),
            doubled,
            doubled_references,
        }
    }

    /// Whether every key has exactly one prediction.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn count<'a>(keys: impl IntoIterator<Item = &'a str>) -> (BTreeSet<&'a str>, Vec<String>) {
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        if !once.insert(key) {
            twice.insert(key.to_owned());
        }
    }
    (once, twice.into_iter().collect())
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("missing", &self.missing),
            ("extra", &self.extra),
            ("doubled", &self.doubled),
            ("doubled among the references", &self.doubled_references),
        ];
        let mut first = true;
        for (name, keys) in lists.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            let named: Vec<&str> = keys.iter().take(NAMED).map(String::as_str).collect();
            let rest = keys.len().saturating_sub(NAMED);
            let more = if rest > 0 {
                format!(" and {rest} more")
            } else {
                String::new()
            };
            let separator = if first { "" } else { "; " };
            write!(
                f,
                "{separator}{} {name}: {}{more}",
                keys.len(),
                named.join(", ")
            )?;
            first = false;
        }
        Ok(())
    }
}
