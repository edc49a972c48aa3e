//! [`ColumnChange`]: a property gets a column of its own, or loses it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use iceberg::spec::{
    DEFAULT_SCHEMA_NAME_MAPPING, MappedField, NameMapping, NestedField, NestedFieldRef, Schema, TableMetadata,
};

use super::error::{Result, WarehouseError};
use super::leases::error::{MaintenanceError, Result as Maintained};
use super::manifests::MetadataFiles;
use super::rewrite::{Rewrite, rewrite_metadata};
use super::schema::{self, Columns, PROMOTED};
use super::{TableState, Warehouse};
use crate::model::items::{ItemSchema, Promoted};

/// What becomes of the promoted columns of a table. No file is written: a file that lacks a column has its values in
/// `properties`, where scans find them, and the values of a column that is gone are read back into `properties`. A compaction
/// writes them as the table has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnChange {
    /// The property gets a column of this type; with `if_not_exists`, unless it has that already.
    Add { property: String, data_type: DataType, if_not_exists: bool },
    /// The property of this name, or of the column of this name, has no column any more; with `if_exists`, if it had one.
    Drop { name: String, if_exists: bool },
}

/// A column that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedColumn {
    pub column: Promoted,
    /// Whether it is new, and not gone.
    pub is_new: bool,
}

impl fmt::Display for ColumnChange {
    /// What EXPLAIN says of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { property, data_type, .. } => write!(f, "add={property} {data_type}"),
            Self::Drop { name, .. } => write!(f, "drop={name}"),
        }
    }
}

impl ColumnChange {
    /// Makes the change visible, beside any other writer; `None` where all is so already. With `dry_run` nothing changes.
    ///
    /// Errors: the column is there, or is none; it has a type that no promoted property has; another engine needs it; else as
    /// [`MaintenanceError`] says.
    pub async fn commit(&self, warehouse: &Warehouse, dry_run: bool) -> Maintained<Option<ChangedColumn>> {
        if dry_run {
            return Ok(self.planned(&*warehouse.load().await?)?.map(|(_, changed)| changed));
        }
        rewrite_metadata(warehouse, "columns", self).await
    }

    /// The metadata to come, and what it changes.
    fn planned(&self, base: &TableState) -> Result<Option<(TableMetadata, ChangedColumn)>> {
        let metadata = &base.metadata;
        let there = schema::columns(metadata)?;
        let Some(changed) = self.changed(&there)? else { return Ok(None) };
        let column = changed.column.column.as_str();
        let field = changed.is_new.then(|| schema::promoted_field(&changed.column, metadata.last_column_id() + 1));
        let mut promoted: Vec<Promoted> = there.items.promoted().to_vec();
        match &field {
            Some(_) => promoted.push(changed.column.clone()),
            None => promoted.retain(|other| other.column != column),
        }
        let others = there.items.others().iter().map(|field| field.as_ref().clone()).collect();
        let items = ItemSchema::with_others(promoted, others)?;
        let next = || {
            let now = metadata.current_schema();
            let kept = now.as_struct().fields().iter().filter(|field| changed.is_new || field.name != column);
            let fields: Vec<NestedFieldRef> = kept.cloned().chain(field.clone().map(Arc::new)).collect();
            let next = Schema::builder().with_fields(fields).with_identifier_field_ids(now.identifier_field_ids());
            let next = next.build()?;
            let order = schema::sort_order(&items, &next)?;
            let mut properties =
                HashMap::from([(PROMOTED.to_owned(), promoted_by_id(&there, field.as_ref(), &changed))]);
            let mapping = metadata.properties().get(DEFAULT_SCHEMA_NAME_MAPPING);
            if let Some((mapping, field)) = mapping.zip(field.as_ref()) {
                properties.insert(DEFAULT_SCHEMA_NAME_MAPPING.to_owned(), with_name(mapping, field)?);
            }
            let builder = base.next().add_current_schema(next)?.set_properties(properties)?;
            Ok(builder.add_sort_order(order)?.set_default_sort_order(LAST_ADDED)?.build()?.metadata)
        };
        let next: iceberg::Result<TableMetadata> = next();
        Ok(Some((next.map_err(WarehouseError::metadata(&base.metadata_location))?, changed)))
    }

