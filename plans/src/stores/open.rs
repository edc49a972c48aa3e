//! Makes the client of a store, from its URL and the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};
use url::Url;

use super::advice::Service;
use super::aws_profile::AwsProfile;
use super::faults::{Faults, Faulty};
use super::retry::Retrying;
use super::{StoreError, key};

/// How clients repeat requests: a server that refuses connections is an error after some 5 seconds, one that does not
/// answer after a minute at most. [`Retrying`] goes on where a server only says that it is busy.
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(5), base: 2. };
    RetryConfig { backoff, max_retries: 4, retry_timeout: Duration::from_secs(30) }
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..retries() }
}

/// A store, and the same without repetitions of its client's.
type Clients = (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>);

/// Keys of an S3 bucket that somebody hands out, with what they say of it.
#[derive(Debug)]
pub struct HandedKeys {
    pub keys: Arc<dyn CredentialProvider<Credential = AwsCredential>>,
    pub region: Option<String>,
    pub endpoint: Option<String>,
}

/// Opens an S3 bucket with keys that were handed out for it; `None` where the environment has keys, or it is no bucket of S3.
pub(super) fn with_handed_keys(url: &Url, handed: HandedKeys) -> Option<Result<Arc<dyn ObjectStore>, StoreError>> {
    if !matches!(url.scheme(), "s3" | "s3a") {
        return None;
    }
    let opened = (|| {
        let (builder, has_credentials) = s3_builder(url)?;
        if has_credentials {
            return Ok(None);
        }
        let mut builder = builder.with_credentials(handed.keys);
        let is_set = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
        if let Some(region) = handed.region.filter(|_| !is_set(&builder, AmazonS3ConfigKey::Region)) {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = handed.endpoint.filter(|_| !is_set(&builder, AmazonS3ConfigKey::Endpoint)) {
            builder = builder.with_endpoint(endpoint);
        }
        Ok(Some(retrying(Service::S3, s3_clients(url, builder)?, Faults::from_env()?)))
    })();
    opened.transpose()
}

/// Opens the store behind `url`.
pub(super) fn open(url: &Url) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let faults = Faults::from_env()?;
    let failed = |source| StoreError::Open { url: url.clone(), source: Box::new(source) };
    let (service, (inner, once)) = match url.scheme() {
        // Nothing is transient there.
        "file" => return Ok(Arc::new(LocalFileSystem::new())),
        "memory" if faults.is_none() => return Ok(Arc::new(InMemory::new())),
        "memory" => {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            (Service::Other, clients(Arc::clone(&store), store))
        }
        "s3" | "s3a" => (Service::S3, s3(url)?),
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
            let client = |retries| builder.clone().with_retry(retries).build().map_err(failed);
            (Service::Google, clients(client(retries())?, client(no_retries())?))
        }
        "az" | "abfs" | "abfss" => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
            let client = |retries| builder.clone().with_retry(retries).build().map_err(failed);
            (Service::Azure, clients(client(retries())?, client(no_retries())?))
        }
        "http" | "https" => {
            let options = ClientOptions::new().with_allow_http(true);
            let builder = HttpBuilder::new().with_url(key(url)).with_client_options(options).with_retry(retries());
            // It knows no conditional writes.
            let client: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(failed)?);
            (Service::Other, clients(Arc::clone(&client), client))
        }
        other => return Err(StoreError::UnknownScheme { url: url.clone(), scheme: other.to_owned() }),
    };
    Ok(retrying(service, (inner, once), faults))
}

fn retrying(service: Service, (inner, once): Clients, faults: Option<Arc<Faults>>) -> Arc<dyn ObjectStore> {
    match faults {
        None => Arc::new(Retrying::over(inner, once, service)),
        Some(faults) => {
            let [inner, once] = [inner, once].map(|store| Arc::new(Faulty::over(store, Arc::clone(&faults))));
            Arc::new(Retrying::over(inner, once, service).with_backoff(faults.backoff()))
        }
    }
}

fn clients(patient: impl ObjectStore, once: impl ObjectStore) -> Clients {
    (Arc::new(patient), Arc::new(once))
}

fn s3(url: &Url) -> Result<Clients, StoreError> {
    let (builder, has_credentials) = s3_builder(url)?;
    // The client would ask the machine's metadata service, whatever this says.
    let asks_the_machine =
        !std::env::var("AWS_EC2_METADATA_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if !asks_the_machine && !has_credentials {
        return Err(StoreError::NoCredentials { url: url.clone(), advice: Service::S3.credentials() });
    }
    s3_clients(url, builder)
}

/// The client of a bucket, as the environment says, and whether it has credentials there.
fn s3_builder(url: &Url) -> Result<(AmazonS3Builder, bool), StoreError> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_true = |name: &str| std::env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let others =
        ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    let mut builder = AmazonS3Builder::from_env().with_url(url.as_str());
    let mut has_credentials = builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).is_some()
        || is_true("AWS_SKIP_SIGNATURE")
        || others.iter().any(|name| set(name));
    if !has_credentials && let Some(profile) = AwsProfile::find().map_err(StoreError::Profile)? {
        if let Some(region) = profile.region().filter(|_| !set("AWS_REGION") && !set("AWS_DEFAULT_REGION")) {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = profile.endpoint().filter(|_| !set("AWS_ENDPOINT_URL") && !set("AWS_ENDPOINT")) {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(credentials) = profile.credentials() {
            builder = builder.with_credentials(credentials);
            has_credentials = true;
        }
    }
    Ok((builder, has_credentials))
}

fn s3_clients(url: &Url, builder: AmazonS3Builder) -> Result<Clients, StoreError> {
    let failed = |source| StoreError::Open { url: url.clone(), source: Box::new(source) };
    // The client takes it as it is, and panics.
    for key in [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint] {
        let endpoint = builder.get_config_value(&key);
        if let Some(endpoint) = endpoint.filter(|e| !Url::parse(e).is_ok_and(|e| e.has_host())) {
            return Err(StoreError::Endpoint { endpoint });
        }
    }
    let client = |retries| builder.clone().with_retry(retries).build().map_err(failed);
    Ok(clients(client(retries())?, client(no_retries())?))
}
