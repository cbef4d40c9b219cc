//! Values that are most likely the same but spelled in several ways.

use std::collections::BTreeMap;

/// A question about groups of values that differ only in case, space or leading zeros; `None` if there are none.
pub(super) fn several_spellings(counts: &BTreeMap<String, usize>) -> Option<String> {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (value, n) in counts {
        let written = alike.entry(plain(value)).or_default();
        written.push(format!("{value:?} ({n} times)"));
    }
    let several = alike.into_values().filter(|written| written.len() > 1);
    let groups: Vec<String> = several.map(|written| written.join(" and ")).collect();
    (!groups.is_empty()).then(|| groups.join("; "))
}

/// In lower case, with single spaces and numbers without leading zeros.
fn plain(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut zeros = 0;
    let mut in_number = false;
    let words = value.split_whitespace().collect::<Vec<_>>().join(" ");
    for letter in words.chars() {
        if letter == '0' && !in_number {
            zeros += 1;
            continue;
        }
        if zeros > 0 && !letter.is_ascii_digit() {
            text.push('0');
        }
        zeros = 0;
        in_number = letter.is_ascii_digit();
        text.extend(letter.to_lowercase());
    }
    if zeros > 0 {
        text.push('0');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_space_and_leading_zeros_do_not_make_another_value() {
        let of = |values: &[&str]| {
            several_spellings(&values.iter().map(|&value| (value.to_owned(), 1)).collect())
        };
        assert_eq!(of(&["anger", "sad", "10", "100", "0", "s1", "s10"]), None);
        assert_eq!(
            of(&["ANGER", "anger", "sad"]).unwrap(),
            "\"ANGER\" (1 times) and \"anger\" (1 times)"
        );
        for pair in [["03", "3"], ["s03", "S3"], ["a  b", "a b"], ["00", "0"]] {
            assert!(of(&pair).is_some(), "{pair:?}");
        }
    }
}
