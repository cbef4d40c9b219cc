use crate::harness::{Published, put};
use std::fmt::Write;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    for part in ["train", "test"] {
        let mut table = "name,path,emotion,text\n".to_owned();
        for row in rows {
            if let Some(path) = row.path.strip_prefix(&format!("{part}/")) {
                let name = path.split('/').next().unwrap();
                writeln!(table, "{name},{path},{},\"Ну, да.\"", row.raw_label).unwrap();
            }
        }
        put(root, &format!("{part}.csv"), table);
    }
}
