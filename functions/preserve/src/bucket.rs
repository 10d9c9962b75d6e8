use aws_calls::{SdkConfig, all, failure};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use incident::{Failure, Stored, hex_digest};
use serde::de::DeserializeOwned;

/// The most bytes of evidence that are read: IAM's quotas and a finding's 240 KB leave a
/// document well below. What is larger was planted.
const LARGEST: i64 = 16 * 1024 * 1024;

/// The evidence bucket. Nothing in it is ever overwritten.
#[derive(Debug)]
pub struct Bucket {
    s3: Client,
    name: String,
}

/// A stored document.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) stored: Stored,
    bytes: Vec<u8>,
}

impl Object {
    /// What it says, or [`Failure::EvidenceUnreadable`].
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes).map_err(|error| unreadable(&self.stored.uri, error))
    }
}

/// The failure of what lies where evidence should, and is none.
pub(crate) fn unreadable(
    uri: &str,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Failure {
    Failure::EvidenceUnreadable { key: uri.to_owned(), source: why.into() }
}

impl Bucket {
    /// The bucket of the setting `EVIDENCE_BUCKET`.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda::Error> {
        Ok(Self { s3: Client::new(config), name: lambda::setting("EVIDENCE_BUCKET")? })
    }

    pub(crate) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Stores `bytes`, a JSON document, and returns what is stored; nothing, where the key
    /// is taken.
    ///
    /// Source: S3 User Guide, "How to prevent object overwrites with conditional writes".
    pub(crate) async fn create(&self, key: &str, bytes: &[u8]) -> Result<Option<Object>, Failure> {
        let uri = self.uri(key);
        let sha256 = hex_digest(bytes);
        let put = self
            .s3
            .put_object()
            .bucket(&self.name)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata("sha256", &sha256)
            .body(ByteStream::from(bytes.to_vec()))
            .send()
            .await;
        match put {
            Ok(put) => Ok(Some(Object {
                stored: Stored { uri, version: put.version_id, sha256 },
                bytes: bytes.to_vec(),
            })),
            Err(error)
                if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 412) =>
            {
                Ok(None)
            }
            Err(error) => Err(failure("s3:PutObject", error).at(&uri)),
        }
    }

    /// What is stored under the key. Whatever AWS does not hand out (no such object, another
    /// key's encryption, an archive) and whatever is too large is
    /// [`Failure::EvidenceUnreadable`]: the same would be read again.
    pub(crate) async fn read(&self, key: &str) -> Result<Object, Failure> {
        let uri = self.uri(key);
        let object = self.s3.get_object().bucket(&self.name).key(key).send().await;
        let object = object.map_err(|error| match failure("s3:GetObject", error) {
            passes @ (Failure::Throttled { .. } | Failure::ServiceUnavailable { .. }) => {
                passes.at(&uri)
            }
            lasts => unreadable(&uri, lasts),
        })?;
        let length = object.content_length.unwrap_or_default();
        if length > LARGEST {
            return Err(unreadable(&uri, format!("it has {length} bytes")));
        }
        let body = object.body.collect().await;
        let bytes = body
            .map_err(|error| Failure::ServiceUnavailable {
                call: "s3:GetObject",
                source: error.into(),
            })?
            .to_vec();
        let sha256 = hex_digest(&bytes);
        Ok(Object { stored: Stored { uri, version: object.version_id, sha256 }, bytes })
    }

    /// The keys below the prefix, without it, in their order and to the last page.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let pages = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator();
        let pages = all("s3:ListBucket", pages.send()).await;
        let pages = pages.map_err(|failure| failure.at(&self.uri(prefix)))?;
        let keys = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
        let keys = keys.filter_map(|object| object.key);
        Ok(keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)).collect())
    }
}
