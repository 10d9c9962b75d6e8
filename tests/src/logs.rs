//! What the functions wrote to their logs.

use anyhow::Result;

use crate::local_aws::LocalAws;

impl LocalAws {
    /// Every line of every log group in the security account.
    pub async fn log_lines(&self) -> Result<Vec<String>> {
        let logs = self.security().logs();
        let mut groups = logs.describe_log_groups().into_paginator().items().send();
        let mut lines = Vec::new();
        while let Some(group) = groups.try_next().await? {
            let mut pages = logs
                .filter_log_events()
                .set_log_group_name(group.log_group_name)
                .into_paginator()
                .send();
            while let Some(page) = pages.try_next().await? {
                let events = page.events.unwrap_or_default();
                lines.extend(events.into_iter().filter_map(|event| event.message));
            }
        }
        Ok(lines)
    }
}
