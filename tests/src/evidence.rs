//! The evidence bucket.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::local_aws::LocalAws;
use crate::place::sha256;
use crate::user::User;

/// One object of evidence.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Where it lies.
    pub uri: String,
    /// Its content, byte for byte.
    pub bytes: Vec<u8>,
}

impl Evidence {
    /// Its SHA-256, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        sha256(&self.bytes)
    }

    /// What it says.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.bytes).with_context(|| format!("`{}` is not JSON", self.uri))
    }
}

impl LocalAws {
    /// A user as it was before Cordon first changed it.
    pub async fn original_evidence(&self, user: &User) -> Result<Evidence> {
        let key = format!("evidence/{}/{}/original.json", user.account, user.id);
        self.evidence(&key).await
    }

    /// All evidence about a user, in the order of its keys.
    pub async fn evidence_about(&self, user: &User) -> Result<Vec<Evidence>> {
        self.evidence_below(&format!("evidence/{}/{}/", user.account, user.id)).await
    }

    /// All evidence whose key begins with something.
    pub async fn evidence_below(&self, prefix: &str) -> Result<Vec<Evidence>> {
        let mut pages = self
            .security()
            .s3()
            .list_objects_v2()
            .bucket(&self.outputs().evidence_bucket_name)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut all = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for key in page.contents.unwrap_or_default().into_iter().filter_map(|it| it.key) {
                all.push(self.evidence(&key).await?);
            }
        }
        Ok(all)
    }

    /// How often something has been written to a key.
    pub async fn evidence_versions(&self, key: &str) -> Result<usize> {
        let versions = self
            .security()
            .s3()
            .list_object_versions()
            .bucket(&self.outputs().evidence_bucket_name)
            .prefix(key)
            .send()
            .await
            .with_context(|| format!("cannot list the versions of `{key}`"))?;
        Ok(versions.versions().len() + versions.delete_markers().len())
    }

    /// The object at a URI like `s3://bucket/key`.
    pub async fn evidence_at(&self, uri: &str) -> Result<Evidence> {
        let bucket = format!("s3://{}/", self.outputs().evidence_bucket_name);
        let key = uri
            .strip_prefix(&bucket)
            .with_context(|| format!("`{uri}` is not in the evidence bucket"))?;
        self.evidence(key).await
    }

    async fn evidence(&self, key: &str) -> Result<Evidence> {
        let bucket = &self.outputs().evidence_bucket_name;
        let object = self
            .security()
            .s3()
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .with_context(|| format!("no evidence at `{key}`"))?;
        Ok(Evidence {
            uri: format!("s3://{bucket}/{key}"),
            bytes: object.body.collect().await?.to_vec(),
        })
    }
}
