use crate::harness::{Published, put};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut samples = "file_name,timestamp,actor,sentence,emotion_expressed\n".to_owned();
    let mut actors = BTreeSet::new();
    for row in rows {
        let name = row.path.rsplit('/').next().unwrap();
        let (actor, emotion) = (&row.speaker, &row.raw_label);
        writeln!(
            samples,
            "{name},2021-02-18 14:24:22,{actor},\"Domani, forse.\",{emotion}"
        )
        .unwrap();
        actors.insert(actor);
    }
    let mut users = "username,gender,age\n".to_owned();
    for actor in actors {
        writeln!(users, "{actor},female,31").unwrap();
    }
    put(root, "metadata/samples.csv", samples);
    put(root, "metadata/users.csv", users);
}
