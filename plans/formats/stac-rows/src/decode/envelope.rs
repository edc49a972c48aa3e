//! The top level of an Item: finds each member once, and reads geometry and properties on the way.

use super::geometry::Footprint;
use super::members::{Members, ObjectText};
use super::number::Decimal;
use super::properties::Properties;
use super::scan::{Cursor, Malformed};
use super::value::{Token, Value};
use super::{Defect, excerpt};
use crate::defect::RejectKind;
use crate::footprint::Corners;

/// Member of `extra` with the names of the members that the Item has not, though its columns would give them.
pub(super) const ABSENT: &str = "earthcatalog:absent";

/// The top-level members of one Item, reused from Item to Item.
#[derive(Debug)]
pub(super) struct Envelope {
    pub footprint: Footprint,
    pub properties: Properties,
    kind: Option<Value>,
    id: Option<Value>,
    geometry: Option<Value>,
    /// Why `geometry` is none.
    unreadable: Option<String>,
    bbox: Option<Value>,
    properties_value: Option<Value>,
    pub collection: Column,
    pub stac_version: Column,
    pub stac_extensions: Column,
    pub assets: Column,
    pub links: Column,
    others: Members,
}

/// A member that has a column of its own: the value, and whether the column can hold it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Column {
    value: Option<Value>,
    fits: bool,
}

impl Column {
    /// The value for the column: `None` where the member is absent or goes to `extra`.
    pub fn value(&self) -> Option<Value> {
        self.value.filter(|_| self.fits)
    }

    fn read(&mut self, cursor: &mut Cursor, fits: impl Fn(Value, &str) -> bool) -> Result<(), Malformed> {
        let value = cursor.value()?;
        *self = Self { value: Some(value), fits: fits(value, cursor.text()) };
        Ok(())
    }
}

impl Envelope {
    pub fn new(properties: Properties) -> Self {
        Self {
            footprint: Footprint::default(),
            properties,
            kind: None,
            id: None,
            geometry: None,
            unreadable: None,
            bbox: None,
            properties_value: None,
            collection: Column::default(),
            stac_version: Column::default(),
            stac_extensions: Column::default(),
            assets: Column::default(),
            links: Column::default(),
            others: Members::default(),
        }
    }

    /// Reads the Item that is the whole of `text`, and checks that it is one.
    pub fn read(&mut self, text: &str) -> Result<(), Defect> {
        let Some(mut cursor) = Cursor::new(text) else {
            return Err(Defect::new(RejectKind::TooLarge, "the object has 4 GiB or more".to_owned()));
        };
        let malformed = |e: Malformed| {
            let Malformed { at, expected } = e;
            Defect::new(RejectKind::MalformedJson, format!("expected {expected} at byte {at} of {}", text.len()))
        };
        cursor.whitespace();
        if cursor.byte() != b'{' {
            let token = cursor.value().map_err(malformed)?.token;
            cursor.end().map_err(malformed)?;
            return Err(Defect::new(RejectKind::NotAFeature, format!("the top level is {}, no object", token.name())));
        }
        self.members(&mut cursor).map_err(malformed)?;
        cursor.end().map_err(malformed)?;
        if self.has_geometry() && self.unreadable.is_none() {
            let bbox = || corners(self.bbox?, text);
            self.unreadable = self.footprint.draw(bbox).err().map(|unreadable| unreadable.0);
        }
        self.check(text)
    }

    fn members(&mut self, cursor: &mut Cursor) -> Result<(), Malformed> {
        (self.kind, self.id, self.geometry, self.bbox) = (None, None, None, None);
        (self.properties_value, self.unreadable) = (None, None);
        (self.collection, self.stac_version) = (Column::default(), Column::default());
        (self.stac_extensions, self.assets, self.links) = (Column::default(), Column::default(), Column::default());
        self.others.clear();
        self.properties.clear();
        let text = cursor.text();
        let mut another = cursor.open_object()?;
        while another {
            let name = cursor.unicode_member_name()?;
            match name.decode(text).as_deref().unwrap_or_default() {
                "type" => self.kind = Some(cursor.value()?),
                "id" => self.id = Some(cursor.value()?),
                "geometry" => self.read_geometry(cursor)?,
                "bbox" => self.bbox = Some(cursor.value()?),
                "properties" => self.read_properties(cursor)?,
                "collection" => self.collection.read(cursor, is_text)?,
                "stac_version" => self.stac_version.read(cursor, is_text)?,
                "stac_extensions" => self.stac_extensions.read(cursor, is_list_of_text)?,
                "assets" => self.assets.read(cursor, |value, _| value.token == Token::Object)?,
                "links" => self.links.read(cursor, |value, _| value.token == Token::List)?,
                _ => {
                    let value = cursor.value()?.span;
                    self.others.put(text, name, value);
                }
            }
            another = cursor.next_member()?;
        }
        Ok(())
    }

    fn read_geometry(&mut self, cursor: &mut Cursor) -> Result<(), Malformed> {
        let start = cursor.at();
        self.unreadable = None;
        if cursor.byte() == b'{' {
            match self.footprint.read(cursor) {
                Ok(()) => {
                    self.geometry = Some(Value { span: cursor.span_from(start), token: Token::Object });
                    return Ok(());
                }
                // If it is not even JSON, passing it tells.
                Err(unreadable) => self.unreadable = Some(unreadable.0),
            }
        }
        cursor.seek(start);
        let value = cursor.value()?;
        if !matches!(value.token, Token::Null | Token::Object) {
            self.unreadable = Some(format!("it is {}", value.token.name()));
        }
        self.geometry = Some(value);
        Ok(())
    }

