//! The shape of every kind, read from the schema in `proto/`, where field, number and form rule stand on one line.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use verbale_proto::v1::Text;

/// Field number of the header in `Notice`.
pub(crate) const HEADER: u32 = 1;

/// Field number of the elements in a list's wrapper.
pub(crate) const ITEMS: u32 = 1;

/// What the content of `restricted` has as field number, counted from its body's.
const RESTRICTED_OFFSET: u32 = 1000;

/// Where presentations of a third side's information stand.
pub(crate) const ONWARD: u32 = 2001;

/// The members of an object, in the order of their field numbers.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) members: Vec<Member>,
}

/// One member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) required: bool,
    pub(crate) slot: Slot,
}

/// What a member holds.
#[derive(Debug)]
pub(crate) enum Slot {
    Text(Text),
    Int,
    Bool,
    Object(Arc<Shape>),
    Texts(Text),
    Objects(Arc<Shape>),
}

/// A flow: the kind it carries and where its body stands in `Notice`.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) number: u32,
    pub(crate) body: Arc<Shape>,
    /// Field number and shape of the content of `restricted`, where the kind has any.
    pub(crate) restricted: Option<(u32, Arc<Shape>)>,
}

/// The header and all flows.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) header: Arc<Shape>,
    pub(crate) onward: Arc<Shape>,
    pub(crate) flows: BTreeMap<String, Flow>,
}

impl Shape {
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    pub(crate) fn numbered(&self, number: u32) -> Option<&Member> {
        self.members.iter().find(|member| member.number == number)
    }

    /// Whether a dotted path names a member; none reaches inside a list element.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (self.member(first).map(|member| &member.slot), rest) {
            (Some(_), None) => true,
            (Some(Slot::Object(shape)), Some(rest)) => shape.has_path(rest),
            _ => false,
        }
    }
}

impl Schema {
    /// The schema that is built into the program.
    pub(crate) fn get() -> &'static Self {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
            #[expect(
                clippy::expect_used,
                reason = "the schema is a constant of the program; the tests of this crate read it"
            )]
            Schema::load(verbale_proto::SCHEMA).expect("the built-in schema is sound")
        });
        &SCHEMA
    }

    /// The flow whose body or restricted content has this field number in `Notice`.
    pub(crate) fn flow_numbered(&self, number: u32) -> Option<&Flow> {
        let body = if number > RESTRICTED_OFFSET { number - RESTRICTED_OFFSET } else { number };
        self.flows.values().find(|flow| flow.number == body)
    }

    fn load(bytes: &[u8]) -> Option<Self> {
        let pool = DescriptorPool::decode(bytes).ok()?;
        let notice = pool.get_message_by_name("verbale.v1.Notice")?;
        let loader = Loader { pool };
        let header = loader.shape(&message_of(&notice.get_field(HEADER)?)?)?;
        let onward = loader.shape(&message_of(&notice.get_field(ONWARD)?)?)?;
        let mut flows = BTreeMap::new();
        for field in notice.fields() {
            let Some(kind) = loader.kind(&field) else { continue };
            let restricted = match notice.get_field(field.number() + RESTRICTED_OFFSET) {
                Some(apart) => Some((apart.number(), loader.shape(&message_of(&apart)?)?)),
                None => None,
            };
            let name = field.name().to_uppercase();
            let body = loader.shape(&message_of(&field)?)?;
            flows.insert(name.clone(), Flow { name, kind, number: field.number(), body, restricted });
        }
        Some(Self { header, onward, flows })
    }
}

struct Loader {
    pool: DescriptorPool,
}

impl Loader {
    fn shape(&self, message: &MessageDescriptor) -> Option<Arc<Shape>> {
        let mut members: Vec<Member> = message.fields().map(|field| self.member(&field)).collect::<Option<_>>()?;
        members.sort_by_key(|member| member.number);
        Some(Arc::new(Shape { members }))
    }

    fn member(&self, field: &FieldDescriptor) -> Option<Member> {
        let (required, text) = self.form(field)?;
        let slot = match field.kind() {
            Kind::String => Slot::Text(text),
            Kind::Int64 => Slot::Int,
            Kind::Bool => Slot::Bool,
            Kind::Message(message) => match message.get_field(ITEMS).filter(FieldDescriptor::is_list) {
                Some(items) => match items.kind() {
                    Kind::String => Slot::Texts(text),
                    Kind::Message(element) => Slot::Objects(self.shape(&element)?),
                    _ => return None,
                },
                None => Slot::Object(self.shape(&message)?),
            },
            _ => return None,
        };
        Some(Member { name: field.name().to_owned(), number: field.number(), required, slot })
    }

    fn form(&self, field: &FieldDescriptor) -> Option<(bool, Text)> {
        let extension = self.pool.get_extension_by_name("verbale.v1.form")?;
        let options = field.options();
        let value = options.get_extension(&extension);
        let form = value.as_message()?;
        let required = form.get_field_by_name("required")?.as_bool()?;
        let text = Text::try_from(form.get_field_by_name("text")?.as_enum_number()?).ok()?;
        Some((required, text))
    }

    fn kind(&self, field: &FieldDescriptor) -> Option<String> {
        let extension = self.pool.get_extension_by_name("verbale.v1.kind")?;
        let kind = field.options().get_extension(&extension).as_str()?.to_owned();
        (!kind.is_empty()).then_some(kind)
    }
}

fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_every_flow_and_keeps_the_form_options() {
        let schema = Schema::get();
        assert_eq!(schema.flows.len(), 47);
        let order = schema.flows.get("F05").unwrap();
        assert_eq!((order.kind.as_str(), order.number), ("IMPROVEMENT_ORDER", 105));
        let org = order.body.member("org").unwrap();
        let Slot::Object(org) = &org.slot else { panic!("org is an object") };
        let number = org.member("corporate_number").unwrap();
        assert!(matches!(number.slot, Slot::Text(Text::CorporateNumber)) && !number.required);
        assert!(
            order.body.has_path("org.name_ja") && !order.body.has_path("grounds.0") && !order.body.has_path("org.")
        );
    }
}
