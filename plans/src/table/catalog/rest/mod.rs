//! [`RestCatalog`]: a table behind a server that speaks [Iceberg's REST protocol](https://iceberg.apache.org/rest-catalog-spec/).
//!
//! - `address`: which table of which catalog; `access`: who asks for it.
//! - `client`: requests and answers; `words`: what a message says of them.
//! - `vended`: the keys of an object store that the server hands out.

mod access;
mod address;
mod client;
mod vended;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use iceberg::spec::{TableMetadata, TableMetadataRef};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::access::Settings;
pub(super) use self::address::Address;
use self::client::{Answer, Request, RestClient};
use super::{Current, Swap, difference};
use crate::table::error::WarehouseError;
use crate::table::rest_error::RestError;
use crate::table::state::TableState;

type Result<T> = std::result::Result<T, RestError>;

/// What the requests are called in messages.
const LOAD: &str = "a request for the table";
const CREATE: &str = "the creation of the table";
const CREATE_NAMESPACE: &str = "the creation of the namespace";
const REGISTER: &str = "the registration of the table";
const COMMIT: &str = "a commit";

/// What the names of our own properties of a table begin with.
const OWN_PROPERTIES: &str = "earthcatalog.";

/// A table of a REST catalog. Clones share connections, tokens, and what they have read.
#[derive(Debug, Clone)]
pub(super) struct RestCatalog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: RestClient,
    seen: Mutex<Option<Seen>>,
    vended: vended::Vended,
}

/// The table as it was read last, and what its server calls that state.
#[derive(Debug, Clone)]
struct Seen {
    etag: String,
    current: Current,
}

impl RestCatalog {
    /// The table at an address. A process has one client of each, for as long as the environment says the same of who asks.
    pub fn at(address: Address) -> Result<Self> {
        static CATALOGS: LazyLock<Mutex<HashMap<(Address, Settings), RestCatalog>>> = LazyLock::new(Mutex::default);
        let key = (address, Settings::from_env());
        let mut catalogs = CATALOGS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = catalogs.get(&key) {
            return Ok(known.clone());
        }
        let client = RestClient::new(key.0.clone(), &key.1)?;
        let inner = Inner { client, seen: Mutex::default(), vended: vended::Vended::default() };
        let catalog = Self { inner: Arc::new(inner) };
        catalogs.insert(key, catalog.clone());
        Ok(catalog)
    }

    pub fn address(&self) -> &Address {
        &self.inner.client.address
    }

    /// The table as it is now; `None` where there is none.
    pub async fn load(&self) -> Result<Option<Current>> {
        let client = &self.inner.client;
        let seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let path = client.table_path().await?;
        let etag = seen.as_ref().map(|seen| seen.etag.as_str());
        let answer = client.ask(Request { name: LOAD, path, etag, ..Request::default() }).await?;
        match (answer.status, seen) {
            (StatusCode::NOT_MODIFIED, Some(seen)) => Ok(Some(seen.current)),
            // Of a page that is not there, nothing says that it could be a table.
            (StatusCode::NOT_FOUND, _) if answer.error_type().is_some() => Ok(None),
            (status, _) if status.is_success() => Ok(Some(self.current(LOAD, &answer)?)),
            _ => Err(client.refused(LOAD, &answer)),
        }
    }

    /// As [`Self::load`], whether or not the table has changed: with what else the server says of it by now.
    pub async fn load_again(&self) -> Result<Option<Current>> {
        *self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.load().await
    }

    /// Creates the namespace, and those that it lies in, unless they are there.
    pub async fn create_namespace(&self) -> Result<()> {
        let client = &self.inner.client;
        let exists = client.namespace_path().await?;
        let found = client.ask(Request { name: CREATE_NAMESPACE, path: exists, ..Request::default() }).await?;
        if found.status.is_success() {
            return Ok(());
        }
        let levels = self.address().namespace();
        for n in 1..=levels.len() {
            let body = json!({ "namespace": &levels[..n], "properties": {} });
            let path = "namespaces".to_owned();
            let request = Request { name: CREATE_NAMESPACE, method: Method::POST, path, body: Some(&body), etag: None };
            let answer = client.ask(request).await?;
            // That there is one already is as good.
            if !answer.status.is_success() && answer.status != StatusCode::CONFLICT {
                return Err(client.refused(CREATE_NAMESPACE, &answer));
            }
        }
        Ok(())
    }

