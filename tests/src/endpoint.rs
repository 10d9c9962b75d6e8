//! The paths under `/_local/`, which only the local AWS has.

use anyhow::{Context, Result, bail};
use http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Where a local AWS answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: String,
    client: Client<HttpConnector, String>,
}

impl Endpoint {
    /// At a port of this machine.
    pub fn at_port(port: u16) -> Self {
        Self {
            url: format!("http://127.0.0.1:{port}"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The URL for SDKs and the AWS CLI.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether a local AWS of ours answers there.
    pub async fn is_ready(&self) -> bool {
        self.get("/_local/health").await.is_ok()
    }

    /// Fails unless the answer is a success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, String::new()).await
    }

    /// Fails unless the answer is a success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, body.to_string()).await
    }

    /// Fails unless the answer is a success.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, String::new()).await
    }

    async fn call(&self, method: Method, path: &str, body: String) -> Result<Value> {
        let call = format!("{method} {path}");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body)?;
        let response = self
            .client
            .request(request)
            .await
            .with_context(|| format!("`{call}` got no answer"))?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("`{call}` was answered {status}: {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("`{call}` was not answered in JSON"))
    }
}
