//! Side files of a release: tables with a header, JSON, plain lines. Each error names the file, and for a table the
//! columns found and expected.

use crate::{CorpusError, LineProblem, RawFile, RawTree};
use emobox_files::{FileError, read_json};
use std::path::PathBuf;

/// A table with a header line. Cells are trimmed; bytes that are no UTF-8 are read as Windows-1252.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<(u64, csv::StringRecord)>,
}

/// One line of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct TableRow<'a> {
    table: &'a Table,
    index: usize,
}

impl RawTree {
    /// A side file by the end of its path; of several the one with the fewest folders above it. Alternatives are tried
    /// in order. The error lists the files of that extension that are there.
    pub fn side_file(&self, corpus: &str, tails: &[&str]) -> Result<&RawFile, CorpusError> {
        tails
            .iter()
            .find_map(|tail| self.find(tail))
            .ok_or_else(|| {
                let extension = tails
                    .first()
                    .and_then(|tail| tail.rsplit_once('.'))
                    .map_or("", |(_, extension)| extension);
                let alike = self
                    .files()
                    .iter()
                    .filter(|file| file.extension().eq_ignore_ascii_case(extension));
                CorpusError::SideFileMissing {
                    corpus: corpus.to_owned(),
                    wanted: tails.join(" or "),
                    root: self.root().to_owned(),
                    candidates: alike.map(|file| file.path().to_owned()).collect(),
                }
            })
    }

    /// The text of a file: UTF-8 (a byte-order mark is dropped), else Windows-1252.
    pub fn read_text(&self, file: &RawFile) -> Result<String, CorpusError> {
        let path = self.locate(file);
        let bytes = std::fs::read(&path).map_err(|e| FileError::io("read", &path, e))?;
        Ok(text_of(bytes))
    }

    /// A JSON side file.
    pub fn read_json<T: serde::de::DeserializeOwned>(
        &self,
        file: &RawFile,
    ) -> Result<T, CorpusError> {
        Ok(read_json(self.locate(file))?)
    }

    /// A table with these columns (more are fine, case does not matter).
    pub fn read_table(
        &self,
        file: &RawFile,
        delimiter: u8,
        expected: &[&str],
    ) -> Result<Table, CorpusError> {
        Table::parse(
            self.locate(file),
            &self.read_text(file)?,
            delimiter,
            expected,
        )
    }
}

impl Table {
    /// Parses a table from text; `path` is for messages.
    pub fn parse(
        path: PathBuf,
        text: &str,
        delimiter: u8,
        expected: &[&str],
    ) -> Result<Self, CorpusError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let columns: Vec<String> = match reader.headers() {
            Ok(header) => header
                .iter()
                .map(|name| name.trim_start_matches('\u{feff}').to_owned())
                .collect(),
            Err(error) => {
                let problems = vec![LineProblem {
                    line: 1,
                    message: error.to_string(),
                }];
                return Err(CorpusError::Lines { path, problems });
            }
        };
        let lacks = |name: &&&str| {
            !columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(name))
        };
        let missing: Vec<String> = expected
            .iter()
            .filter(lacks)
            .map(|name| (*name).to_owned())
            .collect();
        if !missing.is_empty() {
            let expected = expected.iter().map(|name| (*name).to_owned()).collect();
            return Err(CorpusError::Columns {
                path,
                expected,
                found: columns,
                missing,
            });
        }
        let mut rows = Vec::new();
        let mut problems = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => rows.push((record.position().map_or(0, csv::Position::line), record)),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    problems.push(LineProblem {
                        line,
                        message: error.to_string(),
                    });
                }
            }
        }
        if problems.is_empty() {
            Ok(Self {
                path,
                columns,
                rows,
            })
        } else {
            Err(CorpusError::Lines { path, problems })
        }
    }

    /// The file, for messages.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether the column is there.
    pub fn has(&self, column: &str) -> bool {
        self.column(column).is_some()
    }

    /// The lines after the header.
    pub fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        (0..self.rows.len()).map(|index| TableRow { table: self, index })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name))
    }
}

impl<'a> TableRow<'a> {
    /// The cell of a column; empty where the column or the cell is absent.
    pub fn get(&self, column: &str) -> &'a str {
        let record = &self.table.rows[self.index].1;
        self.table
            .column(column)
            .and_then(|index| record.get(index))
            .unwrap_or_default()
    }

    /// The cell, or nothing when it is empty.
    pub fn some(&self, column: &str) -> Option<&'a str> {
        Some(self.get(column)).filter(|text| !text.is_empty())
    }

    /// The line number in the file, from 1.
    pub fn line(&self) -> u64 {
        self.table.rows[self.index].0
    }
}

/// UTF-8 without its byte-order mark, else Windows-1252, which defines every byte that old tools wrote.
pub(crate) fn text_of(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text
            .strip_prefix('\u{feff}')
            .map_or_else(|| text.clone(), str::to_owned),
        Err(error) => error
            .as_bytes()
            .iter()
            .map(|&byte| windows_1252(byte))
            .collect(),
    }
}

/// The WHATWG table: the five bytes that Windows-1252 leaves open stand for the control character of their number.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_found_and_expected_are_named() {
        let message = Table::parse(
            "x.csv".into(),
            "Name,Emo\na,b\n",
            b',',
            &["name", "emotion"],
        )
        .unwrap_err()
        .to_string();
        assert_eq!(
            message,
            "x.csv: columns expected: name, emotion; found: Name, Emo; missing: emotion"
        );
    }

    #[test]
    fn cells_are_found_whatever_the_case_and_short_lines_are_empty() {
        let table =
            Table::parse("x.csv".into(), "Name|Emo\n\"a|1\" | b\nc\n", b'|', &["emo"]).unwrap();
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(
            (rows[0].get("name"), rows[0].get("EMO"), rows[0].line()),
            ("a|1", "b", 2)
        );
        assert_eq!((rows[1].some("emo"), rows[1].line()), (None, 3));
    }

    #[test]
    fn old_bytes_are_read_as_windows_1252() {
        assert_eq!(text_of(b"Richard\x92s Date".to_vec()), "Richard’s Date");
        assert_eq!(text_of("\u{feff}é".into()), "é");
    }
}
