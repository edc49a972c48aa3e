//! What the service says of itself: a line for each request, and metrics.

use std::fmt;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::App;
use super::error::ApiError;
use super::log::log;

/// Upper bounds of the classes of durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The route of what no route is for.
const NO_ROUTE: &str = "none";

/// Requests, by number and duration.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Routed, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Routed {
    route: String,
}

impl Metrics {
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("earthcatalog"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
        };
        let Self { mut registry, requests, durations, in_flight } = metrics;
        registry.register("http_requests", "Requests that were answered", requests.clone());
        let help = "Seconds until an answer began";
        registry.register("http_request_duration_seconds", help, durations.clone());
        registry.register("http_requests_in_flight", "Requests of which the answer has not begun", in_flight.clone());
        Self { registry, requests, durations, in_flight }
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts a request that is under way, until it is dropped: a client may go before it has an answer.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn count(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `GET /metrics`, in the text format of Prometheus and OpenMetrics.
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.metrics.text().map_err(ApiError::internal)?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

/// Notes each request in the metrics, and in a line of the log.
pub(super) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let _in_flight = InFlight::count(&app.metrics.in_flight);
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let (elapsed, status) = (started.elapsed(), response.status().as_u16());
    // A client may make up methods without end.
    let known = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
    let name = known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other").to_owned();
    app.metrics.requests.get_or_create(&Answered { method: name, route: route.clone(), status }).inc();
    app.metrics.durations.get_or_create(&Routed { route }).observe(elapsed.as_secs_f64());
    log(format_args!("{method} {uri} {status} {:.1} ms", elapsed.as_secs_f64() * 1e3));
    response
}
