//! The Arrow builders of the columns of a source of Items.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Float32Builder, Float64Array, Float64Builder, Int32Builder,
    Int64Builder, ListBuilder, RecordBatch, StringViewBuilder, StructArray, TimestampMicrosecondBuilder,
    new_null_array,
};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::cell::{Cell, CellType};
use super::envelope::Envelope;
use super::members::ObjectText;
use super::value::{Token, Value};
use crate::schema::ItemSchema;

/// One builder for each column of [`ItemSchema::item_schema`].
#[derive(Debug)]
pub(super) struct Columns {
    schema: SchemaRef,
    rows: usize,
    bytes: usize,
    row_bytes: usize,
    id: StringViewBuilder,
    collection: StringViewBuilder,
    geometry: BinaryViewBuilder,
    bounds: [Float64Builder; 4],
    cells: Vec<CellBuilder>,
    stac_version: StringViewBuilder,
    stac_extensions: ListBuilder<StringViewBuilder>,
    /// `assets`, `links`, `properties`, `extra`.
    json: [StringViewBuilder; 4],
    object: ObjectText,
}

impl Columns {
    pub fn new(schema: &ItemSchema, cells: impl Iterator<Item = CellType>) -> Self {
        let schema = schema.item_schema().clone();
        let element = schema.fields().iter().find_map(|field| match field.data_type() {
            DataType::List(element) => Some(element.clone()),
            _ => None,
        });
        let stac_extensions = ListBuilder::new(StringViewBuilder::new());
        Self {
            rows: 0,
            bytes: 0,
            row_bytes: schema.fields().iter().map(|field| width(field.data_type())).sum(),
            id: StringViewBuilder::new(),
            collection: StringViewBuilder::new(),
            geometry: BinaryViewBuilder::new(),
            bounds: Default::default(),
            cells: cells.map(CellBuilder::new).collect(),
            stac_version: StringViewBuilder::new(),
            stac_extensions: match element {
                Some(element) => stac_extensions.with_field(element),
                None => stac_extensions,
            },
            json: Default::default(),
            object: ObjectText::default(),
            schema,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the Item that `envelope` has read from `text`.
    pub fn append(&mut self, envelope: &Envelope, text: &str) {
        self.rows += 1;
        self.bytes += self.row_bytes;
        let bytes = &mut self.bytes;

        append_text(&mut self.id, envelope.id(), text, bytes);
        append_text(&mut self.collection, envelope.collection.value(), text, bytes);
        let footprint = Some(&envelope.footprint).filter(|_| envelope.has_geometry());
        let wkb = footprint.map(|footprint| footprint.wkb());
        *bytes += wkb.map_or(0, <[u8]>::len);
        self.geometry.append_option(wkb);
        let bounds = footprint.and_then(|footprint| footprint.bounds());
        for (i, builder) in self.bounds.iter_mut().enumerate() {
            builder.append_option(bounds.map(|bounds| bounds[i]));
        }
        for (builder, cell) in self.cells.iter_mut().zip(envelope.properties.cells()) {
            builder.append(cell, text, bytes);
        }
        append_text(&mut self.stac_version, envelope.stac_version.value(), text, bytes);
        let extensions = envelope.stac_extensions.value();
        if let Some(list) = extensions {
            for element in list.elements(text) {
                *bytes += 16;
                append_text(self.stac_extensions.values(), Some(element), text, bytes);
            }
        }
        self.stac_extensions.append(extensions.is_some());

        let [assets, links, properties, extra] = &mut self.json;
        for (builder, column) in [(assets, envelope.assets), (links, envelope.links)] {
            let raw = column.value().map(|value| value.span.of(text));
            *bytes += raw.map_or(0, str::len);
            builder.append_option(raw);
        }
        self.object.clear();
        envelope.properties.put_rest(text, &mut self.object);
        append_object(properties, &mut self.object, bytes);
        self.object.clear();
        envelope.put_rest(text, &mut self.object);
        append_object(extra, &mut self.object, bytes);
    }

    /// The rows so far as a batch; the builders are empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        let bounds = self.bounds.each_mut().map(|builder| builder.finish());
        let bbox = bbox(&self.schema, &bounds)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        columns.push(Arc::new(self.id.finish()));
        columns.push(Arc::new(self.collection.finish()));
        columns.push(Arc::new(self.geometry.finish()));
        columns.push(Arc::new(bbox));
        columns.extend(bounds.map(|array| Arc::new(array) as ArrayRef));
        columns.extend(self.cells.iter_mut().map(CellBuilder::finish));
        columns.push(Arc::new(self.stac_version.finish()));
        columns.push(Arc::new(self.stac_extensions.finish()));
        columns.extend(self.json.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        // Those of other engines, of which no Item says anything.
        let (decoded, rows) = (columns.len(), columns[0].len());
        let others = self.schema.fields().iter().skip(decoded);
        columns.extend(others.map(|field| new_null_array(field.data_type(), rows)));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// The struct over the four columns of bounds; it shares their values.
fn bbox(schema: &SchemaRef, bounds: &[Float64Array; 4]) -> Result<StructArray, ArrowError> {
    let DataType::Struct(fields) = schema.field_with_name("bbox")?.data_type() else {
        return Err(ArrowError::SchemaError("column bbox is no struct".to_owned()));
    };
    // The children are not nullable: the struct is null where they would be.
    let children = bounds.iter().map(|array| Arc::new(Float64Array::new(array.values().clone(), None)) as ArrayRef);
    StructArray::try_new(fields.clone(), children.collect(), arrow::array::Array::nulls(&bounds[0]).cloned())
}

/// Bytes of one value, without those of long text.
fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => 16,
        DataType::Struct(_) => 0, // shares the values of other columns
        DataType::List(_) => 4,
        other => other.primitive_width().unwrap_or(1),
    }
}

#[inline]
fn append_text(builder: &mut StringViewBuilder, value: Option<Value>, text: &str, bytes: &mut usize) {
    let Some(Value { token: Token::Text(literal), .. }) = value else { return builder.append_null() };
    // Half surrogate pairs have been refused or sent to `extra` before.
    let value = literal.decode(text);
    *bytes += value.as_deref().map_or(0, str::len);
    builder.append_option(value);
}

#[inline]
fn append_object(builder: &mut StringViewBuilder, object: &mut ObjectText, bytes: &mut usize) {
    let object = object.finish();
    *bytes += object.map_or(0, str::len);
    builder.append_option(object);
}

/// The builder of a column that holds a property.
#[derive(Debug)]
pub(super) enum CellBuilder {
    Text(StringViewBuilder),
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Time(TimestampMicrosecondBuilder),
}

impl CellBuilder {
    pub fn new(cell_type: CellType) -> Self {
        match cell_type {
            CellType::Text => Self::Text(StringViewBuilder::new()),
            CellType::Boolean => Self::Boolean(BooleanBuilder::new()),
            CellType::Int32 => Self::Int32(Int32Builder::new()),
            CellType::Int64 => Self::Int64(Int64Builder::new()),
            CellType::Float32 => Self::Float32(Float32Builder::new()),
            CellType::Float64 => Self::Float64(Float64Builder::new()),
            CellType::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// A cell of another type than the column is null there; `cell::read` makes none.
    #[inline]
    pub fn append(&mut self, cell: Cell, text: &str, bytes: &mut usize) {
        match self {
            Self::Text(builder) => match cell {
                Cell::Text(literal) => {
                    let value = literal.decode(text);
                    *bytes += value.as_deref().map_or(0, str::len);
                    builder.append_option(value);
                }
                Cell::Literal(value) => {
                    let literal = value.span.of(text);
                    *bytes += literal.len();
                    builder.append_value(literal);
                }
                _ => builder.append_null(),
            },
            Self::Boolean(builder) => builder.append_option(match cell {
                Cell::Boolean(value) => Some(value),
                _ => None,
            }),
            Self::Int32(builder) => builder.append_option(integer(cell).and_then(|value| value.try_into().ok())),
            Self::Int64(builder) => builder.append_option(integer(cell)),
            Self::Float32(builder) => builder.append_option(float(cell).map(|value| value as f32)),
            Self::Float64(builder) => builder.append_option(float(cell)),
            Self::Time(builder) => builder.append_option(match cell {
                Cell::Time(micros) => Some(micros),
                _ => None,
            }),
        }
    }

    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Float32(builder) => Arc::new(builder.finish()),
            Self::Float64(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
        }
    }
}

fn integer(cell: Cell) -> Option<i64> {
    match cell {
        Cell::Integer(value) => Some(value),
        _ => None,
    }
}

fn float(cell: Cell) -> Option<f64> {
    match cell {
        Cell::Float(value) => Some(value),
        _ => None,
    }
}
