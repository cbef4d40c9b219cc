//! Emotion words of heads and corpora.

/// Words for the same emotion, including the shortest ones that heads use.
const SAME: [&[&str]; 9] = [
    &["angry", "anger", "ang"],
    &["happy", "happiness", "hap"],
    &["sad", "sadness"],
    &["neutral", "neutrality", "neu"],
    &["fear", "fearful", "fea"],
    &["disgust", "disgusted", "dis"],
    &["surprise", "surprised", "sur"],
    &["frustrated", "frustration", "fru"],
    &["excited", "excitement", "exc"],
];

/// The one of `classes` that a head's word stands for: `生气/angry` is `angry`, `hap` is `Happiness`.
pub fn class_of<'a>(
    word: &str,
    classes: impl IntoIterator<Item = &'a String>,
) -> Option<&'a String> {
    let word = word
        .rsplit('/')
        .next()
        .unwrap_or(word)
        .trim()
        .to_lowercase();
    let same = SAME.iter().find(|words| words.contains(&word.as_str()));
    classes.into_iter().find(|class| {
        let class = class.to_lowercase();
        class == word || same.is_some_and(|words| words.contains(&class.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_heads_become_the_corpora_s() {
        let classes = ["Angry", "Fear", "Happiness", "neutral"].map(str::to_owned);
        let found = |word| class_of(word, &classes).map(String::as_str);
        assert_eq!(found("生气/angry"), Some("Angry"));
        assert_eq!(found("fearful"), Some("Fear"));
        assert_eq!(found("hap"), Some("Happiness"));
        assert_eq!(found("neu"), Some("neutral"));
        assert_eq!(found("<unk>"), None);
        assert_eq!(found("sad"), None);
    }
}
