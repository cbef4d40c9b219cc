use crate::BenchError;
use emobox_audio::log_mel::FbankOptions;
use emobox_corpus::{Card, registry};
use emobox_encoder::hub::cached;
use emobox_encoder::{EGEMAPS, Encoder, EncoderError, EncoderSource, FBANK, zoo};
use serde::Serialize;
use std::fmt;

/// The cards of all registered corpora, by name.
pub fn corpora() -> Vec<&'static Card> {
    registry().iter().map(|entry| &entry.card).collect()
}

/// The card of a corpus.
pub fn corpus_card(name: &str) -> Result<&'static Card, BenchError> {
    Ok(&emobox_corpus::entry_meant(name)?.card)
}

/// All registered corpora as a table for a terminal.
pub fn corpora_table() -> String {
    let mut rows = vec![[
        "corpus".to_owned(),
        "language".to_owned(),
        "source".to_owned(),
        "classes".to_owned(),
        "speakers".to_owned(),
        "utterances".to_owned(),
        "hours".to_owned(),
        "folds".to_owned(),
    ]];
    for card in corpora() {
        let size = &card.table1;
        rows.push([
            card.name.to_owned(),
            card.languages.join(", "),
            card.source.to_string(),
            size.classes.to_string(),
            size.speakers
                .map_or_else(|| "–".to_owned(), |n| n.to_string()),
            size.utterances.to_string(),
            format!("{:.1}", size.hours),
            card.folds.count().to_string(),
        ]);
    }
    align(&rows, 3)
}

/// Columns padded to their widest cell; the first `left` columns flush left, the others right.
pub fn align<R: AsRef<[String]>>(rows: &[R], left: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.as_ref()[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .as_ref()
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let width = widths[column];
                if column < left {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Every encoder known by name: the built-in ones, then the zoo.
pub fn encoders() -> Vec<EncoderRow> {
    let built_in = EncoderRow {
        name: FBANK,
        family: "log-mel",
        place: "built in, needs no weights",
        parameters: Some(0),
        layers: Some(0),
        dim: FbankOptions::default().dim(),
        licence: "–",
        paper: None,
        here: true,
    };
    let egemaps = EncoderRow {
        name: EGEMAPS,
        family: "eGeMAPS",
        place: "by your Python package `opensmile`",
        dim: 88,
        licence: "openSMILE: research only",
        here: Encoder::describe(&EncoderSource::from(EGEMAPS)).is_ok(),
        ..built_in.clone()
    };
    let of_zoo = zoo().iter().map(|entry| EncoderRow {
        name: entry.name,
        family: entry.family,
        place: entry.place(),
        parameters: entry.parameters,
        layers: entry.layers,
        dim: entry.dim,
        licence: entry.licence,
        paper: entry.paper,
        here: entry
            .hub_request()
            .is_some_and(|request| cached(&request).is_some()),
    });
    [built_in, egemaps].into_iter().chain(of_zoo).collect()
}

/// One encoder known by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncoderRow {
    /// What `--encoder` takes.
    pub name: &'static str,
    /// The family.
    pub family: &'static str,
    /// Where it is published.
    pub place: &'static str,
    /// Numbers in its tensors, where known.
    pub parameters: Option<u64>,
    /// Number of blocks; there is one more hidden state than blocks.
    pub layers: Option<usize>,
    /// Values per frame.
    pub dim: usize,
    /// Licence of the weights.
    pub licence: &'static str,
    /// The row of the paper's tables that it belongs to.
    pub paper: Option<&'static str>,
    /// Whether it can be used now: built in, or in this machine's hub cache.
    pub here: bool,
}

/// All encoders known by name as a table for a terminal.
pub fn encoders_table() -> String {
    let mut rows = vec![[
        "encoder".to_owned(),
        "family".to_owned(),
        "published at".to_owned(),
        "licence".to_owned(),
        "parameters".to_owned(),
        "layers".to_owned(),
        "dims".to_owned(),
        "here".to_owned(),
    ]];
    for row in encoders() {
        let number = |n: Option<usize>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
        rows.push([
            row.name.to_owned(),
            row.family.to_owned(),
            row.place.to_owned(),
            row.licence.to_owned(),
            match row.parameters {
                Some(n) if n > 0 => format!("{:.1} M", n as f64 / 1e6),
                Some(_) => "0".to_owned(),
                None => "–".to_owned(),
            },
            number(row.layers),
            row.dim.to_string(),
            (if row.here { "yes" } else { "no" }).to_owned(),
        ]);
    }
    align(&rows, 4)
}

/// The encoder of that name.
pub fn encoder_card(name: &str) -> Result<EncoderRow, BenchError> {
    let mut rows = encoders();
    match rows.iter().position(|row| row.name == name) {
        Some(at) => Ok(rows.swap_remove(at)),
        None => {
            let known = rows.iter().map(|row| row.name).collect::<Vec<_>>();
            Err(BenchError::encoder(
                name,
                EncoderError::UnknownName {
                    name: name.to_owned(),
                    known: known.join(", "),
                },
            ))
        }
    }
}

impl fmt::Display for EncoderRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "unknown".to_owned();
        writeln!(f, "{}", self.name)?;
        writeln!(f, "  family        {}", self.family)?;
        writeln!(f, "  published at  {}", self.place)?;
        let parameters = self.parameters.map_or_else(unknown, |n| n.to_string());
        writeln!(f, "  parameters    {parameters}")?;
        let layers = self.layers.map_or_else(unknown, |n| n.to_string());
        writeln!(f, "  layers        {layers}")?;
        writeln!(f, "  dimensions    {}", self.dim)?;
        writeln!(f, "  licence       {}", self.licence)?;
        if let Some(paper) = self.paper {
            writeln!(f, "  in the paper  {paper}")?;
        }
        let here = match (self.here, self.name) {
            (true, _) => "yes".to_owned(),
            (false, emobox_encoder::EGEMAPS) => {
                "no: `pip install opensmile`, or EMOBOX_PYTHON=PATH of a Python that has it"
                    .to_owned()
            }
            (false, name) => format!(
                "no: `emobox encoders pull {name}`, or --encoder {name}=DIR for a folder of yours"
            ),
        };
        write!(f, "  usable now    {here}")
    }
}

/// Bytes as gigabytes (10⁹), for people.
pub(crate) fn gigabytes(bytes: f64) -> String {
    match bytes / 1e9 {
        g if g >= 99.5 => format!("{g:.0}"),
        g if g >= 0.095 => format!("{g:.1}"),
        g => format!("{g:.3}"),
    }
}
