//! The members of an Item, from the columns of a row.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use sonic_rs::LazyValue;
use thiserror::Error;

pub use self::geojson::write_geometry;
pub use self::links::write_with_links;
pub use self::restore::restore;
use crate::canonical::{write_float, write_float32, write_text, write_time};

mod geojson;
mod links;
mod restore;

/// Member of `extra` that lists members to leave out.
const ABSENT: &str = "earthcatalog:absent";

/// Field metadata that names the STAC property which a promoted column holds (`proj:code` for `proj_code`).
pub const PROPERTY_KEY: &str = "stac.property";

/// Field metadata of column `properties`: a JSON object from the field ids of columns that are no longer promoted to the
/// properties that they hold in older files.
pub const DROPPED_KEY: &str = "earthcatalog.dropped";

/// Field metadata that marks a column which another engine has added to the table.
pub const OTHER_KEY: &str = "earthcatalog.other";

const BOUNDS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Columns of a row that say nothing about its Item: the cell, the bounds that `xmin` to `ymax` have as well, and what
/// table functions add, unless a promoted property has such a name; and columns of other engines.
pub fn is_ignored(column: &Field) -> bool {
    let added = ["year", "sequence", "change"].contains(&column.name().as_str());
    ["grid_partition", "bbox"].contains(&column.name().as_str())
        || column.metadata().contains_key(OTHER_KEY)
        || added && !column.metadata().contains_key(PROPERTY_KEY)
}

/// Why a row is no Item.
#[derive(Debug, Error)]
pub enum ItemError {
    #[error("column {column} has text that is no JSON object: {source}")]
    Json { column: &'static str, source: sonic_rs::Error },
    #[error("column geometry is not readable as WKB: {0}")]
    Geometry(#[from] crate::wkb_form::UnreadableWkb),
    #[error("property {0} has a time that no calendar reaches")]
    Time(String),
    #[error("the text is not UTF-8: {0}")]
    Encoding(#[from] std::str::Utf8Error),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// What a column of table `items` is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    Ignored,
    Id,
    Geometry,
    Bound(usize),
    StacExtensions,
    Collection,
    StacVersion,
    Assets,
    Links,
    Properties,
    Extra,
    Property(String),
}

impl Role {
    /// By the name and the metadata of the column; `None` if it is no column of an Item.
    pub fn from_field(field: &Field) -> Option<Self> {
        if let Some(property) = field.metadata().get(PROPERTY_KEY) {
            return Some(Self::Property(property.clone()));
        }
        let name = field.name();
        if is_ignored(field) {
            return Some(Self::Ignored);
        }
        if let Some(bound) = BOUNDS.iter().position(|b| b == name) {
            return Some(Self::Bound(bound));
        }
        match name.as_str() {
            "id" => Some(Self::Id),
            "geometry" => Some(Self::Geometry),
            "stac_extensions" => Some(Self::StacExtensions),
            "collection" => Some(Self::Collection),
            "stac_version" => Some(Self::StacVersion),
            "assets" => Some(Self::Assets),
            "links" => Some(Self::Links),
            "properties" => Some(Self::Properties),
            "extra" => Some(Self::Extra),
            // The time columns are named as their properties.
            _ => matches!(field.data_type(), DataType::Timestamp(..)).then(|| Self::Property(name.clone())),
        }
    }
}

/// Values of a property column.
#[derive(Debug)]
enum Values {
    Text(StringViewArray),
    Boolean(BooleanArray),
    Integer(Int64Array),
    Float32(Float32Array),
    Float64(Float64Array),
    Time(TimestampMicrosecondArray),
}

impl Values {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Float32 => Self::Float32(array.as_primitive::<Float32Type>().clone()),
            DataType::Float64 => Self::Float64(array.as_primitive::<Float64Type>().clone()),
            t if t.is_integer() => Self::Integer(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::Timestamp(_, zone) => {
                let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
                Self::Time(micros.as_primitive::<TimestampMicrosecondType>().clone())
            }
            _ => Self::Text(text(array)?),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Text(a) => a,
            Self::Boolean(a) => a,
            Self::Integer(a) => a,
            Self::Float32(a) => a,
            Self::Float64(a) => a,
            Self::Time(a) => a,
        }
    }

    fn write(&self, row: usize, property: &str, out: &mut Vec<u8>) -> Result<(), ItemError> {
        match self {
            Self::Text(a) => write_text(out, a.value(row)),
            Self::Boolean(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Self::Integer(a) => {
                // Writing to memory does not fail.
                let _ = write!(out, "{}", a.value(row));
            }
            Self::Float32(a) => write_float32(out, a.value(row)),
            Self::Float64(a) => write_float(out, a.value(row)),
            Self::Time(a) if write_time(out, a.value(row)) => {}
            Self::Time(_) => return Err(ItemError::Time(property.to_owned())),
        }
        Ok(())
    }
}

/// The columns of a batch by what they are for.
#[derive(Debug, Default)]
pub struct ItemColumns {
    id: Option<StringViewArray>,
    geometry: Option<BinaryViewArray>,
    bounds: [Option<Float64Array>; 4],
    stac_version: Option<StringViewArray>,
    stac_extensions: Option<ListArray>,
    collection: Option<StringViewArray>,
    assets: Option<StringViewArray>,
    links: Option<StringViewArray>,
    properties: Option<StringViewArray>,
    extra: Option<StringViewArray>,
    promoted: Vec<(String, Values)>,
}

impl ItemColumns {
    pub fn add(&mut self, role: Role, array: &ArrayRef) -> Result<(), ArrowError> {
        match role {
            Role::Ignored => {}
            Role::Id => self.id = Some(text(array)?),
            Role::Geometry => self.geometry = Some(cast(array, &DataType::BinaryView)?.as_binary_view().clone()),
            Role::Bound(i) => {
                self.bounds[i] = Some(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone());
            }
            Role::StacVersion => self.stac_version = Some(text(array)?),
            Role::StacExtensions => {
                let of_text = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)));
                self.stac_extensions = Some(cast(array, &of_text)?.as_list().clone());
            }
            Role::Collection => self.collection = Some(text(array)?),
            Role::Assets => self.assets = Some(text(array)?),
            Role::Links => self.links = Some(text(array)?),
            Role::Properties => self.properties = Some(text(array)?),
            Role::Extra => self.extra = Some(text(array)?),
            Role::Property(name) => self.promoted.push((name, Values::new(array)?)),
        }
        Ok(())
    }

