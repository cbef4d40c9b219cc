use crate::{Argument, Array, Gpu, GpuError, Numbers, Spans};

/// The widest head that the kernels hold.
pub const LARGEST_HEAD: usize = 128;

/// Self-attention of utterances; no utterance attends to another.
pub struct Attention<'a> {
    /// `[row, head × head dim]` in the operands' number type, not yet scaled.
    pub query: &'a Array,
    /// The rows of the queries of each utterance: its first frames.
    pub queries: &'a Spans,
    /// `[row, 2 × head × head dim]`: keys, then values.
    pub key_value: &'a Array,
    /// The rows of the frames of each utterance.
    pub frames: &'a Spans,
    /// Number of heads.
    pub heads: usize,
    /// Columns of `query`; each head has an equal share of them, at most [`LARGEST_HEAD`].
    pub dim: usize,
    /// What is added to the scaled scores.
    pub bias: AttentionBias<'a>,
}

/// What is added to the scaled scores of attention.
pub enum AttentionBias<'a> {
    /// Nothing.
    None,
    /// `gate[head, query row] · table[head, j − i + span / 2]`.
    Relative {
        /// `[head, span]`: one value per distance.
        table: &'a Array,
        /// An odd number of distances; larger distances use the last value.
        span: usize,
        /// `[head, query row]`.
        gate: &'a Array,
    },
    /// Embeddings of distances: `query[i] · table[d] / √(head dim) + offsets[d, head]`, where row `d` of the table is the one for the
    /// distance `j − i`; beyond its ends it is the first or the last.
    Distances {
        /// `[row, head × head dim]` in the operands' number type.
        table: &'a Array,
        /// The same for keys: `key[j] · keys[d] / √(head dim)` is added too.
        keys: Option<&'a Array>,
        /// `[row, head]`.
        offsets: Option<&'a Array>,
        /// The row of the distance 0.
        before: usize,
    },
    /// `−slopes[head] · |i − j|`, except for the first `tokens` rows of an utterance.
    Alibi {
        /// One per head.
        slopes: &'a Array,
        /// Leading rows without a bias.
        tokens: usize,
    },
}

