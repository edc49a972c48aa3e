//! `earthcatalog serve`: a STAC API over a warehouse.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::CommandError;
use crate::arguments::{ResourceArgs, WarehouseArgs, values};
use crate::cluster::asked_to_end;
use crate::serve::{ServeOptions, serve};

/// Flags of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Address and port to listen on; port 0 is one that is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub bind: SocketAddr,
    /// Address at which clients see the service, as behind a proxy [default: the host that each client names]
    #[arg(long, value_name = "URL", value_parser = values::http_url)]
    pub url: Option<String>,
    /// Name of the service, for people
    #[arg(long, value_name = "TEXT", default_value = "earthcatalog")]
    pub title: String,
    /// How often the catalog is asked for a new snapshot
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "2s")]
    pub refresh: Duration,
    /// How long a question may take, and a client may wait before it takes more of an answer
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "30s")]
    pub timeout: Duration,
    /// Questions that are answered at once; others wait
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), default_value = "16")]
    pub concurrency: u16,
    /// End when standard input ends
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

pub async fn run(args: &ServeArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let options = ServeOptions {
        catalog: args.at.catalog.clone(),
        warehouse: args.at.warehouse.clone(),
        bind: args.bind,
        url: args.url.clone(),
        title: args.title.clone(),
        refresh: args.refresh,
        timeout: args.timeout,
        concurrency: args.concurrency.into(),
    };
    Ok(serve(options, args.resources.pipeline_session()?, out, asked_to_end(args.exit_with_parent)).await?)
}
