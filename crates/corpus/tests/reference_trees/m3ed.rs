use crate::harness::{Published, put};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `SpeakerInfo` and `Dialog` of one dialogue.
type Parts = [Map<String, Value>; 2];

pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut annotation: BTreeMap<&str, BTreeMap<String, Parts>> = BTreeMap::new();
    let mut lists: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let clip = row
            .path
            .rsplit('/')
            .next()
            .unwrap()
            .strip_suffix(".wav")
            .unwrap();
        let (role, id) = clip.split_once('_').unwrap();
        let (dialogue, _) = id.rsplit_once('_').unwrap();
        let (series, _) = dialogue.rsplit_once('_').unwrap();
        let name = row.speaker.split_once('_').unwrap().1;
        let list = match row.split.as_str() {
            "train:1" => "train",
            "valid:1" => "val",
            "test:1" => "test",
            other => panic!("{other}"),
        };
        lists.entry(list).or_default().insert(series);
        let dialogues = annotation.entry(series).or_default();
        let [people, lines] = dialogues.entry(dialogue.to_owned()).or_default();
        people.insert(
            role.to_owned(),
            json!({"Name": name, "Gender": "女", "Age": "mid"}),
        );
        let line = json!({
            "StartTime": "00:00:01:02", "EndTime": "00:00:02:10", "Text": "你好", "Speaker": role,
            "EmoAnnotation": {"EmoAnnotator1": row.raw_label, "final_mul_emo": "", "final_main_emo": row.raw_label},
        });
        lines.insert(id.to_owned(), line.clone());
        // One utterance without a clip in the release.
        if id == "anjia_1_1" {
            lines.insert("anjia_1_999".to_owned(), line);
        }
    }
    let dialogue = |[people, lines]: &Parts| json!({"SpeakerInfo": people, "Dialog": lines});
    let series = annotation.iter().map(|(series, dialogues)| {
        let dialogues: Map<String, Value> = dialogues
            .iter()
            .map(|(id, parts)| (id.clone(), dialogue(parts)))
            .collect();
        ((*series).to_owned(), Value::Object(dialogues))
    });
    let text = Value::Object(series.collect()).to_string();
    put(root, "annotation.json", text);
    for (list, series) in lists {
        // As released: without a line break at the end.
        let series: Vec<&str> = series.into_iter().collect();
        put(
            root,
            &format!("splitInfo/movie_list_{list}.txt"),
            series.join("\n"),
        );
    }
}
