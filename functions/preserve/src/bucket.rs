use aws_calls::{SdkConfig, failure};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use incident::Failure;

/// The evidence bucket.
#[derive(Debug)]
pub struct Bucket {
    s3: Client,
    name: String,
}

impl Bucket {
    /// The bucket of the setting `EVIDENCE_BUCKET`.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda::Error> {
        Ok(Self {
            s3: Client::new(config),
            name: lambda::setting("EVIDENCE_BUCKET")?,
        })
    }

    /// `s3://bucket/key`.
    #[must_use]
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Stores `bytes` unless the key is taken, and returns what is stored.
    ///
    /// Source: S3 User Guide, "How to prevent object overwrites with conditional writes".
    pub async fn put_once(&self, key: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let put = self
            .s3
            .put_object()
            .bucket(&self.name)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata("sha256", incident::hex_digest(&bytes))
            .body(ByteStream::from(bytes.clone()))
            .send()
            .await;
        match put {
            Ok(_) => Ok(bytes),
            Err(error)
                if error
                    .raw_response()
                    .is_some_and(|answer| answer.status().as_u16() == 412) =>
            {
                self.get(key).await
            }
            Err(error) => Err(failure("s3:PutObject", error)),
        }
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Failure> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await;
        let object = object.map_err(|error| failure("s3:GetObject", error))?;
        let body = object.body.collect().await;
        let body = body.map_err(|error| Failure::ServiceUnavailable {
            call: "s3:GetObject",
            source: error.into(),
        })?;
        Ok(body.to_vec())
    }
}