    /// What the change means for a table with these columns.
    fn changed(&self, there: &Columns) -> Result<Option<ChangedColumn>> {
        let refused = |column: &str, reason: String| Err(WarehouseError::Column { column: column.to_owned(), reason });
        match self {
            Self::Add { property, data_type, if_not_exists } => {
                let column = Promoted::new(property, data_type)?;
                let known = there.items.promoted().iter().find(|known| known.property == *property);
                if let Some(known) = known {
                    return match *if_not_exists && known.data_type == column.data_type {
                        true => Ok(None),
                        false => refused(
                            property,
                            format!("it has column {} already, of type {}", known.column, known.sql_type()),
                        ),
                    };
                }
                if there.field_ids.contains_key(&column.column) {
                    return refused(property, format!("the table has another column {}", column.column));
                }
                Ok(Some(ChangedColumn { column, is_new: true }))
            }
            Self::Drop { name, if_exists } => {
                let known = there.items.promoted().iter();
                match known.into_iter().find(|known| known.column == *name || known.property == *name) {
                    Some(column) => Ok(Some(ChangedColumn { column: column.clone(), is_new: false })),
                    None if there.field_ids.contains_key(name) => {
                        refused(name, "it is no promoted property: every table of Items has it, or another engine has added it and can drop it".to_owned())
                    }
                    None if *if_exists => Ok(None),
                    None => {
                        let known: Vec<_> = there.items.promoted().iter().map(|known| known.column.as_str()).collect();
                        refused(name, format!("the table has no such column; its promoted properties are {}", known.join(", ")))
                    }
                }
            }
        }
    }
}

/// What Iceberg calls the sort order that was added last.
const LAST_ADDED: i64 = -1;

impl Rewrite for ColumnChange {
    type Outcome = ChangedColumn;

    async fn rewrite(
        &self,
        base: &TableState,
        _: &mut MetadataFiles,
    ) -> Maintained<Option<(TableMetadata, ChangedColumn)>> {
        self.planned(base).map_err(MaintenanceError::from)
    }
}

/// Property [`PROMOTED`] of the table to come. What is dropped stays in it: files have its column still.
fn promoted_by_id(there: &Columns, added: Option<&NestedField>, changed: &ChangedColumn) -> String {
    let id =
        |promoted: &Promoted| Some((there.field_ids.get(&promoted.column)?.to_string(), promoted.property.clone()));
    let mut by_id: BTreeMap<String, String> = there.items.promoted().iter().filter_map(id).collect();
    by_id.extend(there.items.dropped().iter().map(|(id, property)| (id.to_string(), property.clone())));
    by_id.extend(added.map(|field| (field.id.to_string(), changed.column.property.clone())));
    serde_json::json!(by_id).to_string()
}

/// The name mapping with a new column. A column of that name that is gone loses it, as Iceberg has it.
fn with_name(mapping: &str, field: &NestedField) -> iceberg::Result<String> {
    let mapping: NameMapping = serde_json::from_str(mapping)?;
    let others = mapping.fields().iter().map(|other| {
        let names = other.names().iter().filter(|name| **name != field.name).cloned().collect();
        let children = other.fields().iter().map(|child| child.as_ref().clone()).collect();
        MappedField::new(other.field_id(), names, children)
    });
    let new = MappedField::new(Some(field.id), vec![field.name.clone()], vec![]);
    let others = others.filter(|other| !other.names().is_empty());
    Ok(serde_json::to_string(&NameMapping::new(others.chain([new]).collect()))?)
}
