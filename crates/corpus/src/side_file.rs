//! Side files of a release: tables with a header, JSON, plain lines. Each error names the file, and for a table the
//! columns found and expected.

use crate::{CorpusError, LineProblem, RawFile, RawTree};
use emobox_files::{FileError, read_json};
use std::path::PathBuf;

/// A table with a header line. Cells are trimmed; text that is not UTF-8 is read as Windows-1252.
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
    /// A side file by the end of its path; if several match, the one with the fewest folders above it. Alternatives are tried
    /// in order. The error lists the existing files with that extension.
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

    /// The text of a file: UTF-8 or UTF-16 (a byte-order mark is dropped), otherwise Windows-1252. Other kinds of file are
    /// rejected, with their kind in the error.
    pub fn read_text(&self, file: &RawFile) -> Result<String, CorpusError> {
        let path = self.locate(file);
        let bytes = std::fs::read(&path).map_err(|e| FileError::io("read", &path, e))?;
        match no_text(&bytes) {
            Some((found, cure)) => Err(CorpusError::NotText { path, found, cure }),
            None => Ok(text_of(bytes)),
        }
    }

    /// A JSON side file.
    pub fn read_json<T: serde::de::DeserializeOwned>(
        &self,
        file: &RawFile,
    ) -> Result<T, CorpusError> {
        Ok(read_json(self.locate(file))?)
    }

    /// A table with at least these columns, in any case.
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
    /// Parses a table from text; `path` is for messages. Every line must have as many fields as the header; otherwise values
    /// would be in the wrong columns. Extra empty fields at the end are ignored.
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
        let mut lines = Lines::new(text);
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let line = lines.line_of(record.position());
                    let beyond = record.iter().skip(columns.len());
                    if record.iter().all(str::is_empty) {
                        continue;
                    }
                    if record.len() < columns.len() || !beyond.clone().all(str::is_empty) {
                        let message = format!(
                            "{} fields where the header has {}: is a field missing, or a text with a {:?} in it not in quotation marks?",
                            record.len(),
                            columns.len(),
                            char::from(delimiter)
                        );
                        problems.push(LineProblem { line, message });
                    } else {
                        rows.push((line, record));
                    }
                }
                Err(error) => {
                    let line = lines.line_of(error.position());
                    let message = error.to_string();
                    problems.push(LineProblem { line, message });
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

    /// The names of the columns as written.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The file, for messages.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether there is such a column.
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
    /// The cell of a column; empty if the column or the cell is absent.
    pub fn get(&self, column: &str) -> &'a str {
        let record = &self.table.rows[self.index].1;
        self.table
            .column(column)
            .and_then(|index| record.get(index))
            .unwrap_or_default()
    }

    /// The cell, or `None` if it is empty.
    pub fn some(&self, column: &str) -> Option<&'a str> {
        Some(self.get(column)).filter(|text| !text.is_empty())
    }

    /// All cells, in order of the columns.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'a str> {
        self.table.rows[self.index].1.iter()
    }

    /// The line number in the file, from 1.
    pub fn line(&self) -> u64 {
        self.table.rows[self.index].0
    }
}

/// Line numbers of the records of a table. The CSV parser counts up to the second half of a line end and before empty lines, so
/// it is one or more behind.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            counted: 0,
            line: 1,
        }
    }

    /// The line on which the record at a position starts; positions must be given in order.
    fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |position| position.byte() as usize);
        let ends = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let rest = self.text.get(start..).unwrap_or_default();
        let start = start + rest.iter().take_while(ends).count();
        let passed = self.text.get(self.counted..start).unwrap_or_default();
        // A lone carriage return ends a line too (old Macintosh files).
        let next = passed.iter().skip(1).chain(self.text.get(start));
        let lone = passed
            .iter()
            .zip(next)
            .filter(|(a, b)| **a == b'\r' && **b != b'\n');
        let ended = passed.iter().filter(|byte| **byte == b'\n').count() + lone.count();
        self.line += ended as u64;
        self.counted = start.max(self.counted);
        self.line
    }
}

/// The delimiter of a table: of comma, tab, semicolon and bar the one with which `known` finds most fields in the header; at a
/// tie, the one that gives most columns.
pub(crate) fn delimiter_of(text: &str, known: &dyn Fn(&[String]) -> usize) -> u8 {
    let columns = |delimiter: u8| -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map(|header| header.iter().map(str::to_owned).collect());
        header.unwrap_or_default()
    };
    let worth = |delimiter: &u8| {
        let columns = columns(*delimiter);
        (known(&columns), columns.len())
    };
    // At a tie `max_by_key` returns the last.
    [b'|', b';', b'\t', b',']
        .into_iter()
        .max_by_key(worth)
        .unwrap_or(b',')
}

