//! The evidence bucket: stored once, read back, listed. Its policy sees to it that nothing in it
//! is overwritten, whoever writes.

pub mod schema;

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
pub struct Object {
    /// Where it lies.
    pub stored: Stored,
    bytes: Vec<u8>,
}

impl Object {
    /// What it says, or [`Failure::EvidenceUnreadable`].
    pub fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes).map_err(|error| unreadable(&self.stored.uri, error))
    }
}

/// The failure of what lies where evidence should, and is none.
#[must_use]
pub fn unreadable(uri: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::EvidenceUnreadable { key: uri.to_owned(), source: why.into() }
}

impl Bucket {
    /// The bucket of the setting `EVIDENCE_BUCKET`.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda::Error> {
        Ok(Self::new(Client::new(config), lambda::setting("EVIDENCE_BUCKET")?))
    }

    /// The bucket of this name, through this client.
    #[must_use]
    pub fn new(s3: Client, name: String) -> Self {
        Self { s3, name }
    }

    /// What people call the object under this key.
    #[must_use]
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Stores `bytes`, a JSON document, and returns what is stored; nothing, where the key
    /// is taken.
    ///
    /// Source: S3 User Guide, "How to prevent object overwrites with conditional writes".
    pub async fn create(&self, key: &str, bytes: &[u8]) -> Result<Option<Object>, Failure> {
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

    /// The very object that was stored, by its version. Fails with
    /// [`Failure::EvidenceMismatch`] where its bytes are not those of the digest, or where it
    /// lies in another bucket.
    pub async fn read_stored(&self, stored: &Stored) -> Result<Object, Failure> {
        let Stored { uri, version, sha256 } = stored;
        let mismatch =
            |why: &str| Failure::EvidenceMismatch { uri: uri.clone(), why: why.to_owned() };
        let key = uri.strip_prefix(&self.uri(""));
        let key = key.ok_or_else(|| mismatch("it lies in another bucket"))?;
        let object = self.read_as(key, version.clone()).await?;
        if object.stored.sha256 != *sha256 {
            return Err(mismatch("its bytes have another SHA-256"));
        }
        Ok(object)
    }

    /// What is stored under the key. Whatever AWS does not hand out (no such object, another
    /// key's encryption, an archive) and whatever is too large is
    /// [`Failure::EvidenceUnreadable`]: the same would be read again.
    pub async fn read(&self, key: &str) -> Result<Object, Failure> {
        self.read_as(key, None).await
    }

    async fn read_as(&self, key: &str, version: Option<String>) -> Result<Object, Failure> {
        let uri = self.uri(key);
        let get = self.s3.get_object().bucket(&self.name).key(key).set_version_id(version);
        let object = get.send().await;
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
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let pages = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator();
        let pages = all("s3:ListBucket", pages.send()).await;
        let pages = pages.map_err(|failure| failure.at(&self.uri(prefix)))?;
        let keys = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
        let keys = keys.filter_map(|object| object.key);
        Ok(keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)).collect())
    }
}

#[cfg(test)]
mod tests {
    use wire::{HttpResponse, Rule, mock, respond};

    use super::*;

    fn bucket(rules: &[&Rule]) -> Bucket {
        Bucket::new(wire::s3(rules), "evidence-bucket".into())
    }

    fn refuses(status: u16, code: &str) -> HttpResponse {
        respond(status, &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
    }

    #[tokio::test]
    async fn nothing_is_overwritten_and_a_key_that_is_taken_is_no_failure() {
        for (status, code, expected) in [
            (412, "PreconditionFailed", Ok(())),
            (409, "ConditionalRequestConflict", Err("ServiceUnavailable")),
            (403, "AccessDenied", Err("AccessDenied")),
            (503, "SlowDown", Err("Throttled")),
        ] {
            let put = mock!(Client::put_object)
                .match_requests(|put| put.if_none_match() == Some("*"))
                .then_http_response(move || refuses(status, code));
            let created = bucket(&[&put]).create("a/key", b"{}").await;
            let created = created.map(|created| assert!(created.is_none()));
            let said = created.as_ref().err().map(Failure::chain);
            assert!(said.is_none_or(|said| said.contains("s3://evidence-bucket/a/key")));
            assert_eq!(created.map_err(|failure| failure.name()), expected, "{code}");
        }
    }

    #[tokio::test]
    async fn what_would_be_read_again_is_unreadable_and_what_passes_is_not() {
        let large = || {
            let mut large = respond(200, "");
            large.headers_mut().insert("content-length", (LARGEST + 1).to_string());
            large
        };
        for (answer, name) in [
            ((|| refuses(404, "NoSuchKey")) as fn() -> _, "EvidenceUnreadable"),
            (|| refuses(403, "AccessDenied"), "EvidenceUnreadable"),
            (|| refuses(403, "InvalidObjectState"), "EvidenceUnreadable"),
            (large, "EvidenceUnreadable"),
            (|| refuses(503, "SlowDown"), "Throttled"),
            (|| refuses(500, "InternalError"), "ServiceUnavailable"),
        ] {
            let get = mock!(Client::get_object).then_http_response(answer);
            let failure = bucket(&[&get]).read("a/key").await.unwrap_err();
            assert_eq!(failure.name(), name);
            assert!(failure.chain().contains("s3://evidence-bucket/a/key"));
        }
    }

    #[tokio::test]
    async fn keys_are_listed_to_the_last_page() {
        let page = |token: Option<&'static str>, page: &'static str| {
            mock!(Client::list_objects_v2)
                .match_requests(move |list| {
                    list.prefix() == Some("a/") && list.continuation_token() == token
                })
                .then_http_response(move || {
                    respond(200, &format!("<ListBucketResult>{page}</ListBucketResult>"))
                })
        };
        let first = "<Contents><Key>a/0001/original.json</Key></Contents>\
                     <IsTruncated>true</IsTruncated>\
                     <NextContinuationToken>2</NextContinuationToken>";
        let second = "<Contents><Key>a/0002/original.json</Key></Contents>";
        let rules = [&page(None, first), &page(Some("2"), second)];
        let keys = bucket(&rules).list("a/").await.unwrap();
        assert_eq!(keys, ["0001/original.json", "0002/original.json"]);
    }
}
