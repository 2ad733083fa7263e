//! Spans on their way to an OpenTelemetry collector: of binds, reloads and drains, with what is logged within them. OTLP
//! over HTTP in protobuf, in a thread of its own. With the feature `otlp` only; metrics are read from `/metrics`.
//!
//! A bind's span is sent when the bind has ended. What a collector does not take is dropped, and nothing waits for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// How long one export may take, and the last one at the end.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer of a collector that is read, in octets.
const MOST_ANSWERED: u64 = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Spans(SdkTracerProvider);

impl Spans {
    /// To the collector at this URL, under which `/v1/traces` is asked for. Asks nothing of it yet.
    ///
    /// # Errors
    /// The URL is none.
    pub fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new())
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .build()?;
        let resource = Resource::builder().with_service_name("smppolicy");
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build());
        Ok(Self(provider.build()))
    }

    /// What hands spans over.
    pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        OpenTelemetryLayer::new(self.0.tracer("smppolicy"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what there is, and no more after that. Blocks, for ten seconds at most.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(TIMEOUT) {
            tracing::warn!(%error, "the last spans may not have reached the collector");
        }
    }
}

/// Sends over the TLS that everything else uses. It blocks, as the thread of the exporter may.
#[derive(Debug)]
struct Client(Agent);

impl Client {
    fn new() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::WebPki).unversioned_rustls_crypto_provider(provider);
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent("smppolicy");
        Self(agent.build().new_agent())
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, mut body) = self.0.run(request.map(|body| body.to_vec()))?.into_parts();
        let body = body.with_config().limit(MOST_ANSWERED).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}
