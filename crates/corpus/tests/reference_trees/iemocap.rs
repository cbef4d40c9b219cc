use crate::harness::{Published, put};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::Path;

/// Turns of each session in the release; those without a published row have another label.
const TURNS: [usize; 5] = [1819, 1811, 2136, 2103, 2170];

/// Rows of the whole published corpus.
const PUBLISHED: usize = 5531;

pub(crate) fn write(rows: &[Published], root: &Path) {
    // (session, dialogue) → turn → label
    let mut dialogues: BTreeMap<(usize, &str), BTreeMap<String, &str>> = BTreeMap::new();
    for row in rows {
        let parts: Vec<&str> = row.path.split('/').collect();
        let session = parts[0]["Session".len()..].parse().unwrap();
        let turn = parts[4].strip_suffix(".wav").unwrap();
        let turns = dialogues.entry((session, parts[3])).or_default();
        turns.insert(turn.to_owned(), &row.raw_label);
    }
    // A sample of the rows stays a sample.
    let padded: &[usize] = if rows.len() == PUBLISHED { &TURNS } else { &[] };
    for (session, &total) in (1..).zip(padded) {
        let of_session = |(of, _): &(usize, &str)| *of == session;
        let names: Vec<&str> = dialogues
            .keys()
            .filter(|key| of_session(key))
            .map(|key| key.1)
            .collect();
        let mut count: usize = names
            .iter()
            .map(|&name| dialogues[&(session, name)].len())
            .sum();
        let spare = (0..1000).flat_map(|number| names.iter().map(move |name| (name, number)));
        let other = ["fru", "xxx", "sur", "fea", "oth", "dis"];
        for ((name, number), label) in spare.zip(other.iter().cycle()) {
            if count == total {
                break;
            }
            let turn = format!("{name}_M{number:03}");
            let turns = dialogues.get_mut(&(session, *name)).unwrap();
            if let Entry::Vacant(place) = turns.entry(turn) {
                let turn = place.key();
                put(
                    root,
                    &format!("Session{session}/sentences/wav/{name}/{turn}.wav"),
                    "",
                );
                place.insert(label);
                count += 1;
            }
        }
        assert_eq!(count, total);
    }
    let mut written = HashSet::new();
    for ((session, dialogue), turns) in &dialogues {
        let mut evaluation = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n".to_owned();
        let mut words = String::new();
        for (turn, label) in turns {
            assert!(written.insert(turn));
            writeln!(
                evaluation,
                "[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]"
            )
            .unwrap();
            evaluation += "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n";
            writeln!(words, "{turn} [006.2901-008.2357]: Words of it.").unwrap();
        }
        let folder = format!("Session{session}/dialog");
        put(root, &format!("{folder}/wav/{dialogue}.wav"), "");
        put(root, &format!("{folder}/avi/DivX/{dialogue}.avi"), "");
        put(
            root,
            &format!("{folder}/EmoEvaluation/{dialogue}.txt"),
            evaluation,
        );
        put(
            root,
            &format!("{folder}/transcriptions/{dialogue}.txt"),
            words,
        );
        put(
            root,
            &format!("{folder}/EmoEvaluation/Categorical/{dialogue}_e2_cat.txt"),
            "[0 - 1]\tno_turn\tang\n",
        );
    }
}
