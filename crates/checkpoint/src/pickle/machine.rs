//! The instructions, as CPython's `Lib/pickletools.py` describes them, for protocols 0 to 5.

use super::calls::{self, CallOutcome};
use super::reader::{Reader, decode, long, unescape, unquote};
use super::value::{Arena, Id, Node, Record};
use super::{PickleError, classes};
use crate::limits;
use std::collections::HashMap;

/// A pickle as data.
pub(crate) struct Pickle<'a> {
    pub(crate) arena: Arena<'a>,
    pub(crate) root: Id,
    /// Bytes up to and including the final instruction.
    pub(crate) consumed: usize,
}

/// Reads the pickle at the beginning of `bytes`.
pub(crate) fn load(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    let mut machine = Machine {
        reader: Reader { bytes, at: 0 },
        arena: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let opcode = machine.reader.u8()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle {
                arena: machine.arena,
                root,
                consumed: machine.reader.at,
            });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    reader: Reader<'a>,
    arena: Arena<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            // Protocol and framing.
            0x80 => {
                let protocol = self.reader.u8()?;
                if protocol > 5 {
                    return Err(self
                        .reader
                        .malformed(format!("protocol {protocol}, the newest is 5")));
                }
            }
            0x95 => drop(self.reader.take(8)?),
            // The stack.
            b'(' => {
                within(
                    "the number of open containers in a pickle",
                    self.marks.len(),
                    limits::MARKS,
                )?;
                self.marks.push(self.stack.len());
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)?;
            }
            // The memo.
            b'p' => {
                let key = self.reader.decimal_line()?;
                self.put(key)?;
            }
            b'q' => {
                let key = self.reader.u8()?.into();
                self.put(key)?;
            }
            b'r' => {
                let key = self.reader.u32()?.into();
                self.put(key)?;
            }
            0x94 => self.put(self.memo.len() as u64)?,
            b'g' => {
                let key = self.reader.decimal_line()?;
                self.get(key)?;
            }
            b'h' => {
                let key = self.reader.u8()?.into();
                self.get(key)?;
            }
            b'j' => {
                let key = self.reader.u32()?.into();
                self.get(key)?;
            }
            b'N' | 0x88 | 0x89 | b'I' | b'J' | b'K' | b'M' | b'L' | 0x8a | 0x8b | b'F' | b'G' => {
                let node = self.scalar(opcode)?;
                self.push(node)?;
            }
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => {
                let node = self.string(opcode)?;
                self.push(node)?;
            }
            // Containers.
            b')' => self.push(Node::Tuple(Vec::new()))?,
            b']' | 0x8f => self.push(Node::List(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items))?;
            }
            0x85..=0x87 => {
                let mut items = Vec::with_capacity(3);
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Node::Tuple(items))?;
            }
            b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Node::Dict(pairs))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            _ => return self.step_object(opcode),
        }
        Ok(())
    }

    /// Instructions that would import or call.
    fn step_object(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'c' => {
                let class = self.class_lines()?;
                self.push_id(class)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.arena.text(module), self.arena.text(name))
                else {
                    return Err(self
                        .reader
                        .malformed("a class whose name is not a text".to_owned()));
                };
                let class = class_name(module, name)?;
                self.push(Node::Class(class))?;
            }
            b'i' => {
                let class = self.class_lines()?;
                let arguments = self.pop_to_mark()?;
                self.call(class, arguments)?;
            }
            b'o' => {
                let mut arguments = self.pop_to_mark()?;
                if arguments.is_empty() {
                    return Err(self
                        .reader
                        .malformed("an object without a class".to_owned()));
                }
                let class = arguments.remove(0);
                self.call(class, arguments)?;
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                self.call_with(class, arguments)?;
            }
            0x92 => {
                // Keyword arguments become the first state, since both name attributes.
                let (keywords, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.call_with(class, arguments)?;
                let object = self.top()?;
                if let Node::Record(record) = self.arena.get_mut(object) {
                    record.state = Some(keywords);
                }
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                match self.arena.get_mut(object) {
                    Node::Record(record) => record.state = Some(state),
                    // Attributes of a state dict or of a parameter (`_metadata`, hooks) are not kept.
                    Node::Dict(_) | Node::Tensor(_) => {}
                    _ => {
                        return Err(self
                            .reader
                            .malformed("a state for a plain value".to_owned()));
                    }
                }
            }
            b'P' => {
                let line = self.reader.line()?;
                let text = decode(line);
                let id = self.arena.add(Node::Text(text))?;
                self.persistent(id)?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            _ => {
                let detail = match opcode {
                    0x82..=0x84 => "a class by its number in a registry, which only the writer has",
                    0x97 | 0x98 => "a buffer outside the pickle, which is not in the file",
                    _ => "an unknown instruction",
                };
                return Err(self.reader.malformed(format!("{detail} ({opcode:#04x})")));
            }
        }
        Ok(())
    }

    fn scalar(&mut self, opcode: u8) -> Result<Node<'a>, PickleError> {
        Ok(match opcode {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'I' => match self.reader.line()? {
                b"00" => Node::Bool(false),
                b"01" => Node::Bool(true),
                digits => self.reader.decimal(digits)?,
            },
            b'L' => {
                let line = self.reader.line()?;
                self.reader
                    .decimal(line.strip_suffix(b"L").unwrap_or(line))?
            }
            b'J' => Node::Int(i64::from(self.reader.u32()? as i32)),
            b'K' => Node::Int(self.reader.u8()?.into()),
            b'M' => Node::Int(u16::from_le_bytes(self.reader.array()?).into()),
            0x8a => {
                let length = self.reader.u8()?.into();
                long(self.reader.take(length)?)
            }
            0x8b => {
                let length = self.reader.u32()? as usize;
                long(self.reader.take(length)?)
            }
            b'F' => {
                let line = self.reader.line()?;
                let value = std::str::from_utf8(line)
                    .ok()
                    .and_then(|text| text.trim().parse().ok());
                Node::Float(
                    value
                        .ok_or_else(|| self.reader.malformed("a float that is none".to_owned()))?,
                )
            }
            _ => Node::Float(f64::from_be_bytes(self.reader.array()?)),
        })
    }

    fn string(&mut self, opcode: u8) -> Result<Node<'a>, PickleError> {
        let length = match opcode {
            b'S' | b'V' => 0,
            b'U' | 0x8c | b'C' => self.reader.u8()?.into(),
            b'T' | b'X' | b'B' => self.reader.u32()?.into(),
            _ => u64::from_le_bytes(self.reader.array()?),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(match opcode {
            b'S' => {
                let line = self.reader.line()?;
                Node::Text(unquote(line).ok_or_else(|| {
                    self.reader
                        .malformed("a string without quotation marks".to_owned())
                })?)
            }
            b'V' => Node::Text(unescape(self.reader.line()?)),
            b'B' | b'C' | 0x8e | 0x96 => Node::Bytes(self.reader.take(length)?),
            // Python 2 strings are bytes; those in checkpoints are names.
            _ => Node::Text(decode(self.reader.take(length)?)),
        })
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        match self.arena.get_mut(target) {
            Node::List(list) => list.extend_from_slice(items),
            Node::Record(record) => record.items.extend_from_slice(items),
            _ => {
                return Err(self
                    .reader
                    .malformed("items for a value that is no list".to_owned()));
            }
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let pairs = self.pairs(items)?;
        let target = self.top()?;
        match self.arena.get_mut(target) {
            Node::Dict(dict) => dict.extend(pairs),
            Node::Record(record) => record.pairs.extend(pairs),
            _ => {
                return Err(self
                    .reader
                    .malformed("items for a value that is no dictionary".to_owned()));
            }
        }
        Ok(())
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.reader.malformed("a key without a value".to_owned()));
        }
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    fn call(&mut self, class: Id, arguments: Vec<Id>) -> Result<(), PickleError> {
        let arguments = self.arena.add(Node::Tuple(arguments))?;
        self.call_with(class, arguments)
    }

    fn call_with(&mut self, class: Id, arguments: Id) -> Result<(), PickleError> {
        if self.arena.class(class).is_none() {
            return Err(self
                .reader
                .malformed("a call of something that is no class".to_owned()));
        }
        if !matches!(self.arena.get(arguments), Node::Tuple(_)) {
            return Err(self
                .reader
                .malformed("a call with arguments that are no tuple".to_owned()));
        }
        match calls::outcome(&mut self.arena, class, arguments)? {
            CallOutcome::Value(node) => self.push(node),
            CallOutcome::Same(id) => self.push_id(id),
            CallOutcome::Record => self.push(Node::Record(Box::new(Record {
                class,
                arguments,
                state: None,
                items: Vec::new(),
                pairs: Vec::new(),
            }))),
            CallOutcome::Wrong(detail) => Err(self.reader.malformed(detail)),
        }
    }

    fn persistent(&mut self, id: Id) -> Result<(), PickleError> {
        let node =
            calls::persistent(&self.arena, id).map_err(|detail| self.reader.malformed(detail))?;
        self.push(node)
    }

    fn class_lines(&mut self) -> Result<Id, PickleError> {
        let (module, name) = (decode(self.reader.line()?), decode(self.reader.line()?));
        let class = class_name(&module, &name)?;
        self.arena.add(Node::Class(class))
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let id = self.arena.add(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), PickleError> {
        within(
            "the height of the stack of a pickle",
            self.stack.len(),
            limits::VALUES,
        )?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        self.top()?;
        self.stack.pop().ok_or_else(|| self.underflow())
    }

    fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(self.underflow()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.underflow())?;
        Ok(self.stack.split_off(mark))
    }

    fn put(&mut self, key: u64) -> Result<(), PickleError> {
        let top = self.top()?;
        within(
            "the number of values a pickle remembers",
            self.memo.len(),
            limits::VALUES,
        )?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn get(&mut self, key: u64) -> Result<(), PickleError> {
        let Some(&id) = self.memo.get(&key) else {
            return Err(self
                .reader
                .malformed(format!("value {key}, which was never stored")));
        };
        self.push_id(id)
    }

    fn underflow(&self) -> PickleError {
        self.reader
            .malformed("an instruction for more values than there are".to_owned())
    }
}

fn within(what: &'static str, count: usize, limit: usize) -> Result<(), PickleError> {
    if count < limit {
        Ok(())
    } else {
        Err(PickleError::Limit { what, limit })
    }
}

fn class_name(module: &str, name: &str) -> Result<Box<str>, PickleError> {
    let allowed = classes::allowed(module, name);
    // The message of a refusal is bounded too.
    let short = |text: &str| text.chars().take(120).collect::<String>();
    let class = format!("{}.{}", short(module), short(name));
    if allowed {
        Ok(class.into())
    } else {
        Err(PickleError::Refused { class })
    }
}
