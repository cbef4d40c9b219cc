use super::PickleError;
use crate::{limits, tensor::Dtype};
use std::borrow::Cow;

/// The position of a value in its [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(u32);

/// A value that a pickle describes.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits: little-endian two's complement.
    Long(Cow<'a, [u8]>),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    Tuple(Vec<Id>),
    /// A list, a set or a frozen set.
    List(Vec<Id>),
    /// A dictionary, ordered or not, in the order of insertion.
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function, `module.name`.
    Class(Box<str>),
    Record(Box<Record>),
    Storage(Box<Storage>),
    Tensor(Box<StoredTensor>),
}

/// The object that a class call would have created: its name and all arguments.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) class: Id,
    /// The arguments, a tuple.
    pub(crate) arguments: Id,
    /// What `__setstate__` or the instance dictionary would have received.
    pub(crate) state: Option<Id>,
    /// Items appended, for subclasses of lists and sets.
    pub(crate) items: Vec<Id>,
    /// Items set, for subclasses of dictionaries.
    pub(crate) pairs: Vec<(Id, Id)>,
}

/// A run of elements in another part of the file.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    /// `None` for untyped bytes.
    pub(crate) dtype: Option<Dtype>,
    /// The name of the bytes in the file: a text.
    pub(crate) key: Id,
    /// Elements (bytes when untyped).
    pub(crate) elements: u64,
    /// First element, for the storage views of very old files.
    pub(crate) first: u64,
}

/// A view of a storage.
#[derive(Debug)]
pub(crate) enum StoredTensor {
    Strided {
        storage: Id,
        /// Given only if the storage is untyped.
        dtype: Option<Dtype>,
        /// In elements, like the strides.
        offset: u64,
        shape: Vec<u64>,
        strides: Vec<u64>,
    },
    /// A sparse, quantised or otherwise special tensor: the function that would rebuild it.
    Unreadable { function: String },
}

/// All values of a pickle, limited in number.
#[derive(Debug, Default)]
pub(crate) struct Arena<'a> {
    nodes: Vec<Node<'a>>,
    copied: usize,
    tensors: usize,
}

impl<'a> Arena<'a> {
    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id, PickleError> {
        if self.nodes.len() >= limits::VALUES {
            return Err(PickleError::Limit {
                what: "the number of values in a pickle",
                limit: limits::VALUES,
            });
        }
        self.nodes.push(node);
        Ok(Id((self.nodes.len() - 1) as u32))
    }

    /// Counts values that an instruction copies, which the length of the pickle does not bound.
    pub(super) fn charge(&mut self, values: usize) -> Result<(), PickleError> {
        self.copied = self.copied.saturating_add(values);
        if self.copied > limits::VALUES {
            return Err(PickleError::Limit {
                what: "the number of values copied by a pickle",
                limit: limits::VALUES,
            });
        }
        Ok(())
    }

    /// Counts a tensor, which is larger than other values.
    pub(super) fn count_tensor(&mut self) -> Result<(), PickleError> {
        self.tensors += 1;
        if self.tensors > limits::TENSORS {
            return Err(PickleError::Limit {
                what: "the number of tensors in a pickle",
                limit: limits::TENSORS,
            });
        }
        Ok(())
    }

    /// All storages that the pickle names.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage.as_ref()),
            _ => None,
        })
    }

    pub(crate) fn get(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.nodes[id.0 as usize]
    }

    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn class(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Class(name) => Some(name),
            _ => None,
        }
    }

    /// The items of a tuple or list.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a dictionary, or of a record that acts as one (`defaultdict`).
    pub(crate) fn pairs(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Node::Dict(pairs) => Some(pairs),
            Node::Record(record) if !record.pairs.is_empty() => Some(&record.pairs),
            _ => None,
        }
    }

    /// The value under a text key of a dictionary.
    pub(crate) fn value(&self, id: Id, key: &str) -> Option<Id> {
        let pairs = self.pairs(id)?;
        // Python keeps the last of equal keys.
        let found = pairs.iter().rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|(_, value)| *value)
    }

    pub(crate) fn unsigned(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Node::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }
}
