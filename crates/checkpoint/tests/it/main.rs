//! Checkpoints of every format against what PyTorch reads from them, and files made to do harm.

mod builders;
mod folders;
mod goldens;
mod hostile;
mod mutations;
