//! `earthcatalog collection`: the collections of a warehouse, and the documents that describe them.
//!
//! `table_assets` describes the table and its files in a document.

mod table_assets;

use std::fmt;
use std::io::Write;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use datafusion::prelude::SessionContext;
use earthcatalog_plans::collections::{Collection, collections, summaries};
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::session::session;
use earthcatalog_plans::table::CollectionDocument;
use earthcatalog_plans::table::collection_documents::DocumentChange;
use serde::Serialize;
use serde_json::{Value, json};

use super::CommandError;
use crate::arguments::{ListArgs, ReportFormat, WarehouseArgs};
use crate::documents;
use crate::report::count;

/// What `collection` does.
#[derive(Debug, Clone, Args)]
pub struct CollectionCommand {
    #[command(subcommand)]
    pub action: CollectionAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum CollectionAction {
    /// List the collections: those that Items name, and those that were added
    List(ListArgs),
    /// Write a collection as a STAC Collection
    Show(ShowArgs),
    /// Keep STAC Collections with the table, in place of those of the same ids
    Add(AddArgs),
    /// Remove what was added of collections; their Items stay
    Remove(RemoveArgs),
}

/// Flags of `collection show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Id of the collection
    #[arg(value_name = "ID")]
    pub id: String,
    /// Take extent, number of Items and summaries from the Items, whatever the document says
    #[arg(long)]
    pub from_items: bool,
    #[command(flatten)]
    pub at: WarehouseArgs,
}

/// Flags of `collection add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// JSON with a Collection or several, a folder or prefix with files collection.json, or - for standard input
    #[arg(value_name = "FILE|DIR|URL|-", required = true)]
    pub files: Vec<String>,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `collection remove`.
#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// Ids of the collections
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

pub async fn run(command: &CollectionCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    match &command.action {
        CollectionAction::List(args) => {
            let listed = Listed(open(&args.at).await?.collections().await?.iter().map(Line::new).collect());
            Ok(args.output.write(&listed, out)?)
        }
        CollectionAction::Show(args) => {
            let document = show(&open(&args.at).await?, args).await?;
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?)?)
        }
        CollectionAction::Add(args) => {
            let opened = open(&args.at).await?;
            let add = documents::read(&args.files).await?;
            let ids = add.iter().map(|document| document.id().to_owned()).collect();
            DocumentChange { add, remove: vec![] }.commit(opened.items.warehouse()).await?;
            Ok(args.output.write(&Changed { added: ids, ..Changed::default() }, out)?)
        }
        CollectionAction::Remove(args) => {
            let opened = open(&args.at).await?;
            let kept = CollectionDocument::all(&opened.items.warehouse().load().await?.metadata);
            if let Some(id) = args.ids.iter().find(|id| !kept.iter().any(|document| document.id() == id.as_str())) {
                return Err(CommandError::NoCollection { id: id.clone(), what: "no document was added for it" });
            }
            let change = DocumentChange { add: vec![], remove: args.ids.clone() };
            change.commit(opened.items.warehouse()).await?;
            Ok(args.output.write(&Changed { removed: args.ids.clone(), ..Changed::default() }, out)?)
        }
    }
}

/// A warehouse, and what asks it.
struct Opened {
    session: SessionContext,
    items: ItemsTable,
}

async fn open(at: &WarehouseArgs) -> Result<Opened, CommandError> {
    let warehouse = super::open(at).await?;
    Ok(Opened { session: session(1)?, items: ItemsTable::new(warehouse) })
}

impl Opened {
    async fn collections(&self) -> Result<Vec<Collection>, CommandError> {
        let state = self.items.warehouse().load().await?;
        Ok(collections(&self.session, &self.items, &state).await?)
    }
}

/// The STAC Collection of an id, with the table and its files as assets.
async fn show(opened: &Opened, args: &ShowArgs) -> Result<Value, CommandError> {
    let all = opened.collections().await?;
    let Some(collection) = all.iter().find(|collection| collection.id == args.id) else {
        return Err(CommandError::NoCollection { id: args.id.clone(), what: "no Item names it, and none was added" });
    };
    let mut document = match args.from_items {
        true => collection.completed(summaries(&opened.session, &opened.items, &args.id).await?),
        false => collection.document(),
    };
    document.entry("links").or_insert_with(|| json!([]));
    table_assets::add(&mut document, &opened.items).await?;
    Ok(document.into())
}

/// What became of documents.
#[derive(Debug, Clone, Default, Serialize)]
struct Changed {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
}

/// A collection in the list.
#[derive(Debug, Clone, Serialize)]
struct Line {
    id: String,
    title: Option<String>,
    /// `None` where there are too many to count.
    items: Option<u64>,
    bbox: Option<[f64; 4]>,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    /// Whether a document was added.
    has_document: bool,
}

#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
struct Listed(Vec<Line>);

impl Line {
    fn new(collection: &Collection) -> Self {
        let [first, last] = collection.extent.interval.map(|micros| micros.and_then(DateTime::from_timestamp_micros));
        let title = collection.title();
        Self {
            id: collection.id.clone(),
            title: (title != collection.id).then(|| title.to_owned()),
            items: collection.items,
            bbox: collection.extent.bbox,
            first,
            last,
            has_document: collection.given.is_some(),
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, ids) = if self.removed.is_empty() { ("added", &self.added) } else { ("removed", &self.removed) };
        write!(f, "{:<12}{}", what, ids.join(", "))
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no Item names a collection, and none was added");
        }
        let width = self.0.iter().map(|line| line.id.chars().count()).max().unwrap_or_default().max(10);
        write!(f, "{:<width$}{:>12}  {:<24}title", "collection", "Items", "days")?;
        for line in &self.0 {
            let items = line.items.map_or("-".to_owned(), count);
            let day = |time: Option<DateTime<Utc>>| time.map(|time| time.format("%Y-%m-%d").to_string());
            let days = match (day(line.first), day(line.last)) {
                (None, None) => "-".to_owned(),
                (first, last) => format!("{}/{}", first.unwrap_or("..".into()), last.unwrap_or("..".into())),
            };
            let title = line.title.as_deref().unwrap_or(if line.has_document { "-" } else { "- (no document)" });
            write!(f, "\n{:<width$}{items:>12}  {days:<24}{title}", line.id)?;
        }
        Ok(())
    }
}
