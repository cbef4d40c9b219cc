//! One offline run of Weights & Biases per cell: a log of protocol buffers in the framing of LevelDB's log.
//!
//! The fields are those of `wandb/proto/wandb_internal.proto`, the framing that of `wandb/sdk/internal/datastore.py` (0.19):
//! a file header, then blocks of 32 KiB whose pieces carry a CRC-32 over their type and their bytes.

use super::Cell;
use serde_json::{Value, json};
use std::path::PathBuf;

/// `:W&B`, the magic number, the version of the format.
const FILE_HEADER: &[u8] = b":W&B\xE1\xBE\0";
const BLOCK: usize = 32_768;
const PIECE_HEADER: usize = 7;

pub(super) fn files(cells: &[Cell<'_>], version: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |cell: &Cell<'_>| {
        // Eight letters and digits are the usual length.
        let id = format!("{:08x}", cell.id() as u32);
        let folder = PathBuf::from(format!("offline-run-19700101_000000-{id}"));
        (
            folder.join(format!("run-{id}.wandb")),
            log(cell, &id, version),
        )
    };
    cells.iter().map(file).collect()
}

fn log(cell: &Cell<'_>, id: &str, version: &str) -> Vec<u8> {
    let mut log = Log(FILE_HEADER.to_vec());
    let mut number = 0;
    let mut record = |field: u32, message: Message| {
        number += 1;
        // Record: num 1, and one of history 2, summary 3, run 17, exit 18.
        log.push(
            &Message::default()
                .number(1, number)
                .message(field, &message)
                .0,
        );
    };
    let config = cell.parameters(version).into_iter();
    let config = config.fold(Message::default(), |config, (name, text)| {
        config.message(1, &item(name, &Value::String(text)))
    });
    // RunRecord: run_id 1, project 3, config 4, display_name 8, start_time 17.
    let run = Message::default()
        .text(1, id)
        .text(3, "emobox")
        .message(4, &config)
        .text(8, &cell.name)
        .message(17, &Message::default());
    record(17, run);
    let mut step = 0;
    let mut history = |record: &mut dyn FnMut(u32, Message), values: Vec<(String, f64)>| {
        let row = values
            .iter()
            .fold(Message::default(), |row, (name, value)| {
                row.message(1, &item(name, &json!(value)))
            });
        let row = row.message(1, &item("_step", &json!(step)));
        record(2, row.message(2, &Message::default().number(1, step)));
        step += 1;
    };
    let curves: Vec<_> = cell.curves().collect();
    let epochs = curves.iter().map(|(_, values)| values.len()).max();
    for epoch in 0..epochs.unwrap_or(0) {
        let mut row = vec![("epoch".to_owned(), epoch as f64 + 1.0)];
        for (name, values) in &curves {
            row.extend(values.get(epoch).map(|value| (name.clone(), *value)));
        }
        history(&mut record, row);
    }
    for (fold, scores) in cell.folds() {
        let mut row = vec![("fold".to_owned(), f64::from(fold))];
        row.extend(
            scores
                .into_iter()
                .map(|(name, value)| (format!("fold_{name}"), value)),
        );
        history(&mut record, row);
    }
    let summary = cell
        .metrics()
        .iter()
        .fold(Message::default(), |all, (name, value)| {
            all.message(1, &item(name, &json!(value)))
        });
    record(3, summary);
    record(18, Message::default());
    log.0
}

/// ConfigItem, HistoryItem and SummaryItem have the same fields: key 1, value_json 16.
fn item(key: &str, value: &Value) -> Message {
    Message::default().text(1, key).text(16, &value.to_string())
}

/// Fields of a protocol buffer.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn number(self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field << 3)).varint(value)
    }

    fn bytes(self, field: u32, bytes: &[u8]) -> Self {
        let mut message = self
            .varint(u64::from(field << 3 | 2))
            .varint(bytes.len() as u64);
        message.0.extend_from_slice(bytes);
        message
    }

    fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

struct Log(Vec<u8>);

impl Log {
    /// A record, split at block boundaries.
    fn push(&mut self, mut record: &[u8]) {
        let mut is_first = true;
        loop {
            let left = BLOCK - self.0.len() % BLOCK;
            if left < PIECE_HEADER {
                self.0.resize(self.0.len() + left, 0);
                continue;
            }
            let (piece, rest) = record.split_at(record.len().min(left - PIECE_HEADER));
            // 1 whole, 2 first, 3 middle, 4 last.
            let kind = match (is_first, rest.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            self.0.extend(crc32(kind, piece).to_le_bytes());
            self.0.extend((piece.len() as u16).to_le_bytes());
            self.0.push(kind);
            self.0.extend_from_slice(piece);
            if rest.is_empty() {
                return;
            }
            (record, is_first) = (rest, false);
        }
    }
}

/// The CRC-32 of zlib, of a type and the bytes after it.
fn crc32(kind: u8, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(step(u32::MAX, &kind), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        // crc32(b"123456789") is the check value of the catalogue.
        assert_eq!(crc32(b'1', b"23456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_long_record_is_cut_at_the_ends_of_blocks() {
        let mut log = Log(FILE_HEADER.to_vec());
        let record: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        log.push(&record);
        log.push(b"end");
        let (mut at, mut found, mut kinds) = (FILE_HEADER.len(), Vec::new(), Vec::new());
        while at < log.0.len() {
            if BLOCK - at % BLOCK < PIECE_HEADER {
                at = at.next_multiple_of(BLOCK);
                continue;
            }
            let header = &log.0[at..at + PIECE_HEADER];
            let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
            let piece = &log.0[at + PIECE_HEADER..at + PIECE_HEADER + length];
            assert_eq!(header[..4], crc32(header[6], piece).to_le_bytes());
            assert!(at / BLOCK == (at + PIECE_HEADER + length - 1) / BLOCK);
            kinds.push(header[6]);
            found.extend_from_slice(piece);
            at += PIECE_HEADER + length;
        }
        assert_eq!(kinds, [2, 3, 3, 4, 1]);
        assert_eq!(found, [&record[..], b"end"].concat());
    }
}
