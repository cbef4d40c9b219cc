//! A trained probe as an ONNX model, for other runtimes.
//!
//! The model takes the encoder's output and does all that [`Probe::predict_hidden`] does: normalisation, rounding, the sum of
//! layers, the head. The few protocol-buffer messages are encoded by hand:
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>, opset 17.

use crate::Target;
use crate::heads::{self, VARIANCE_FLOOR};
use crate::{Probe, ProbeError};
use emobox_features::{EPSILON, FeatureNormalisation, StorePrecision};

/// The operator set version; every runtime since 2022 has all of it.
const OPSET: u64 = 17;
/// The matching version of the file format.
const IR_VERSION: u64 = 8;

/// A protocol-buffer message: numbered fields, each a varint (type 0) or length-prefixed bytes (type 2).
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// An integer attribute: one value, or a list.
fn attribute(name: &str, values: &[i64], is_list: bool) -> Message {
    let mut made = Message::default().text(1, name);
    // Negative varints are two's complement.
    for &value in values {
        made = made.number(if is_list { 8 } else { 3 }, value as u64);
    }
    made.number(20, if is_list { 7 } else { 2 })
}

/// A tensor of f32 (`elements` of 4 bytes) or i64.
fn tensor(name: &str, shape: &[usize], kind: u64, bytes: &[u8]) -> Message {
    let mut made = Message::default();
    for &dim in shape {
        made = made.number(1, dim as u64);
    }
    made.number(2, kind).text(8, name).bytes(9, bytes)
}

/// An input or output of f32; each dimension is a number, or a name if it varies.
fn value(name: &str, shape: &[Result<usize, &str>]) -> Message {
    let shape = shape.iter().fold(Message::default(), |shape, dim| {
        let dim = match dim {
            Ok(size) => Message::default().number(1, *size as u64),
            Err(name) => Message::default().text(2, name),
        };
        shape.message(1, &dim)
    });
    let of_type = Message::default().number(1, 1).message(2, &shape);
    Message::default()
        .text(1, name)
        .message(2, &Message::default().message(1, &of_type))
}

/// The nodes and constants of a model; every node's output has its own name.
#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    has_first_axis: bool,
    names: usize,
}

impl Graph {
    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Message]) -> String {
        self.names += 1;
        let name = format!("{}_{}", operator.to_lowercase(), self.names);
        self.named(operator, inputs, attributes, &name);
        name
    }

    fn named(&mut self, operator: &str, inputs: &[&str], attributes: &[Message], output: &str) {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        node = node.text(2, output).text(3, output).text(4, operator);
        for one in attributes {
            node = node.message(5, one);
        }
        self.nodes.push(node);
    }

    fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constants.push(tensor(name, shape, 1, &bytes));
        name.to_owned()
    }

    /// The mean over some axes, which are kept with size 1.
    fn mean(&mut self, x: &str, axes: &[i64]) -> String {
        let axes = attribute("axes", axes, true);
        self.node(
            "ReduceMean",
            &[x],
            &[axes, attribute("keepdims", &[1], false)],
        )
    }

    /// The sum over the first axis, which is kept with size 1.
    fn sum_over_first(&mut self, x: &str) -> String {
        if !self.has_first_axis {
            self.has_first_axis = true;
            let first = tensor("first_axis", &[1], 7, &0i64.to_le_bytes());
            self.constants.push(first);
        }
        self.node(
            "ReduceSum",
            &[x, "first_axis"],
            &[attribute("keepdims", &[1], false)],
        )
    }

    /// `x` minus its mean over some axes, and the square root of its variance plus `floor`.
    fn centred(&mut self, x: &str, axes: &[i64], floor: &str) -> (String, String) {
        let mean = self.mean(x, axes);
        let centred = self.node("Sub", &[x, &mean], &[]);
        let squares = self.node("Mul", &[&centred, &centred], &[]);
        let variance = self.mean(&squares, axes);
        let above = self.node("Add", &[&variance, floor], &[]);
        (centred, self.node("Sqrt", &[&above], &[]))
    }

    /// `x · weightᵀ + bias`.
    fn linear(&mut self, x: &str, weight: &str, bias: &str) -> String {
        self.node(
            "Gemm",
            &[x, weight, bias],
            &[attribute("transB", &[1], false)],
        )
    }
}

