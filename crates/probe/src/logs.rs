//! Training curves as files that other tools read: CSV, and TensorBoard's event format.
//!
//! An event file is a sequence of TFRecords (length, checksum of the length, bytes, checksum of the bytes), each a protocol
//! buffer `Event`; see tensorboard's `compat/proto/event.proto` and TensorFlow's `core/lib/io/record_writer.h`. Only the fields
//! for scalars are written here. `parity/probe/tensorboard_events.py` reads the files with the `tensorboard` package.

use crate::{EpochRecord, Point};

/// The curves as CSV, one line per epoch and point.
pub fn curves_csv(curves: &[crate::Curve]) -> String {
    let mut text = String::from("seed,learning_rate,hidden,epoch,train_loss,valid_loss,valid_ua\n");
    for curve in curves {
        let Point {
            seed,
            learning_rate,
            hidden,
        } = curve.point;
        for (epoch, record) in (1..).zip(&curve.epochs) {
            let EpochRecord { train_loss, valid } = record;
            text.push_str(&format!(
                "{seed},{learning_rate},{hidden},{epoch},{train_loss},{},{}\n",
                valid.loss, valid.ua
            ));
        }
    }
    text
}

/// One curve as a TensorBoard event file. Write it to a folder named after the run, with a name that contains `tfevents`;
/// `wall_time` is in seconds since 1970 and is only displayed.
pub fn tensorboard_events(curve: &crate::Curve, wall_time: f64) -> Vec<u8> {
    let mut file = Vec::new();
    let mut version = event(wall_time, 0);
    // Event.file_version = 3
    field_bytes(&mut version, 3, b"brain.Event:2");
    record(&mut file, &version);
    for (epoch, EpochRecord { train_loss, valid }) in (1u64..).zip(&curve.epochs) {
        let scalars = [
            ("loss/train", *train_loss),
            ("loss/valid", valid.loss),
            ("ua/valid", valid.ua),
        ];
        let mut summary = Vec::new();
        for (tag, number) in scalars {
            let mut value = Vec::new();
            // Summary.Value.tag = 1, simple_value = 2 (a float).
            field_bytes(&mut value, 1, tag.as_bytes());
            value.push(2 << 3 | FIXED_32);
            value.extend_from_slice(&(number as f32).to_le_bytes());
            // Summary.value = 1
            field_bytes(&mut summary, 1, &value);
        }
        let mut event = event(wall_time, epoch);
        // Event.summary = 5
        field_bytes(&mut event, 5, &summary);
        record(&mut file, &event);
    }
    file
}

// Wire types of protocol buffers.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
const FIXED_32: u8 = 5;

/// `Event.wall_time = 1` (a double) and `Event.step = 2`.
fn event(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED_64];
    event.extend_from_slice(&wall_time.to_le_bytes());
    event.push(2 << 3 | VARINT);
    varint(&mut event, step);
    event
}

fn field_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | BYTES);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn record(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = (bytes.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(&masked_crc(bytes).to_le_bytes());
}

/// TFRecord's checksum: CRC-32C, rotated and offset so that a checksum of checksums stays useful.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), bit by bit: event files are small.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Curve, ValidRecord};

    fn curve() -> Curve {
        let record = |n: f64| EpochRecord {
            train_loss: 2.0 / n,
            valid: ValidRecord {
                loss: 2.5 / n,
                ua: 0.1 * n,
            },
        };
        Curve {
            point: Point {
                seed: 1,
                learning_rate: 1e-3,
                hidden: 128,
            },
            epochs: [1.0, 2.0, 4.0].map(record).to_vec(),
        }
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4: 32 bytes of zeros, and the standard check value.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn records_are_framed() {
        let file = tensorboard_events(&curve(), 1e9);
        let (mut at, mut records) = (0, 0);
        while at < file.len() {
            let length = u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
            let body = &file[at + 12..at + 12 + length];
            let crc = file[at + 12 + length..at + 16 + length].try_into().unwrap();
            assert_eq!(masked_crc(body), u32::from_le_bytes(crc));
            at += 16 + length;
            records += 1;
        }
        assert_eq!(records, 4);
    }

    #[test]
    fn an_event_file_is_left_for_the_tensorboard_package() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/tensorboard");
        let path = folder.join("events.out.tfevents.1");
        let file = tensorboard_events(&curve(), 1e9);
        emobox_files::write_atomic(&path, &file).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), file);
    }

    #[test]
    fn csv_has_a_line_an_epoch() {
        let text = curves_csv(&[curve()]);
        assert_eq!(text.lines().count(), 4);
        assert_eq!(text.lines().nth(2), Some("1,0.001,128,2,1,1.25,0.2"));
    }
}