    fn read_properties(&mut self, cursor: &mut Cursor) -> Result<(), Malformed> {
        self.properties.clear();
        let start = cursor.at();
        self.properties_value = Some(if cursor.byte() == b'{' {
            self.properties.read(cursor)?;
            Value { span: cursor.span_from(start), token: Token::Object }
        } else {
            cursor.value()?
        });
        Ok(())
    }

    fn check(&self, text: &str) -> Result<(), Defect> {
        let defect = |kind, message: String| Err(Defect::new(kind, message));
        match self.kind {
            Some(Value { token: Token::Text(kind), .. }) if kind.decode(text).as_deref() == Some("Feature") => {}
            Some(value) => {
                let message = format!("its type is {}, not \"Feature\"", excerpt(value.span.of(text)));
                return defect(RejectKind::NotAFeature, message);
            }
            None => return defect(RejectKind::NotAFeature, "it has no type; an Item's is \"Feature\"".to_owned()),
        }
        let id = match self.id.map(|value| value.token) {
            Some(Token::Text(id)) => id.decode(text),
            Some(token) => return defect(RejectKind::InvalidId, format!("its id is {}, not text", token.name())),
            None => return defect(RejectKind::InvalidId, "it has no id".to_owned()),
        };
        match id.as_deref() {
            Some("") => return defect(RejectKind::InvalidId, "its id is empty".to_owned()),
            Some(_) => {}
            None => return defect(RejectKind::InvalidId, "its id has half of a surrogate pair".to_owned()),
        }
        if let Some(why) = &self.unreadable {
            return defect(RejectKind::InvalidGeometry, format!("its geometry cannot be read: {why}"));
        }
        if let Some(value) = self.properties.unreadable_datetime() {
            let message = format!("its datetime is {}, which is no RFC 3339 time", excerpt(value.span.of(text)));
            return defect(RejectKind::InvalidDatetime, message);
        }
        if self.others.contains(text, ABSENT) {
            return defect(RejectKind::InvalidMember, format!("it has a member {ABSENT}, which the table reserves"));
        }
        Ok(())
    }

    /// The id, once [`Self::read`] has returned Ok.
    pub fn id(&self) -> Option<Value> {
        self.id
    }

    /// Whether there is a geometry: [`Self::footprint`] is of this Item.
    pub fn has_geometry(&self) -> bool {
        self.geometry.is_some_and(|value| value.token == Token::Object)
    }

    /// Puts the members that no column gives back.
    pub fn put_rest(&self, text: &str, out: &mut ObjectText) {
        let mut absent = [""; 3];
        let mut missing = 0;
        let mut miss = |name| {
            absent[missing] = name;
            missing += 1;
        };
        let mut put = |name: &str, value: Value| out.put(name, value.span.of(text));

        let bounds = self.footprint.bounds().filter(|_| self.has_geometry());
        match self.geometry {
            Some(value) if self.has_geometry() && !self.footprint.faithful() => put("\"geometry\"", value),
            Some(_) => {}
            None => miss("geometry"),
        }
        match self.bbox {
            Some(value) if bounds.is_none() || four_numbers(value, text) != bounds => put("\"bbox\"", value),
            None if bounds.is_some() => miss("bbox"),
            _ => {}
        }
        match self.properties_value {
            Some(value) if value.token != Token::Object => put("\"properties\"", value),
            Some(_) => {}
            None => miss("properties"),
        }
        for (name, column) in [
            ("\"collection\"", self.collection),
            ("\"stac_version\"", self.stac_version),
            ("\"stac_extensions\"", self.stac_extensions),
            ("\"assets\"", self.assets),
            ("\"links\"", self.links),
        ] {
            if let Some(value) = column.value.filter(|_| !column.fits) {
                put(name, value);
            }
        }
        for (name, value) in self.others.iter() {
            out.put(&name.quoted(text), value.of(text));
        }
        if missing > 0 {
            out.put_names(ABSENT, &absent[..missing]);
        }
    }
}

fn is_text(value: Value, text: &str) -> bool {
    matches!(value.token, Token::Text(literal) if literal.decode(text).is_some())
}

fn is_list_of_text(value: Value, text: &str) -> bool {
    value.token == Token::List && value.elements(text).all(|element| is_text(element, text))
}

/// West, south, east and north of a `bbox`, which has heights as well if it has six numbers.
fn corners(value: Value, text: &str) -> Option<Corners> {
    if value.token != Token::List {
        return None;
    }
    let number = |element: Value| {
        let number = Some(element).filter(|element| element.token == Token::Number)?;
        Some(Decimal::parse(number.span.of(text))?.to_f64()).filter(|number| number.is_finite())
    };
    // No bbox has more.
    let numbers = value.elements(text).take(7).map(number).collect::<Option<Vec<f64>>>()?;
    match *numbers {
        [west, south, east, north] | [west, south, _, east, north, _] => Some([west, south, east, north]),
        _ => None,
    }
}

/// The numbers of a list of four, if doubles hold them exactly.
fn four_numbers(value: Value, text: &str) -> Option<[f64; 4]> {
    if value.token != Token::List {
        return None;
    }
    let mut numbers = [f64::NAN; 4];
    let mut elements = value.elements(text);
    for number in &mut numbers {
        let element = elements.next().filter(|element| element.token == Token::Number)?;
        *number = Decimal::parse(element.span.of(text))?.to_exact_f64()?;
    }
    elements.next().is_none().then_some(numbers)
}
