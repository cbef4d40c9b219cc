use crate::harness::{put, table};
use emobox_corpus::{
    BalanceOptions, Manifest, PUBLISHED_SETS, PublishedSet, SpeakerChoice, balanced_set,
    published_classes,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the published balanced set of a corpus from a copy of the metadata and joins it to our manifest, then draws a set of
/// the same shape.
pub(crate) fn check(corpus: &str, manifest: &Manifest, folder: &Path) {
    let Some((_, name)) = PUBLISHED_SETS.iter().find(|(known, _)| *known == corpus) else {
        return;
    };
    let rows = table("track2_join.tsv.gz").unwrap();
    let rows: Vec<Vec<String>> = rows.into_iter().filter(|row| row[0] == corpus).collect();
    let line = |row: &Vec<String>| {
        format!(
            "{}\n",
            serde_json::json!({"wav_filename": row[1], "label": row[2], "speaker": row[3]})
        )
    };
    put(
        folder,
        &format!("metadata copy/data/track2/{name}"),
        rows.iter().map(line).collect::<String>(),
    );
    let set = PublishedSet::read(&folder.join("metadata copy"), corpus).unwrap();
    assert_eq!(set.items.len(), 240);
    let joined = set.join(manifest);
    let ambiguous = if corpus == "meld" { 2 } else { 0 };
    assert_eq!(
        (
            joined.items.len(),
            joined.ambiguous.len(),
            joined.absent.len()
        ),
        (240 - ambiguous, ambiguous, 0),
        "{joined}"
    );
    let ours: BTreeMap<&str, &str> = joined
        .items
        .iter()
        .map(|(key, label)| (key.as_str(), label.as_str()))
        .collect();
    for row in &rows {
        let in_doubt = joined
            .ambiguous
            .iter()
            .any(|(item, keys)| item.wav_filename == row[1] && keys.contains(&row[4]));
        assert!(in_doubt || ours[row[4].as_str()] == row[2], "{row:?}");
    }
    let shape = match corpus {
        "iemocap" => (10, 6),
        "meld" => (6, 10),
        "ravdess" => (20, 3),
        _ => (4, 15),
    };
    assert_eq!(joined.published.cells.len(), shape.0);
    assert_eq!(joined.published.range().1, shape.1);
    match corpus {
        // The published ids name the speaker who wears the markers, not the one who speaks.
        "iemocap" => assert_eq!(joined.true_balance.range(), (3, 9), "{joined}"),
        _ => assert_eq!(joined.true_balance, joined.published, "{joined}"),
    }
    let options = BalanceOptions {
        classes: published_classes(),
        per_cell: shape.1,
        speakers: SpeakerChoice::Any(shape.0),
        seed: 0,
    };
    let drawn = balanced_set(manifest, None, &options).unwrap();
    assert_eq!(drawn.items.len(), 240);
}