    /// Creates a table with the schema, partitioning, order, properties and location of `metadata`; `false` if there is one.
    pub async fn create(&self, metadata: &TableMetadata) -> Result<bool> {
        let client = &self.inner.client;
        let mut properties: HashMap<&str, &str> =
            metadata.properties().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let version = metadata.format_version().to_string();
        properties.insert("format-version", version.trim_start_matches('v'));
        let body = json!({
            "name": self.address().table(),
            "location": metadata.location(),
            "schema": metadata.current_schema(),
            "partition-spec": metadata.default_partition_spec(),
            "write-order": metadata.default_sort_order(),
            "stage-create": false,
            "properties": properties,
        });
        let path = format!("{}/tables", client.namespace_path().await?);
        let request = Request { name: CREATE, method: Method::POST, path, body: Some(&body), etag: None };
        let answer = client.ask(request).await?;
        match answer.status {
            StatusCode::CONFLICT => Ok(false),
            status if status.is_success() => {
                let created = self.current(CREATE, &answer)?;
                let created = created.metadata.as_deref();
                match created.and_then(|created| otherwise(created, metadata)) {
                    None => Ok(true),
                    Some(reason) => Err(RestError::Created {
                        catalog: self.address().to_string(),
                        table: self.address().table_name(),
                        reason,
                    }),
                }
            }
            _ => Err(client.refused(CREATE, &answer)),
        }
    }

    /// Enters the table whose metadata lies at a location; `false` if there is one.
    pub async fn register(&self, metadata_location: &str) -> Result<bool> {
        let client = &self.inner.client;
        let body = json!({ "name": self.address().table(), "metadata-location": metadata_location });
        let path = format!("{}/register", client.namespace_path().await?);
        let request = Request { name: REGISTER, method: Method::POST, path, body: Some(&body), etag: None };
        let answer = client.ask(request).await?;
        match answer.status {
            StatusCode::CONFLICT => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(client.refused(REGISTER, &answer)),
        }
    }

    /// Tells the catalog what leads from `base` to `next`.
    pub async fn commit(&self, base: &TableState, next: &TableMetadataRef) -> Swap {
        let catalog = self.address().to_string();
        let difference = match difference::between(&base.metadata, next) {
            Ok(difference) => difference,
            Err(reason) => return Swap::Refused(RestError::Inexpressible { catalog, reason }.into()),
        };
        if difference.updates.is_empty() {
            return Swap::Done(base.metadata_location.clone());
        }
        match self.send_commit(&difference).await {
            Ok(answer) if answer.status == StatusCode::CONFLICT => Swap::Lost,
            Ok(answer) if answer.status.is_success() => match self.location(COMMIT, &answer) {
                Ok((location, _)) => Swap::Done(location),
                Err(e) => Swap::Unknown(e.into()),
            },
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && answer.error_type().is_some() => {
                Swap::Refused(WarehouseError::NoTable { catalog, table: self.address().table_name() })
            }
            Ok(answer) => Swap::Refused(self.inner.client.refused(COMMIT, &answer).into()),
            Err(e @ RestError::NoAnswer { .. }) => Swap::Unknown(e.into()),
            Err(e) => Swap::Refused(e.into()),
        }
    }

    async fn send_commit(&self, difference: &difference::Difference) -> Result<Answer> {
        let client = &self.inner.client;
        let body = json!({
            "identifier": { "namespace": self.address().namespace(), "name": self.address().table() },
            "requirements": difference.requirements,
            "updates": difference.updates,
        });
        let path = client.table_path().await?;
        client.tell(Request { name: COMMIT, method: Method::POST, path, body: Some(&body), etag: None }).await
    }

    /// The table of an answer, which is the newest that is known from then on.
    fn current(&self, request: &'static str, answer: &Answer) -> Result<Current> {
        let (location, mut body) = self.location(request, answer)?;
        let metadata: TableMetadata = serde_json::from_value(body["metadata"].take())
            .map_err(|e| self.inner.client.misunderstood(request, format!("its metadata of the table: {e}")))?;
        vended::take(self, &body, metadata.location());
        let current = Current { location, metadata: Some(metadata.into()) };
        let seen = answer.etag.clone().map(|etag| Seen { etag, current: current.clone() });
        *self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(current)
    }

    /// The location of the metadata in an answer, and the answer.
    fn location(&self, request: &'static str, answer: &Answer) -> Result<(String, Value)> {
        let misunderstood = |reason: &str| self.inner.client.misunderstood(request, reason);
        let body: Value = serde_json::from_slice(&answer.body).map_err(|e| misunderstood(&e.to_string()))?;
        let location = body["metadata-location"].as_str();
        let location = location.ok_or_else(|| misunderstood("it does not say where the metadata of the table is"))?;
        Ok((location.to_owned(), body))
    }
}

/// What of a new table is not as it was asked for, and matters.
fn otherwise(created: &TableMetadata, asked: &TableMetadata) -> Option<String> {
    let (is, wanted) = (created.location().trim_end_matches('/'), asked.location().trim_end_matches('/'));
    if is != wanted {
        return Some(format!("its location is {is}, not {wanted}"));
    }
    if created.current_schema().as_struct() != asked.current_schema().as_struct() {
        return Some("its columns have other types or field ids".to_owned());
    }
    if created.format_version() != asked.format_version() {
        return Some(format!("its format version is {}", created.format_version()));
    }
    // Others may be set otherwise there: one server writes the name mapping in its own words.
    let mut ours = asked.properties().iter().filter(|(name, _)| name.starts_with(OWN_PROPERTIES));
    let without = ours.find(|(name, value)| created.properties().get(*name) != Some(*value));
    without.map(|(name, _)| format!("its property {name} is another one"))
}