impl Gpu {
    /// `softmax(q kᵀ / √(head dim) + bias) v`, laid out as the queries.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match, or the heads are wider than [`LARGEST_HEAD`] or odd.
    pub fn attention(&self, attention: &Attention<'_>) -> Result<Array, GpuError> {
        let &Attention {
            query,
            queries,
            key_value,
            frames,
            heads,
            dim,
            ref bias,
        } = attention;
        let head_dim = dim / heads.max(1);
        assert!(
            heads > 0
                && dim == heads * head_dim
                && head_dim.is_multiple_of(2)
                && (1..=LARGEST_HEAD).contains(&head_dim),
            "attention: {heads} heads of {dim} columns"
        );
        assert!(
            query.numbers() == self.operands() && key_value.numbers() == self.operands(),
            "attention: operands"
        );
        assert!(
            queries.end() * dim <= query.len() && frames.end() * 2 * dim <= key_value.len(),
            "attention: spans beyond the rows"
        );
        assert!(
            queries.all().len() == frames.all().len()
                && queries
                    .all()
                    .iter()
                    .zip(frames.all())
                    .all(|(asking, all)| asking.1 <= all.1),
            "attention: more queries than frames"
        );
        let rows = query.len() / dim;
        let out = self.room(self.operands(), rows * dim)?;
        let mut distances = [
            Argument::Address(0),
            Argument::Address(0),
            Argument::Address(0),
            Argument::Int(0),
            Argument::Int(0),
        ];
        let (kind, code, table, span, gate, slopes, tokens) = match bias {
            AttentionBias::None => ("plain", 0, 0, 0, 0, 0, 0),
            AttentionBias::Distances {
                table,
                keys,
                offsets,
                before,
            } => {
                let rows = table.len() / dim;
                assert!(
                    rows > 0
                        && [Some(*table), *keys].into_iter().flatten().all(|table| {
                            table.numbers() == self.operands() && table.len() == rows * dim
                        }),
                    "attention: tables of {rows} distances"
                );
                assert!(
                    offsets.is_none_or(|offsets| offsets.numbers() == Numbers::F32
                        && offsets.len() >= rows * heads),
                    "attention: offsets of {rows} distances"
                );
                distances = [
                    Argument::Address(table.address()),
                    Argument::Address(keys.map_or(0, Array::address)),
                    Argument::Address(offsets.map_or(0, Array::address)),
                    Argument::Int(*before as i32),
                    Argument::Int(rows as i32 - 1),
                ];
                ("distances", 3, 0, 0, 0, 0, 0)
            }
            AttentionBias::Relative { table, span, gate } => {
                assert!(
                    table.len() >= heads * span && span % 2 == 1,
                    "attention: a table of {span} distances"
                );
                assert!(
                    gate.len() == heads * rows,
                    "attention: a gate of {} numbers",
                    gate.len()
                );
                ("relative", 1, table.address(), *span, gate.address(), 0, 0)
            }
            AttentionBias::Alibi { slopes, tokens } => {
                assert!(slopes.len() >= heads, "attention: {} slopes", slopes.len());
                ("alibi", 2, 0, 0, 0, slopes.address(), *tokens)
            }
        };
        let mut arguments = vec![
            Argument::Address(query.address()),
            Argument::Address(key_value.address()),
            Argument::Address(out.address()),
            Argument::Address(queries.address(self)?),
            Argument::Address(frames.address(self)?),
            Argument::Int(heads as i32),
            Argument::Int(head_dim as i32),
            Argument::Float((1.0 / (head_dim as f64).sqrt()) as f32),
            Argument::Address(table),
            Argument::Int(span as i32),
            Argument::Address(gate),
            Argument::Int(rows as i32),
            Argument::Address(slopes),
            Argument::Int(tokens as i32),
        ];
        let tile = if head_dim <= 64 { 64 } else { 128 };
        let (kernel, block) = match self.operands() {
            Numbers::F32 => {
                arguments.push(Argument::Int(code));
                arguments.extend(distances);
                (format!("attend_{tile}_f32"), 32)
            }
            narrow => {
                if code == 3 {
                    arguments.extend(distances);
                }
                (format!("attend_{kind}_{tile}_{}", narrow.name()), 64)
            }
        };
        let grid = [
            queries.longest().div_ceil(block),
            heads,
            queries.all().len(),
        ];
        // SAFETY: spans, tables, gate, offsets and slopes were checked to lie inside their arrays.
        unsafe { self.run(&kernel, grid, 128, &arguments)? };
        Ok(out)
    }

    /// WavLM's gate, `[head, row]`, of `[row, head × head dim]`: `a (b · constant[head] − 1) + 2`, where `a` and `b` are the logistic
    /// function of the head's columns times a row of `weight` `[2, head dim]` plus `bias` `[2]`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn gate(
        &self,
        x: &Array,
        weight: &Array,
        bias: &Array,
        constant: &Array,
    ) -> Result<Array, GpuError> {
        let (heads, head_dim) = (constant.len(), weight.len() / 2);
        let wide = [weight, bias, constant]
            .iter()
            .all(|array| array.numbers() == Numbers::F32);
        assert!(
            wide && bias.len() == 2 && x.len().is_multiple_of(heads * head_dim),
            "gate: {heads} heads of {head_dim}"
        );
        let rows = x.len() / (heads * head_dim);
        let out = self.room(Numbers::F32, heads * rows)?;
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(weight.address()),
            Argument::Address(bias.address()),
            Argument::Address(constant.address()),
            Argument::Address(out.address()),
            Argument::Int(rows as i32),
            Argument::Int(heads as i32),
            Argument::Int(head_dim as i32),
        ];
        let kernel = format!("gate_{}", x.numbers().name());
        // SAFETY: a number of `out` for every row and head, weights as long as the kernel reads.
        unsafe {
            self.run(
                &kernel,
                [crate::gpu::blocks(rows * heads), 1, 1],
                crate::gpu::THREADS,
                &arguments,
            )?
        };
        Ok(out)
    }
}
