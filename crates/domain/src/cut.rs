//! Cutting a notice into chunks: one per leaf, one per element of a list, one for a list or an object without members.
//!
//! # Layout
//! A chunk is the part of the `Notice` message that holds one leaf, wrapped in its parents. Its path has the field number of
//! every level (a list's wrapper has none of its own) and, directly after a list, the element's index. Chunks come in the
//! order of the schema; their concatenation is the encoding of the whole, since protobuf merges messages on concatenation.

use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Map, Value};
use verbale_proto::v1::Chunk;

use crate::CHUNKS_MAX;
use crate::schema::{ITEMS, Shape, Slot};

/// Cuts an object that stands under `number` in `Notice`. What would be more than one chunk over the limit is left out: it
/// is refused, and need not cost memory before.
pub(crate) fn cut(number: u32, members: &Map<String, Value>, shape: &Shape, chunks: &mut Vec<Chunk>) {
    Cutter { path: vec![number], parents: vec![number], chunks }.object(members, shape);
}

struct Cutter<'a> {
    path: Vec<u32>,
    /// Field numbers to wrap a leaf in, outermost first.
    parents: Vec<u32>,
    chunks: &'a mut Vec<Chunk>,
}

impl Cutter<'_> {
    fn object(&mut self, members: &Map<String, Value>, shape: &Shape) {
        if members.is_empty() {
            self.emit(&[]);
            return;
        }
        for member in &shape.members {
            let Some(value) = members.get(&member.name) else { continue };
            self.path.push(member.number);
            match (&member.slot, value) {
                (Slot::Object(shape), Value::Object(members)) => {
                    self.parents.push(member.number);
                    self.object(members, shape);
                    self.parents.pop();
                }
                (Slot::Texts(_) | Slot::Objects(_), Value::Array(items)) => {
                    self.parents.push(member.number);
                    self.list(items, &member.slot);
                    self.parents.pop();
                }
                _ => self.emit(&scalar(member.number, value)),
            }
            self.path.pop();
        }
    }

    fn list(&mut self, items: &[Value], slot: &Slot) {
        if items.is_empty() {
            self.emit(&[]);
        }
        for (index, item) in (0..).zip(items) {
            if self.chunks.len() > CHUNKS_MAX {
                return;
            }
            self.path.push(index);
            let bytes = match (slot, item) {
                (Slot::Objects(shape), Value::Object(members)) => wrap(ITEMS, &encode(members, shape)),
                _ => scalar(ITEMS, item),
            };
            self.emit(&bytes);
            self.path.pop();
        }
    }

    fn emit(&mut self, leaf: &[u8]) {
        let bytes = self.parents.iter().rev().fold(leaf.to_vec(), |inner, number| wrap(*number, &inner));
        self.chunks.push(Chunk { path: self.path.clone(), bytes });
    }
}

/// The encoding of an object as protobuf, in the order of its schema.
fn encode(members: &Map<String, Value>, shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in &shape.members {
        let Some(value) = members.get(&member.name) else { continue };
        match (&member.slot, value) {
            (Slot::Object(shape), Value::Object(members)) => {
                bytes.extend(wrap(member.number, &encode(members, shape)));
            }
            (Slot::Texts(_), Value::Array(items)) => {
                let inner: Vec<u8> = items.iter().flat_map(|item| scalar(ITEMS, item)).collect();
                bytes.extend(wrap(member.number, &inner));
            }
            (Slot::Objects(shape), Value::Array(items)) => {
                let elements = items.iter().filter_map(Value::as_object);
                let inner: Vec<u8> = elements.flat_map(|item| wrap(ITEMS, &encode(item, shape))).collect();
                bytes.extend(wrap(member.number, &inner));
            }
            _ => bytes.extend(scalar(member.number, value)),
        }
    }
    bytes
}

fn scalar(number: u32, value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => wrap(number, text.as_bytes()),
        // Two's complement in 64 bits is protobuf's form of a negative int64.
        Value::Number(whole) => varint(number, whole.as_i64().unwrap_or_default().cast_unsigned()),
        other => varint(number, u64::from(other.as_bool().unwrap_or_default())),
    }
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8);
    encode_key(number, WireType::Varint, &mut bytes);
    encode_varint(value, &mut bytes);
    bytes
}

fn wrap(number: u32, inner: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inner.len() + 8);
    encode_key(number, WireType::LengthDelimited, &mut bytes);
    encode_varint(inner.len() as u64, &mut bytes);
    bytes.extend_from_slice(inner);
    bytes
}
