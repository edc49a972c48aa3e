//! What the small files of one table have in common.

use arrow::datatypes::{DataType, Schema, SchemaRef};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::schema::types::SchemaDescriptor;

use super::error::{Error, Result};
use super::footer::FooterTemplate;
use super::plain::LeafPath;

/// What the small files of one table have in common; made once, shared by all of them.
#[derive(Debug)]
pub struct SmallFileFormat {
    pub(crate) arrow: SchemaRef,
    leaves: Vec<Leaf>,
    pub(crate) footer: FooterTemplate,
}

/// A leaf column of a small file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Where its values are in a batch of rows.
    pub path: LeafPath,
    /// Whether its least and greatest values are recorded.
    pub bounded: bool,
}

impl SmallFileFormat {
    /// For rows of schema `arrow`, which is `parquet` in the terms of that crate. `properties` have one key-value, that
    /// of the Arrow schema. `is_bounded` says of the path of a leaf column whether its least and greatest values are
    /// recorded.
    ///
    /// Errors: a nested type that small files do not have.
    pub fn try_new(
        arrow: SchemaRef,
        parquet: &SchemaDescriptor,
        properties: &WriterPropertiesPtr,
        is_bounded: impl Fn(&[String]) -> bool,
    ) -> Result<Self> {
        let paths = leaf_paths(&arrow)?;
        let leaf = |(column, path): (&parquet::schema::types::ColumnDescPtr, LeafPath)| Leaf {
            bounded: is_bounded(column.path().parts()),
            path,
        };
        let leaves = parquet.columns().iter().zip(paths).map(leaf).collect();
        Ok(Self { leaves, footer: FooterTemplate::try_new(parquet, properties)?, arrow })
    }

    /// The leaf columns, in the order of the schema.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }
}

fn leaf_paths(schema: &Schema) -> Result<Vec<LeafPath>> {
    let mut paths = vec![];
    for (column, field) in schema.fields().iter().enumerate() {
        match field.data_type() {
            DataType::Struct(children) if field.is_nullable() && children.iter().all(|c| !c.is_nullable()) => {
                paths.extend((0..children.len()).map(|child| LeafPath::Child { column, child }));
            }
            DataType::List(element) if field.is_nullable() && element.is_nullable() => {
                paths.push(LeafPath::Element { column });
            }
            nested if nested.is_nested() => {
                return Err(Error::UnsupportedType { column: field.name().clone(), data_type: nested.clone() });
            }
            _ => paths.push(LeafPath::Column { column, optional: field.is_nullable() }),
        }
    }
    Ok(paths)
}
