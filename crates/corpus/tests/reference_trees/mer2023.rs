use crate::harness::{Published, put};
use std::fmt::Write;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    for (folder, table) in [
        ("mer2023train/train", "mer2023train/train-label.csv"),
        ("test1", "test-labels/test1-label.csv"),
        ("test2", "test-labels/test2-label.csv"),
        ("mer2023train/test3", "test-labels/test3-label.csv"),
    ] {
        let mut text = "name,discrete,valence\n".to_owned();
        for row in rows {
            let (of, clip) = row.path.rsplit_once('/').unwrap();
            if of == folder {
                let name = clip.rsplit_once('.').unwrap().0;
                writeln!(text, "{name},{},-1.5", row.raw_label).unwrap();
            }
        }
        put(root, table, text);
    }
    put(root, "mer2023train/test3/samplenew_99999999.mp4", "");
}
