use aws_calls::{SdkConfig, failure};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use incident::{Failure, hex_digest};
use serde_json::Value;

/// The evidence bucket.
#[derive(Debug)]
pub struct Bucket {
    s3: Client,
    name: String,
}

/// A stored document.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// `s3://bucket/key`.
    pub(crate) uri: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub(crate) sha256: String,
    pub(crate) document: Value,
}

impl Bucket {
    /// The bucket of the setting `EVIDENCE_BUCKET`.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda::Error> {
        Ok(Self { s3: Client::new(config), name: lambda::setting("EVIDENCE_BUCKET")? })
    }

    /// Stores `bytes`, a JSON document, unless the key is taken, and returns what is
    /// stored.
    ///
    /// Source: S3 User Guide, "How to prevent object overwrites with conditional writes".
    pub(crate) async fn store(&self, key: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let uri = format!("s3://{}/{key}", self.name);
        let put = self
            .s3
            .put_object()
            .bucket(&self.name)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata("sha256", hex_digest(bytes))
            .body(ByteStream::from(bytes.to_vec()))
            .send()
            .await;
        let stored = match put {
            Ok(_) => bytes.to_vec(),
            Err(error)
                if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 412) =>
            {
                self.get(key, &uri).await?
            }
            Err(error) => return Err(failure("s3:PutObject", error).at(&uri)),
        };
        let document = serde_json::from_slice(&stored).map_err(|error| {
            Failure::EvidenceUnreadable { key: key.to_owned(), source: error.into() }
        })?;
        Ok(Stored { uri, sha256: hex_digest(&stored), document })
    }

    async fn get(&self, key: &str, uri: &str) -> Result<Vec<u8>, Failure> {
        let object = self.s3.get_object().bucket(&self.name).key(key).send().await;
        let object = object.map_err(|error| failure("s3:GetObject", error).at(uri))?;
        let body = object.body.collect().await;
        let body = body.map_err(|error| Failure::ServiceUnavailable {
            call: "s3:GetObject",
            source: error.into(),
        })?;
        Ok(body.to_vec())
    }
}
