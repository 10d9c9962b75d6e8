//! SDK clients for the local AWS, by whose credentials they use.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClient;

use crate::REGION;

/// Clients of all services for one set of credentials.
#[derive(Clone, Debug)]
#[must_use]
pub struct Clients {
    config: SdkConfig,
}

impl Clients {
    /// Clients that act as the root of an account.
    pub fn of_account(endpoint: &str, account: &str) -> Self {
        Self::with(endpoint, Credentials::new(account, "local", None, None, "root"))
    }

    /// Clients that use some credentials.
    pub fn with(endpoint: &str, credentials: Credentials) -> Self {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            // One for all services, and without the certificates that a TLS client loads.
            .http_client(HttpClient::new().build_http())
            .build();
        Self { config }
    }

    /// The same clients, but an answer is an answer: nothing is tried twice.
    pub fn without_retries(&self) -> Self {
        Self { config: self.config.to_builder().retry_config(RetryConfig::disabled()).build() }
    }

    /// For IAM.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    /// For `CloudWatch` Logs.
    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    /// For S3.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }

    /// For Security Hub.
    pub fn security_hub(&self) -> aws_sdk_securityhub::Client {
        aws_sdk_securityhub::Client::new(&self.config)
    }

    /// For SNS.
    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    /// For SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// For Systems Manager.
    pub fn ssm(&self) -> aws_sdk_ssm::Client {
        aws_sdk_ssm::Client::new(&self.config)
    }

    /// For Step Functions.
    pub fn states(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// For STS.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }
}
