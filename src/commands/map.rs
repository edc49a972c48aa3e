//! `earthcatalog map`: where and when the rows of a warehouse are, as a picture in the terminal, an HTML file or a drawing.

use std::io::Write;

use clap::Args;
use earthcatalog_plans::overview::overview;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::session::session;

use super::{CommandError, open};
use crate::arguments::{ArgumentError, WarehouseArgs};
use crate::output::{Destination, NamedFormat, Output, OutputError};
use crate::picture;
use crate::site::{document, one_file};
use crate::terminal::{self, stdout_is_coloured};

/// Letters of a line where no terminal says how many it has.
const WIDTH: usize = 100;

/// Flags of `map`.
#[derive(Debug, Clone, Args)]
pub struct MapArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// File or object to write, which appears when it is complete: a page (.html) or a drawing (.svg); - is a page on standard
    /// output. Without it, a map of letters is printed
    #[arg(long, value_name = "FILE|URL|-")]
    pub out: Option<String>,
    /// Title of the page
    #[arg(long, value_name = "TEXT", default_value = "earthcatalog")]
    pub title: String,
}

pub async fn run(args: &MapArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let destination = Destination::parse(args.out.as_deref()).map_err(OutputError::from)?;
    let kind = Kind::of(&destination, args.out.as_deref())?;
    let warehouse = open(&args.at).await?;
    let overview = overview(&session(1)?, &ItemsTable::new(warehouse)).await?;
    let written = match kind {
        None => picture::text(&overview, terminal::width().unwrap_or(WIDTH), stdout_is_coloured())?,
        Some(Kind::Svg) => picture::svg(&args.title, &overview)?,
        Some(Kind::Html) => one_file(&document(&args.title, &overview).map_err(std::io::Error::from)?)?,
    };
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    sink.buffer().extend_from_slice(written.as_bytes());
    sink.finish().await?;
    Ok(())
}

/// What is written to a file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Html,
    Svg,
}

impl NamedFormat for Kind {
    const ENDINGS: &'static [(&'static str, Self)] = &[("html", Self::Html), ("htm", Self::Html), ("svg", Self::Svg)];

    fn compresses_itself(self) -> bool {
        false
    }
}

impl Kind {
    /// What is written to `destination`; `None` where it is a terminal.
    fn of(destination: &Destination, out: Option<&str>) -> Result<Option<Self>, ArgumentError> {
        match (out, destination.location()) {
            (None, _) => Ok(None),
            (Some(_), None) => Ok(Some(Self::Html)),
            (Some(out), Some(location)) => {
                Self::named(location).map(Some).ok_or_else(|| ArgumentError::MapEnding(out.to_owned()))
            }
        }
    }
}
