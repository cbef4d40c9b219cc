//! The safetensors header, read here rather than by the crate so that every refusal names its tensor:
//! eight bytes of length, a JSON object from name to type, shape and byte range, then the data.

use super::tensor::{Dtype, Tensor};
use super::{CheckpointError, limits};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::path::Path;

const FORMAT: &str = "safetensors";

/// Whether the bytes begin like a safetensors file: a plausible length and the start of an object.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| length < 1 << 40) && bytes.get(8) == Some(&b'{')
}

/// Names and positions of all tensors in a file. Takes one pass over the header; reads no data.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    file: usize,
) -> Result<Vec<(String, Tensor)>, CheckpointError> {
    let length = header_length(bytes).ok_or_else(|| CheckpointError::Truncated {
        path: path.to_owned(),
        what: "the header length".to_owned(),
        expected: 8,
        found: bytes.len() as u64,
    })?;
    if length > limits::HEADER_BYTES as u64 {
        return Err(limit(
            path,
            "the header size in bytes",
            limits::HEADER_BYTES,
            length,
        ));
    }
    let length = length as usize;
    let header = bytes[8..]
        .get(..length)
        .ok_or_else(|| CheckpointError::Truncated {
            path: path.to_owned(),
            what: "the header".to_owned(),
            expected: length as u64,
            found: bytes.len() as u64 - 8,
        })?;
    let Header(records) =
        serde_json::from_slice(header).map_err(|e| malformed(path, e.to_string()))?;
    if records.len() > limits::TENSORS {
        return Err(limit(
            path,
            "the number of tensors",
            limits::TENSORS,
            records.len() as u64,
        ));
    }
    let data = 8 + length;
    let mut ranges = Vec::with_capacity(records.len());
    let mut tensors = Vec::with_capacity(records.len());
    for (name, record) in records {
        let (begin, end) = record.data_offsets;
        let tensor = place(path, bytes.len(), data, file, &name, record)?;
        if begin < end {
            ranges.push((begin, end, tensors.len()));
        }
        tensors.push((name, tensor));
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        let ((_, end, first), (begin, _, second)) = (pair[0], pair[1]);
        if begin < end {
            return Err(CheckpointError::Overlap {
                path: path.to_owned(),
                first: tensors[first].0.clone(),
                second: tensors[second].0.clone(),
            });
        }
    }
    Ok(tensors)
}

fn header_length(bytes: &[u8]) -> Option<u64> {
    bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length))
}

fn place(
    path: &Path,
    file_length: usize,
    data: usize,
    file: usize,
    name: &str,
    record: Record,
) -> Result<Tensor, CheckpointError> {
    let Record {
        dtype,
        shape,
        data_offsets: (begin, end),
    } = record;
    if shape.len() > limits::DIMENSIONS {
        let what = format!("the number of dimensions of tensor {name:?}");
        return Err(limit(path, &what, limits::DIMENSIONS, shape.len() as u64));
    }
    if end < begin {
        let detail = format!("tensor {name:?} ends at byte {end}, before its begin {begin}");
        return Err(malformed(path, detail));
    }
    if end > (file_length - data) as u64 {
        return Err(CheckpointError::Truncated {
            path: path.to_owned(),
            what: format!("the data up to the end of tensor {name:?}"),
            expected: end,
            found: (file_length - data) as u64,
        });
    }
    let claimed = end - begin;
    let elements = shape
        .iter()
        .try_fold(1u64, |product, &dim| product.checked_mul(dim))
        .filter(|&elements| elements <= claimed.saturating_mul(8));
    let dtype = parse_dtype(&dtype, elements, claimed);
    let fits = elements.is_some_and(|elements| match dtype {
        // The width of an unsupported type is unknown; some are narrower than a byte.
        Dtype::Other { .. } => true,
        _ => elements.checked_mul(dtype.size() as u64) == Some(claimed),
    });
    if !fits {
        let detail = format!(
            "tensor {name:?} of shape {shape:?} and type {dtype} does not fit its {claimed} bytes"
        );
        return Err(malformed(path, detail));
    }
    Ok(Tensor {
        file,
        dtype,
        shape: shape.iter().map(|&dim| dim as usize).collect(),
        start: data + begin as usize,
        strides: None,
        big_endian: false,
    })
}

fn parse_dtype(name: &str, elements: Option<u64>, bytes: u64) -> Dtype {
    match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        _ => Dtype::Other {
            name: name.to_owned(),
            size: bytes.checked_div(elements.unwrap_or(0)).unwrap_or(0) as usize,
        },
    }
}

fn malformed(path: &Path, detail: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        detail,
    }
}

fn limit(path: &Path, what: &str, limit: usize, found: u64) -> CheckpointError {
    CheckpointError::Limit {
        path: path.to_owned(),
        what: what.to_owned(),
        limit: limit as u64,
        found,
    }
}

#[derive(Deserialize)]
struct Record {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The records in the order of the file, without `__metadata__`; a repeated name is refused.
struct Header(Vec<(String, Record)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;
        impl<'de> Visitor<'de> for Records {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from tensor names to dtype, shape and data_offsets")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut records: Vec<(String, Record)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format!("{name:?} stands twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        records.push((name, map.next_value()?));
                    }
                }
                Ok(Header(records))
            }
        }
        deserializer.deserialize_map(Records)
    }
}