/// The kind of a file that is not text, and what to do about it.
fn no_text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let known: [(&[u8], &str, &str); 7] = [
        (
            b"PAR1",
            "a Parquet file",
            "write it as CSV or JSON lines (pandas: read_parquet, then to_csv)",
        ),
        (
            b"PK\x03\x04",
            "a zip archive or a spreadsheet",
            "unpack it, or save the sheet as CSV",
        ),
        (
            b"\xD0\xCF\x11\xE0",
            "an old spreadsheet",
            "save the sheet as CSV",
        ),
        (b"\x1F\x8B", "a gzip archive", "unpack it"),
        (b"ARROW1", "an Arrow file", "write it as CSV or JSON lines"),
        (b"SQLite format 3", "a database", "write its table as CSV"),
        (
            b"version https://git-lfs",
            "a Git LFS pointer, not the file itself",
            "fetch the file (git lfs pull)",
        ),
    ];
    if let Some(&(_, found, cure)) = known.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Some((found, cure));
    }
    (utf_16(bytes).is_none() && bytes.iter().take(4096).any(|byte| *byte == 0))
        .then_some(("binary data", "give a table in text form"))
}

/// The text of UTF-16, detected by its byte-order mark, or by the zero bytes of text in Latin letters.
fn utf_16(bytes: &[u8]) -> Option<String> {
    let zeros = |from: usize| {
        let every_second = bytes.iter().skip(from).step_by(2).take(16);
        bytes.len() >= 4
            && bytes.len().is_multiple_of(2)
            && every_second.clone().all(|byte| *byte == 0)
    };
    let (start, big_endian) = match bytes {
        [0xFE, 0xFF, ..] => (2, true),
        [0xFF, 0xFE, ..] => (2, false),
        _ if zeros(0) && !zeros(1) => (0, true),
        _ if zeros(1) && !zeros(0) => (0, false),
        _ => return None,
    };
    let (units, rest) = bytes[start..].as_chunks::<2>();
    let unit = |pair: &[u8; 2]| {
        if big_endian {
            u16::from_be_bytes(*pair)
        } else {
            u16::from_le_bytes(*pair)
        }
    };
    let units: Vec<u16> = units.iter().map(unit).collect();
    rest.is_empty().then(|| String::from_utf16_lossy(&units))
}

/// UTF-8 or UTF-16 without their byte-order marks, otherwise Windows-1252, in which any byte is valid.
pub(crate) fn text_of(bytes: Vec<u8>) -> String {
    if let Some(text) = utf_16(&bytes) {
        return text;
    }
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

/// As in the WHATWG table, the five bytes that Windows-1252 does not define map to the control character with their number.
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

/// Words for missing values in files of other programs.
pub(crate) fn is_nothing(text: &str) -> bool {
    ["", "nan", "nat", "none", "null", "n/a", "<na>"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
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
    fn cells_are_found_whatever_the_case_and_empty_ones_are_none() {
        let text = "Name|Emo\n\"a|1\" | b\nc|\n|\n\nd|e||\n";
        let table = Table::parse("x.csv".into(), text, b'|', &["emo"]).unwrap();
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(
            (rows[0].get("name"), rows[0].get("EMO"), rows[0].line()),
            ("a|1", "b", 2)
        );
        assert_eq!((rows[1].some("emo"), rows[1].line()), (None, 3));
        assert_eq!((rows[2].some("emo"), rows[2].line()), (Some("e"), 6));
    }

    #[test]
    fn a_line_with_another_number_of_fields_is_an_error_with_its_line() {
        for (end, name) in [("\n", "unix"), ("\r\n", "windows"), ("\r", "old mac")] {
            let lines = [
                "path,text,label",
                "a,\"x, y\",sad",
                "",
                "b,no, yes,sad",
                "c,sad",
                "",
            ];
            let message = Table::parse("x.csv".into(), &lines.join(end), b',', &[])
                .unwrap_err()
                .to_string();
            for part in [
                "x.csv: line 4: 4 fields where the header has 3",
                "line 5: 2 fields where the header has 3",
            ] {
                assert!(message.contains(part), "{name}: {message}");
            }
        }
    }

    #[test]
    fn delimiters_and_encodings_are_found_out() {
        let known = |columns: &[String]| columns.iter().filter(|name| *name == "label").count();
        for (text, delimiter) in [
            ("path,label\n", b','),
            ("path;label\n", b';'),
            ("path\tlabel\tx,y\n", b'\t'),
            ("a,b|label\n", b'|'),
            ("x\n", b','),
        ] {
            assert_eq!(delimiter_of(text, &known), delimiter, "{text:?}");
        }
        let units: Vec<u16> = "\u{feff}Wört, 1".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(text_of(little.clone()), "Wört, 1");
        assert_eq!(text_of(big), "Wört, 1");
        assert_eq!(text_of(little[2..].to_vec()), "Wört, 1");
        assert_eq!(no_text(b"PAR1\0\0").unwrap().0, "a Parquet file");
        assert_eq!(no_text(b"a\0\0b\0\0c").unwrap().0, "binary data");
        assert!(no_text(&little).is_none() && no_text("é".as_bytes()).is_none());
    }

    #[test]
    fn old_bytes_are_read_as_windows_1252() {
        assert_eq!(text_of(b"Richard\x92s Date".to_vec()), "Richard’s Date");
        assert_eq!(text_of("\u{feff}é".into()), "é");
    }
}
