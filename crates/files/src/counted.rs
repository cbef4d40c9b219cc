/// A number with its noun, in the plural unless the number is one: `1 fold`, `3 folds`, `2 classes`, `2 corpora`.
pub fn counted(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (n, "corpus") => format!("{n} corpora"),
        (n, _) if noun.ends_with(['s', 'h']) => format!("{n} {noun}es"),
        (n, _) => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "fold"), "1 fold");
        assert_eq!(counted(0, "fold"), "0 folds");
        assert_eq!(counted(2, "class"), "2 classes");
        assert_eq!(counted(2, "batch"), "2 batches");
        assert_eq!(counted(32, "corpus"), "32 corpora");
    }
}
