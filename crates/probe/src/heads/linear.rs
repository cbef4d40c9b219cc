//! A linear probe on the mean over frames.

use super::mean::Mean;
use super::{Head, Pooling};

pub(super) const HEAD: Head = Head {
    name: "mean-linear",
    summary: "mean over frames, linear: logistic regression on pooled features",
    has_hidden: false,
    learning_rates: [1e-1, 1e-2],
    pooling: || Box::new(Mean) as Box<dyn Pooling>,
    fused: None,
    on_card: emobox_gpu::Pooling::Features,
};
