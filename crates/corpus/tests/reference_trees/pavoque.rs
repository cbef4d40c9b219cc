use crate::harness::{Published, put};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut lists: BTreeMap<&str, String> = BTreeMap::new();
    for row in rows {
        let name = row.path.strip_suffix(".flac").unwrap();
        let list = lists.entry(name).or_default();
        let (start, end) = row.segment.unwrap();
        let style = &row.raw_label;
        let prompt = row.key["pavoque-".len()..]
            .strip_suffix(&format!("-{style}"))
            .unwrap();
        let entry = |text: &str, start: f64, end: f64| {
            format!(
                "- prompt: {prompt}\n  text: {text}\n  style: {style}\n  start: {start:?}\n  end: {end:?}\n"
            )
        };
        // The published metadata keep the last of two entries with the same prompt and style.
        if prompt == "a0014a" {
            *list += &entry("zu früh", 0.0, 1.0);
        }
        *list += &entry("'Der Begriff: so\n    ''geht'' es weiter.'", start, end);
        if !name.ends_with("outtakes") {
            writeln!(
                list,
                "  segments:\n  - {{lab: '?', end: 0.26}}\n  - {{lab: a, end: {}}}",
                end - start
            )
            .unwrap();
        }
    }
    for (name, list) in lists {
        put(root, &format!("{name}.yaml"), list);
    }
}
