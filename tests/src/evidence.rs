//! The evidence bucket.

use std::collections::BTreeMap;

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
    /// The last part of its key.
    pub fn name(&self) -> &str {
        self.uri.rsplit('/').next().unwrap_or_default()
    }

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
    /// The original of a principal's newest case: the principal as it was before the case's
    /// first incident changed it.
    pub async fn newest_original(&self, account: &str, id: &str) -> Result<Option<Evidence>> {
        let all = self.evidence_below(&format!("evidence/{account}/{id}/")).await?;
        Ok(all.into_iter().rfind(|one| one.uri.ends_with("/original.json")))
    }

    /// The evidence of a user's case with this number, by the names of its files.
    pub async fn case(&self, user: &User, number: u16) -> Result<BTreeMap<String, Evidence>> {
        let below = format!("evidence/{}/{}/{number:04}/", user.account, user.id);
        let files = self.evidence_below(&below).await?.into_iter();
        Ok(files.map(|one| (one.name().to_owned(), one)).collect())
    }

    /// How many cases a user has.
    pub async fn cases(&self, user: &User) -> Result<usize> {
        let all = self.evidence_about(user).await?;
        Ok(all.iter().filter(|one| one.uri.ends_with("/original.json")).count())
    }

    /// Puts something into the bucket as whoever may do anything there: as no role of ours can,
    /// over what is there.
    pub async fn plant_evidence(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let bucket = &self.outputs().evidence_bucket_name;
        let put = self.security().s3().put_object().bucket(bucket).key(key);
        put.body(bytes.to_vec().into()).send().await.context("cannot plant evidence")?;
        Ok(())
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
