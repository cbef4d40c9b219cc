//! Words for the parts of a corpus: one vocabulary for columns, folders and file names.

use std::collections::BTreeMap;

/// The part that a word stands for: `train`, `valid`, `test`, or `test2`, `test3`… for further test sets.
pub(super) fn part(word: &str) -> Option<String> {
    let word = word.trim().to_ascii_lowercase();
    let name = match word.as_str() {
        "train" | "training" | "trn" => "train",
        "valid" | "validation" | "val" | "dev" | "devel" | "development" => "valid",
        "test" | "testing" | "tst" => "test",
        _ => {
            let number = word.strip_prefix("test")?.trim_start_matches(['_', '-']);
            let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            return plain.then(|| format!("test{number}"));
        }
    };
    Some(name.to_owned())
}

/// Valid values of a column or folder level of parts, for messages.
const UNDERSTOOD: &str = "understood are train, valid (dev, validation, …), test, test2, …, or numbered groups of one name \
                          (session1, session2, …), each tested in a fold of its own";

/// Maps every row's own word for its part to the standard vocabulary; the error says what is unknown or missing. `splits` has
/// the words with the number of rows of each, `None` for rows without one.
pub(super) fn vocabulary(
    splits: &BTreeMap<Option<String>, usize>,
) -> Result<BTreeMap<String, String>, String> {
    let words: Vec<&String> = splits.keys().flatten().collect();
    if words.is_empty() {
        return Ok(BTreeMap::new());
    }
    let list: Vec<String> = splits
        .iter()
        .map(|(word, n)| format!("{n} say {}", word.as_deref().unwrap_or("nothing")))
        .collect();
    let list = list.join(", ");
    if splits.contains_key(&None) {
        return Err(format!(
            "the split is filled in part only: {list}; fill it for every row or leave the column out"
        ));
    }
    let parts: BTreeMap<String, String> = words
        .iter()
        .filter_map(|word| Some(((*word).clone(), part(word)?)))
        .collect();
    if parts.len() == words.len() {
        let has = |name: &str| parts.values().any(|part| part == name);
        return if has("train") && has("test") {
            Ok(parts)
        } else {
            Err(format!(
                "the split has no {}: {list}; a split needs train and test",
                if has("train") { "test" } else { "train" }
            ))
        };
    }
    let stems: std::collections::BTreeSet<String> = words.iter().map(|word| stem(word)).collect();
    let numbered = words
        .iter()
        .all(|word| word.ends_with(|c: char| c.is_ascii_digit()));
    if parts.is_empty() && words.len() > 1 && stems.len() == 1 && numbered {
        return Ok(words
            .iter()
            .map(|word| ((*word).clone(), (*word).clone()))
            .collect());
    }
    Err(format!("the split is not understood: {list}; {UNDERSTOOD}"))
}

fn stem(word: &str) -> String {
    let stem = word.trim().trim_end_matches(|c: char| c.is_ascii_digit());
    stem.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[(&str, usize)]) -> Result<Vec<String>, String> {
        let word =
            |&(word, n): &(&str, usize)| (Some(word.to_owned()).filter(|word| !word.is_empty()), n);
        let splits = words.iter().map(word).collect();
        vocabulary(&splits).map(|found| found.into_values().collect())
    }

    #[test]
    fn parts_have_one_vocabulary_and_the_rest_is_refused() {
        let found = read(&[("Training", 3), ("dev", 1), ("Test", 1), ("test_2", 1)]).unwrap();
        assert_eq!(found, ["test", "train", "valid", "test2"]);
        assert_eq!(read(&[("session1", 1), ("session2", 1)]).unwrap().len(), 2);
        assert_eq!(read(&[("1", 1), ("2", 1)]).unwrap(), ["1", "2"]);
        for (words, part) in [
            (&[("", 27), ("test", 9)][..], "27 say nothing, 9 say test"),
            (&[("train", 2), ("eval", 1)], "not understood"),
            (&[("train", 2), ("dev", 1)], "has no test"),
            (&[("test", 2)], "has no train"),
            (&[("a", 2), ("b", 1)], "understood are train"),
            (&[("session1", 2)], "not understood"),
        ] {
            let message = read(words).unwrap_err();
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
    }
}
