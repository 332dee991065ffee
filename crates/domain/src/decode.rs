//! Reading chunks back into an object, by the schema alone. What the schema does not know is refused.

use prost::bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use serde_json::{Map, Value};

use crate::refusal::{Code, Refusal};
use crate::schema::{ITEMS, Shape, Slot};

/// Merges one encoding into an object, as protobuf merges messages. List elements are counted off `items_left`.
pub(crate) fn merge(
    mut bytes: &[u8],
    shape: &Shape,
    members: &mut Map<String, Value>,
    items_left: &mut usize,
) -> Result<(), Refusal> {
    while let Some((number, field)) = next_field(&mut bytes)? {
        let Some(member) = shape.numbered(number) else {
            return Err(Refusal::new(Code::UnknownField, "", format!("field {number} is not of this kind")));
        };
        let name = member.name.as_str();
        match (&member.slot, field) {
            (Slot::Object(inner), Field::Bytes(bytes)) => {
                let slot = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
                let Value::Object(object) = slot else { return Err(malformed()) };
                merge(bytes, inner, object, items_left)?;
            }
            (slot @ (Slot::Texts(_) | Slot::Objects(_)), Field::Bytes(bytes)) => {
                let list = members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(items) = list else { return Err(malformed()) };
                merge_list(bytes, slot, items, items_left)?;
            }
            (slot, field) => {
                members.insert(name.to_owned(), scalar(slot, field)?);
            }
        }
    }
    Ok(())
}

/// The next field of a message of length-delimited and varint fields.
pub(crate) fn next_field<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u32, Field<'a>)>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (number, wire) = decode_key(bytes).map_err(|_| malformed())?;
    let field = match wire {
        WireType::Varint => Field::Varint(decode_varint(bytes).map_err(|_| malformed())?),
        WireType::LengthDelimited => {
            let length = decode_varint(bytes).ok().and_then(|length| usize::try_from(length).ok());
            let (inner, rest) = length.and_then(|length| bytes.split_at_checked(length)).ok_or_else(malformed)?;
            bytes.advance(bytes.len() - rest.len());
            Field::Bytes(inner)
        }
        _ => return Err(malformed()),
    };
    Ok(Some((number, field)))
}

/// One field on the wire.
pub(crate) enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

fn too_many() -> Refusal {
    Refusal::new(Code::TooLarge, "", "the lists of the content have more elements than a notice may have")
}

/// The bytes are no encoding of the schema.
pub(crate) fn malformed() -> Refusal {
    Refusal::new(Code::BadValue, "", "the content is not an encoding of this kind")
}

fn merge_list(mut bytes: &[u8], slot: &Slot, items: &mut Vec<Value>, items_left: &mut usize) -> Result<(), Refusal> {
    while let Some((number, field)) = next_field(&mut bytes)? {
        // Two bytes on the wire become an element in memory: their number is limited, not their bytes.
        *items_left = items_left.checked_sub(1).ok_or_else(too_many)?;
        let item = match (slot, field) {
            (Slot::Objects(shape), Field::Bytes(bytes)) if number == ITEMS => {
                let mut element = Map::new();
                merge(bytes, shape, &mut element, items_left)?;
                Value::Object(element)
            }
            (Slot::Texts(class), field) if number == ITEMS => scalar(&Slot::Text(*class), field)?,
            _ => return Err(malformed()),
        };
        items.push(item);
    }
    Ok(())
}

fn scalar(slot: &Slot, field: Field<'_>) -> Result<Value, Refusal> {
    match (slot, field) {
        (Slot::Text(_), Field::Bytes(bytes)) => std::str::from_utf8(bytes)
            .map(Value::from)
            .map_err(|_| Refusal::new(Code::BadValue, "", "a text is not UTF-8")),
        (Slot::Int, Field::Varint(value)) => Ok(value.cast_signed().into()),
        // Any other number would not re-encode to itself.
        (Slot::Bool, Field::Varint(value @ (0 | 1))) => Ok(Value::Bool(value == 1)),
        _ => Err(malformed()),
    }
}
