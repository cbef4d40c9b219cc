//! Every kernel on every path of the machine against double precision.

mod attention;
mod elementwise;
mod products;
mod support;
