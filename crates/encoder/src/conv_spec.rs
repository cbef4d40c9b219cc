//! Reads `[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)]`, which fairseq evaluates as Python.

use crate::parts::ConvLayer;

/// Limit on the number of convolutions in a front end.
const MOST_LAYERS: usize = 32;
const LARGEST: usize = 8192;
/// Limit on kernels and strides; the windows' covariances grow with its square.
const WIDEST: usize = 64;

/// The convolutions of a front end in fairseq's notation, or `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Vec<ConvLayer>> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut layers = Vec::new();
    for term in text.split('+') {
        let (list, times) = match term.split_once('*') {
            Some((list, times)) => (
                list,
                times.parse::<usize>().ok().filter(|&n| n <= MOST_LAYERS)?,
            ),
            None => (term, 1),
        };
        let list = list.strip_prefix("[(")?.strip_suffix(")]")?;
        let mut group = Vec::new();
        for triple in list.split("),(") {
            let numbers: Option<Vec<usize>> = triple
                .split(',')
                .map(|n| n.parse().ok().filter(|n| (1..=LARGEST).contains(n)))
                .collect();
            let &[dim, kernel @ 1..=WIDEST, stride @ 1..=WIDEST] = numbers?.as_slice() else {
                return None;
            };
            group.push(ConvLayer {
                dim,
                kernel,
                stride,
            });
        }
        for _ in 0..times {
            layers.extend_from_slice(&group);
        }
        if layers.len() > MOST_LAYERS {
            return None;
        }
    }
    (!layers.is_empty()).then_some(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_triples_are_read() {
        let spec = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]";
        let layers = parse(spec).unwrap();
        assert_eq!(layers.len(), 7);
        assert_eq!(
            layers[0],
            ConvLayer {
                dim: 512,
                kernel: 10,
                stride: 5
            }
        );
        assert_eq!(
            layers[4],
            ConvLayer {
                dim: 512,
                kernel: 3,
                stride: 2
            }
        );
        assert_eq!(parse("[(4,3,2),(5,2,1)]*2").unwrap().len(), 4);
        for bad in [
            "",
            "[]",
            "[(1,2)]",
            "[(1,2,0)]",
            "__import__('os').system('x')",
            "[(1,2,3)]*99999999999",
            "[(1,1,1)]*32+[(1,1,1)]",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
