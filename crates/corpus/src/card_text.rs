//! Cards as text: one on a terminal, all of them as a page of Markdown.

use crate::{Access, Card, registry};
use std::fmt::{self, Write};

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.name, self.title, self.full_name)?;
        for (name, value) in facts(self) {
            writeln!(f, "  {name:<12} {value}")?;
        }
        writeln!(f, "  layout")?;
        for line in self.layout.lines() {
            writeln!(f, "    {line}")?;
        }
        for difference in self.differences {
            writeln!(
                f,
                "  published {}: {}",
                difference.field, difference.published
            )?;
            writeln!(f, "    here: {}", difference.ours)?;
        }
        for note in self.notes {
            writeln!(f, "  note: {note}")?;
        }
        Ok(())
    }
}

/// Name and value of every one-line fact; empty ones are left out.
fn facts(card: &Card) -> Vec<(&'static str, String)> {
    let speakers = card
        .table1
        .speakers
        .map_or("an unknown number of speakers".to_owned(), |n| {
            emobox_files::counted(n as usize, "speaker")
        });
    let labels: Vec<String> = card
        .labels
        .iter()
        .map(|(raw, class)| format!("{raw} = {class}"))
        .collect();
    let size = match card.table1.utterances {
        0 => String::new(),
        n => format!(
            "{}, {:.1} h, {}, {speakers} (Table 1)",
            emobox_files::counted(n as usize, "utterance"),
            card.table1.hours,
            emobox_files::counted(card.table1.classes as usize, "class")
        ),
    };
    let facts = [
        ("languages", card.languages.join(", ")),
        ("source", card.source.to_string()),
        ("recording", card.recording.to_owned()),
        ("size", size),
        ("labels", labels.join(", ")),
        ("dimensions", dimensions(card)),
        ("audio", card.audio.to_owned()),
        ("licence", card.licence.to_owned()),
        ("access", access(&card.access)),
        ("homepage", card.homepage.to_owned()),
        ("cite", card.citation.to_owned()),
        ("folds", card.folds.describe()),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn dimensions(card: &Card) -> String {
    card.scale.map_or_else(String::new, |(low, high)| {
        format!("valence, arousal and dominance from {low} to {high}")
    })
}

fn access(access: &Access) -> String {
    match access {
        Access::Open { page, archives } => {
            let mut text = format!("open, {page}");
            for archive in *archives {
                text.push_str(&format!("\n{:15}{}", "", archive.address));
            }
            text
        }
        Access::Request { page, how } => format!("on request, {page}: {how}"),
        Access::BuiltIn => "built in".to_owned(),
    }
}

/// The page `docs/corpora.md`: a table of all corpora, then their cards. A test compares it with the file.
pub fn cards_markdown() -> String {
    let cards: Vec<&Card> = registry().iter().map(|entry| &entry.card).collect();
    let mut page = String::from(HEAD);
    for card in &cards {
        let sizes = card.table1;
        let kind = match card.access {
            Access::Open { .. } => "open",
            Access::Request { .. } => "on request",
            Access::BuiltIn => "built in",
        };
        let speakers = sizes.speakers.map_or("?".to_owned(), |n| n.to_string());
        let _ = writeln!(
            page,
            "| [{}](#{}) | {} | {} | {} | {} | {} | {} | {:.1} | {} | {} |",
            card.title,
            anchor(card),
            card.name,
            card.languages.join(", "),
            card.source,
            sizes.classes,
            speakers,
            sizes.utterances,
            sizes.hours,
            kind,
            card.folds.count()
        );
    }
    for card in &cards {
        page.push_str(&section(card));
    }
    page
}

const HEAD: &str = "# Corpora\n\n\
    <!-- Generated from the cards in crates/corpus/src/recipes. Regenerate: EMOBOX_UPDATE=1 cargo test -p emobox-corpus --test docs -->\n\n\
    Classes, speakers, utterances and hours are those of Table 1 of the paper; where the data say otherwise, the card does. \
    Folds are those of the published partition.\n\n\
    | corpus | name | languages | source | classes | speakers | utterances | hours | access | folds |\n\
    |---|---|---|---|---|---|---|---|---|---|\n";

/// GitHub's anchor of the section's title.
fn anchor(card: &Card) -> String {
    let keep = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    title(card).chars().filter_map(keep).collect()
}

fn title(card: &Card) -> String {
    format!("{} {}", card.name, card.title)
}

fn section(card: &Card) -> String {
    let mut text = format!(
        "\n## {}\n\n{}.\n\n",
        title(card),
        card.full_name.trim_end_matches('.')
    );
    for (name, value) in facts(card) {
        let value = value
            .split('\n')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("; ");
        let _ = writeln!(text, "* **{name}**: {value}");
    }
    let _ = writeln!(text, "\n```text\n{}\n```", card.layout.trim_end());
    for difference in card.differences {
        let _ = writeln!(
            text,
            "\nPublished {}: {}. Here: {}.",
            difference.field,
            difference.published.trim_end_matches('.'),
            difference.ours.trim_end_matches('.')
        );
    }
    if !card.notes.is_empty() {
        text.push('\n');
    }
    for note in card.notes {
        let _ = writeln!(text, "* {note}");
    }
    text
}
