//! JSON lines as a table.

use super::columns;
use crate::LineProblem;
use std::collections::{BTreeMap, HashSet};

/// Line (or row) and cells by column.
pub(super) type Lines = Vec<(u64, BTreeMap<String, String>)>;

/// JSON objects, one per line, with the names of all members.
pub(super) fn objects(text: &str) -> Result<(Vec<String>, Lines), Vec<LineProblem>> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(text) {
            Ok(object) => object,
            Err(error) => {
                let message = format!("not a JSON object: {error}");
                problems.push(LineProblem { line, message });
                continue;
            }
        };
        let mut cells = BTreeMap::new();
        for (name, value) in object {
            if seen.insert(name.clone()) {
                names.push(name.clone());
            }
            // Manifests store votes as an object of counts.
            if let (columns::VOTES_FIELD, serde_json::Value::Object(votes)) = (&*name, &value) {
                seen.remove(&name);
                names.retain(|other| *other != name);
                for (class, count) in votes {
                    let column = format!("{}{class}", columns::VOTES);
                    if seen.insert(column.clone()) {
                        names.push(column.clone());
                    }
                    cells.insert(column, count.to_string());
                }
                continue;
            }
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                _ => continue,
            };
            cells.insert(name, text);
        }
        lines.push((line, cells));
    }
    if problems.is_empty() {
        Ok((names, lines))
    } else {
        Err(problems)
    }
}
