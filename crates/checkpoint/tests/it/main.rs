//! Checkpoints of every format compared with what PyTorch reads from them, and malicious files.

mod builders;
mod folders;
mod goldens;
mod hostile;
mod mutations;