impl Probe {
    /// The probe as an ONNX model. Its input `states` is the encoder's output, `[frame, dim]` of f32, or `[layer, frame, dim]`
    /// of the probe's layers in their order if it reads several; its output `log_probabilities` is `[1, class]`. The classes,
    /// the encoder, its layers and the sampling rate are in the model's metadata.
    ///
    /// # Errors
    /// A head that this version does not know.
    pub fn to_onnx(&self) -> Result<Vec<u8>, ProbeError> {
        let protocol = &self.description().protocol;
        if protocol.target == Target::Dimensions {
            return Err(ProbeError::Protocol {
                protocol: protocol.name.clone(),
                problem: "the ONNX file is of classes, this probe tells dimensions".to_owned(),
            });
        }
        let description = self.description();
        let features = &description.features;
        let layers = features.layers.len();
        let (dim, classes) = (features.dim, description.classes.len());
        let mut graph = Graph::default();
        for (part, values) in self.tensors()? {
            graph.constant(part.name, &part.shape, values);
        }
        let mut x = "states".to_owned();
        // Each layer separately.
        let axes: &[i64] = match features.normalisation {
            FeatureNormalisation::Utterance => &[-2, -1],
            _ => &[-1],
        };
        if features.normalisation != FeatureNormalisation::None {
            let floor = graph.constant("epsilon", &[1], &[EPSILON as f32]);
            let (centred, deviation) = graph.centred(&x, axes, &floor);
            x = graph.node("Div", &[&centred, &deviation], &[]);
        }
        if features.precision == StorePrecision::F16 {
            let half = graph.node("Cast", &[&x], &[attribute("to", &[10], false)]);
            x = graph.node("Cast", &[&half], &[attribute("to", &[1], false)]);
        }
        if layers > 1 {
            let shares = graph.node(
                "Softmax",
                &["layers.weight"],
                &[attribute("axis", &[0], false)],
            );
            let shape: Vec<u8> = [layers as i64, 1, 1]
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect();
            graph
                .constants
                .push(tensor("layers.shape", &[3], 7, &shape));
            let shares = graph.node("Reshape", &[&shares, "layers.shape"], &[]);
            let weighted = graph.node("Mul", &[&x, &shares], &[]);
            let sum = graph.sum_over_first(&weighted);
            let shape: Vec<u8> = [-1, dim as i64]
                .iter()
                .flat_map(|n: &i64| n.to_le_bytes())
                .collect();
            graph
                .constants
                .push(tensor("frames.shape", &[2], 7, &shape));
            x = graph.node("Reshape", &[&sum, "frames.shape"], &[]);
        }
        let head = heads::find(&description.protocol.head)?;
        if head.has_hidden {
            let hidden = graph.linear(&x, "hidden.weight", "hidden.bias");
            x = graph.node("Relu", &[&hidden], &[]);
        }
        let pooled = match head.name {
            "linear-relu-statistics-linear" => {
                let floor = graph.constant("variance_floor", &[1], &[VARIANCE_FLOOR]);
                let mean = graph.mean(&x, &[0]);
                let (_, deviation) = graph.centred(&x, &[0], &floor);
                graph.node(
                    "Concat",
                    &[&mean, &deviation],
                    &[attribute("axis", &[1], false)],
                )
            }
            "linear-relu-attention-linear" => attended(&mut graph, &x),
            _ => graph.mean(&x, &[0]),
        };
        let logits = graph.linear(&pooled, "output.weight", "output.bias");
        let last = [attribute("axis", &[1], false)];
        graph.named("LogSoftmax", &[&logits], &last, "log_probabilities");

        let mut model = Message::default();
        for node in &graph.nodes {
            model = model.message(1, node);
        }
        model = model.text(2, "emobox probe");
        for constant in &graph.constants {
            model = model.message(5, constant);
        }
        let states = match layers {
            1 => value("states", &[Err("frame"), Ok(dim)]),
            _ => value("states", &[Ok(layers), Err("frame"), Ok(dim)]),
        };
        model = model
            .message(11, &states)
            .message(12, &value("log_probabilities", &[Ok(1), Ok(classes)]));
        let opset = Message::default().text(1, "").number(2, OPSET);
        let mut file = Message::default()
            .number(1, IR_VERSION)
            .text(2, "emobox")
            .text(3, &description.program_version)
            .message(7, &model)
            .message(8, &opset);
        let listed = |values: &[usize]| {
            let words: Vec<String> = values.iter().map(usize::to_string).collect();
            words.join(",")
        };
        for (key, value) in [
            (
                "classes",
                serde_json::json!(description.classes).to_string(),
            ),
            ("encoder", features.encoder.clone()),
            ("encoder_weights_sha256", features.weights_digest.clone()),
            ("layers", listed(&features.layers)),
            ("sample_rate", "16000".to_owned()),
            ("corpus", description.corpus.clone()),
        ] {
            let entry = Message::default().text(1, key).text(2, &value);
            file = file.message(14, &entry);
        }
        Ok(file.0)
    }
}

/// Attentive statistics: frame weights from a small network, then the weighted mean and standard deviation.
fn attended(graph: &mut Graph, x: &str) -> String {
    let scored = graph.linear(x, "attention.weight", "attention.bias");
    let scored = graph.node("Tanh", &[&scored], &[]);
    // As a column vector.
    let shape: Vec<u8> = [-1i64, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    graph.constants.push(tensor("column", &[2], 7, &shape));
    let vector = graph.node("Reshape", &["attention.vector", "column"], &[]);
    let scores = graph.node("MatMul", &[&scored, &vector], &[]);
    let alpha = graph.node("Softmax", &[&scores], &[attribute("axis", &[0], false)]);
    let weighted = graph.node("Mul", &[x, &alpha], &[]);
    let mean = graph.sum_over_first(&weighted);
    let centred = graph.node("Sub", &[x, &mean], &[]);
    let squares = graph.node("Mul", &[&centred, &centred], &[]);
    let weighted = graph.node("Mul", &[&squares, &alpha], &[]);
    let variance = graph.sum_over_first(&weighted);
    let floor = graph.constant("variance_floor", &[1], &[VARIANCE_FLOOR]);
    let above = graph.node("Add", &[&variance, &floor], &[]);
    let deviation = graph.node("Sqrt", &[&above], &[]);
    graph.node(
        "Concat",
        &[&mean, &deviation],
        &[attribute("axis", &[1], false)],
    )
}
