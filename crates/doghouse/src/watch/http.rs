//! Where a monitoring system asks by HTTP: `/metrics`, `/healthz` and `/readyz`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::Watch;
use crate::stream::Stream;

/// How long one may take to ask, and how long a connection may stay.
const PATIENCE: Duration = Duration::from_secs(10);
const STAY: Duration = Duration::from_mins(5);

/// What `OpenMetrics` wants to be called.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers whoever asks over a connection.
pub async fn answer(stream: Box<dyn Stream>, watch: Arc<Watch>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let response = respond(request.method(), request.uri().path(), &watch);
        async { Ok::<_, Infallible>(response) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // Whoever breaks off has heard enough.
    let _ = timeout(STAY, server.serve_connection(TokioIo::new(stream), answer)).await;
}

fn respond(method: &Method, path: &str, watch: &Watch) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    let (status, kind, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, OPEN_METRICS, watch.metrics().to_text())
        }
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, plain, "well\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") if watch.is_open() => match watch.trouble() {
            None => (StatusCode::OK, plain, "ready\n".to_owned()),
            // The log says more, to whom it may concern.
            Some(_) => (StatusCode::SERVICE_UNAVAILABLE, plain, "the database is away\n".to_owned()),
        },
        (&Method::GET | &Method::HEAD, "/readyz") => {
            (StatusCode::SERVICE_UNAVAILABLE, plain, "going down\n".to_owned())
        }
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, plain, "there are /metrics, /healthz and /readyz\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, plain, "this can only be read\n".to_owned()),
    };
    let body = if *method == Method::HEAD { Full::default() } else { Full::from(text) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
