use crate::format::escape;
use std::fmt::Write;

/// Above this many notices the rest is collapsed behind a summary.
const SHOWN: usize = 4;

/// What a reader must see first: each notice once, and equivalent ones for several corpora merged.
pub(super) fn notices(notes: &[String]) -> String {
    let notes = grouped(notes);
    let mut out = String::new();
    for note in notes.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "<p class=\"warning\" role=\"note\">{}</p>",
            escape(note)
        );
    }
    if notes.len() > SHOWN {
        let _ = writeln!(
            out,
            "<details class=\"warning\"><summary>{} more notices</summary><ul>",
            notes.len() - SHOWN
        );
        for note in &notes[SHOWN..] {
            let _ = writeln!(out, "<li>{}</li>", escape(note));
        }
        out.push_str("</ul></details>\n");
    }
    out
}

/// Merges notices of the form `corpus: sentence` whose sentences are the same except for numbers and paths.
fn grouped(notes: &[String]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for note in notes {
        let shape = shape(note);
        match groups.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, of)) if of.contains(&note.as_str()) => {}
            Some((_, of)) => of.push(note),
            None => groups.push((shape, vec![note])),
        }
    }
    groups.into_iter().map(|(_, of)| joined(&of)).collect()
}

/// A notice without its subject, its numbers and its paths.
fn shape(note: &str) -> String {
    let Some((subject, sentence)) = note.split_once(": ").filter(|(s, _)| !s.contains(' ')) else {
        return note.to_owned();
    };
    let words = sentence.split(' ').map(|word| {
        let varies = word.contains(subject)
            || word.contains('/')
            || word.starts_with(|c: char| c.is_ascii_digit());
        if varies { "…" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Notices of one form as one: the subjects before the sentence, each with its number if sentences begin with
/// one.
fn joined(notes: &[&str]) -> String {
    let [first, _, ..] = notes else {
        return notes.concat();
    };
    let parts: Vec<(&str, &str)> = notes.iter().filter_map(|n| n.split_once(": ")).collect();
    let Some((subject, sentence)) = first.split_once(": ") else {
        return notes.join(" ");
    };
    if parts.iter().all(|(_, other)| *other == sentence) {
        let subjects: Vec<&str> = parts.iter().map(|(subject, _)| *subject).collect();
        return format!("{}: {sentence}", subjects.join(", "));
    }
    // What all sentences share after the first word, a count, such as "files were skipped while reading".
    let counted = parts.iter().map(|(subject, sentence)| {
        let count = sentence.split(' ').next().unwrap_or_default();
        format!("{subject} {count}")
    });
    let counts = counted.collect::<Vec<_>>().join(", ");
    let starts_with_count = sentence.starts_with(|c: char| c.is_ascii_digit());
    match sentence.split_once(' ').filter(|_| starts_with_count) {
        Some((_, rest)) => format!("{counts} {}", rest.replace(subject, "…")),
        None => notes.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_say_the_same_are_one() {
        let skipped = |corpus: &str, n: usize| {
            format!(
                "{corpus}: {n} files were skipped while reading the raw release; /home/reports/{corpus}.json has their names."
            )
        };
        let notes = [
            "synthetic speech".to_owned(),
            skipped("emodb", 3),
            "urdu: no metadata".to_owned(),
            skipped("meld", 12),
            "meld: no metadata".to_owned(),
            "synthetic speech".to_owned(),
        ];
        assert_eq!(
            grouped(&notes),
            [
                "synthetic speech",
                "emodb 3, meld 12 files were skipped while reading the raw release; /home/reports/….json has their names.",
                "urdu, meld: no metadata",
            ]
        );
        let many: Vec<String> = (0..9).map(|i| format!("notice {i} <")).collect();
        let page = notices(&many);
        assert!(page.contains("5 more notices") && page.contains("notice 8 &lt;"));
    }
}
