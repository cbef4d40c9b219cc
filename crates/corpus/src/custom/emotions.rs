//! Words for emotions, to distinguish folders named for emotions from those named for speakers.

/// Names and common abbreviations in the languages of the registered corpora, in lower case.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    // English
    "afraid", "amazed", "amused", "amusement", "ang", "anger", "angry", "annoyed", "anxiety", "anxious", "apologetic",
    "assertive", "bored", "boredom", "boredem", "calm", "calmness", "concerned", "confused", "contempt", "contemptuous",
    "delight", "depressed", "desire", "despair", "dis", "disappointed", "disappointment", "disgust", "disgusted",
    "elation", "embarrassed", "encouraging", "enthusiasm", "exc", "excited", "excitement", "fea", "fear", "fearful",
    "frustrated", "frustration", "fru", "guilt", "hap", "happiness", "happy", "hate", "hatred", "interest", "irritated",
    "joy", "joyful", "love", "neu", "neutral", "neutrality", "normal", "pain", "panic", "pleasure", "pride", "ps",
    "relief", "relaxed", "sad", "sadness", "sarcastic", "sarcasm", "scared", "shame", "shy", "sleepiness", "sleepy",
    "sorrow", "stress", "stressed", "sur", "surprise", "surprised", "tender", "tenderness", "tired", "worried", "worry",
    // German
    "angst", "ekel", "freude", "langeweile", "traurig", "trauer", "ueberraschung", "überraschung", "wut", "ärger",
    // French
    "colere", "colère", "degout", "dégoût", "joie", "neutre", "peur", "tristesse", "surpris",
    // Italian, Spanish, Portuguese
    "disgusto", "gioia", "neutro", "neutra", "neutrale", "paura", "rabbia", "sorpresa", "tristezza", "alegria",
    "alegría", "asco", "enojo", "felicidad", "ira", "miedo", "tristeza", "medo", "raiva", "nojo", "surpresa",
    // Greek, Turkish, Polish, Russian, Persian and Urdu in Latin letters
    "kizgin", "mutlu", "notr", "nötr", "sakin", "uzgun", "üzgün", "gniew", "radosc", "radość", "smutek", "strach",
    "zlosc", "złość", "neutralny", "grust", "radost", "strakh", "zlost",
    // Chinese
    "angry", "gaoxing", "shengqi", "beishang", "中性", "悲伤", "惊讶", "愤怒", "生气", "高兴", "开心", "难过", "厌恶",
    "害怕", "恐惧", "平静", "惊喜",
];

/// Whether a folder's name is, or contains as a separate word, a word for an emotion.
pub(super) fn names_an_emotion(folder: &str) -> bool {
    words(folder).any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name: split at characters that are not letters, and where a lower-case letter precedes a capital.
pub(super) fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        let new = !letter.is_alphabetic() || (small && letter.is_uppercase());
        if new {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        small = letter.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emotions_are_words_of_their_own() {
        for name in [
            "anger",
            "ANG",
            "01Neutral",
            "bea_Amused",
            "OAF_angry",
            "veryAngry",
            "Colère",
            "愤怒",
        ] {
            assert!(names_an_emotion(name), "{name}");
        }
        for name in ["Actor_01", "spk03", "new_batch", "sadler", "angela", "03"] {
            assert!(!names_an_emotion(name), "{name}");
        }
    }
}