    /// Writes the Item of a row: the members from columns, where `extra` does not have or exclude them, and `extra`.
    pub fn write_item(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ItemError> {
        let overlay = Overlay::read(value(&self.extra, row))?;
        let mut item = Object::open(out);
        if overlay.allows("type") {
            item.member("type").extend_from_slice(b"\"Feature\"");
        }
        for (name, column) in [("stac_version", &self.stac_version), ("id", &self.id), ("collection", &self.collection)]
        {
            if let Some(text) = value(column, row).filter(|_| overlay.allows(name)) {
                write_text(item.member(name), text);
            }
        }
        if let Some(list) = &self.stac_extensions
            && list.is_valid(row)
            && overlay.allows("stac_extensions")
        {
            write_texts(item.member("stac_extensions"), list.value(row).as_string_view());
        }
        if let Some(geometry) = &self.geometry
            && overlay.allows("geometry")
        {
            let out = item.member("geometry");
            match geometry.is_valid(row) {
                true => write_geometry(out, geometry.value(row))?,
                false => out.extend_from_slice(b"null"),
            }
        }
        if let Some(bounds) = self.bounds(row).filter(|_| overlay.allows("bbox")) {
            let out = item.member("bbox");
            for (i, bound) in bounds.into_iter().enumerate() {
                out.push(if i == 0 { b'[' } else { b',' });
                write_float(out, bound);
            }
            out.push(b']');
        }
        if overlay.allows("properties") {
            self.write_properties(row, item.member("properties"))?;
        }
        for (name, column) in [("links", &self.links), ("assets", &self.assets)] {
            if let Some(json) = value(column, row).filter(|_| overlay.allows(name)) {
                item.member(name).extend_from_slice(json.as_bytes());
            }
        }
        for (name, raw) in &overlay.members {
            item.member(name).extend_from_slice(raw.as_raw_str().as_bytes());
        }
        item.close();
        Ok(())
    }

    fn write_properties(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ItemError> {
        let rest = members("properties", value(&self.properties, row))?;
        let mut properties = Object::open(out);
        for (name, values) in &self.promoted {
            if values.array().is_valid(row) && !rest.iter().any(|(kept, _)| kept == name) {
                values.write(row, name, properties.member(name))?;
            }
        }
        for (name, raw) in &rest {
            properties.member(name).extend_from_slice(raw.as_raw_str().as_bytes());
        }
        properties.close();
        Ok(())
    }

    fn bounds(&self, row: usize) -> Option<[f64; 4]> {
        let [xmin, ymin, xmax, ymax] = self.bounds.each_ref();
        let at = |column: &Option<Float64Array>| column.as_ref().filter(|a| a.is_valid(row)).map(|a| a.value(row));
        Some([at(xmin)?, at(ymin)?, at(xmax)?, at(ymax)?])
    }
}

type Member<'a> = (Cow<'a, str>, LazyValue<'a>);

/// What column `extra` lays over the members from the other columns.
struct Overlay<'a> {
    members: Vec<Member<'a>>,
    absent: Vec<String>,
}

impl<'a> Overlay<'a> {
    fn read(extra: Option<&'a str>) -> Result<Self, ItemError> {
        let mut members = members("extra", extra)?;
        let mut absent = vec![];
        if let Some(i) = members.iter().position(|(name, _)| name == ABSENT) {
            absent = sonic_rs::from_str(members.remove(i).1.as_raw_str())
                .map_err(|source| ItemError::Json { column: "extra", source })?;
        }
        Ok(Self { members, absent })
    }

    /// Whether the member comes from its column.
    fn allows(&self, member: &str) -> bool {
        !self.members.iter().any(|(name, _)| name == member) && !self.absent.iter().any(|name| name == member)
    }
}

/// The members of a JSON object with the raw text of their values.
fn members<'a>(column: &'static str, json: Option<&'a str>) -> Result<Vec<Member<'a>>, ItemError> {
    let Some(json) = json else { return Ok(vec![]) };
    sonic_rs::to_object_iter(json).collect::<Result<_, _>>().map_err(|source| ItemError::Json { column, source })
}

fn value(column: &Option<StringViewArray>, row: usize) -> Option<&str> {
    column.as_ref().filter(|a| a.is_valid(row)).map(|a| a.value(row))
}

fn text(array: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    Ok(cast(array, &DataType::Utf8View)?.as_string_view().clone())
}

fn write_texts(out: &mut Vec<u8>, texts: &StringViewArray) {
    out.push(b'[');
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match text {
            Some(text) => write_text(out, text),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b']');
}

/// A JSON object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Writes the name of a member; its value is to follow.
    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write_text(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn close(self) {
        self.out.push(b'}');
    }
}
