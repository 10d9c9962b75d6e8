//! Findings as Security Hub has them, and the ways they get there.

use anyhow::{Context, Result, bail};
use aws_sdk_securityhub::primitives::{DateTime, DateTimeFormat};
use aws_sdk_securityhub::types::{
    AwsSecurityFinding, AwsSecurityFindingFilters, Compliance, ComplianceStatus, Partition,
    RecordState, Resource, ResourceDetails, Severity, SeverityLabel, StringFilter,
    StringFilterComparison,
};
use serde_json::{Value, json};

use crate::local_aws::{LocalAws, now};
use crate::user::User;
use crate::{REGION, SECURITY};

/// A finding in AWS Security Finding Format, or, of Security Hub without CSPM, in OCSF.
///
/// See "AWS Security Finding Format (ASFF)" and "OCSF findings in Security Hub" in the Security
/// Hub user guide.
#[derive(Clone, Debug)]
#[must_use]
pub struct Finding {
    asff: Value,
}

impl Finding {
    /// The guide's own finding about a user: a custom one of the user's account, CRITICAL.
    pub fn about(user: &User) -> Self {
        Self::of_account(&user.account, &user.name).resource("AwsIamUser", &user.arn)
    }

    /// The guide's own finding, about nothing yet.
    pub fn of_account(account: &str, name: &str) -> Self {
        let now = time();
        let product = format!("arn:aws:securityhub:{REGION}:{account}:product/{account}/default");
        Self {
            asff: json!({
                "SchemaVersion": "2018-10-08",
                "Id": format!("{REGION}/{account}/iam-administrator-access/{name}"),
                "ProductArn": product,
                "GeneratorId": "iam-administrator-access",
                "AwsAccountId": account,
                "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
                "CreatedAt": now,
                "UpdatedAt": now,
                "Severity": { "Label": "CRITICAL" },
                "Title": "IAM user has AdministratorAccess",
                "Description": "The user has a policy attached that allows every action.",
                "Resources": [],
                "RecordState": "ACTIVE",
            }),
        }
    }

    /// A finding as some product made it.
    pub fn of(asff: Value) -> Self {
        Self { asff }
    }

    /// With one more resource.
    pub fn resource(mut self, kind: &str, id: &str) -> Self {
        if let Some(resources) = self.asff["Resources"].as_array_mut() {
            resources.push(json!({
                "Type": kind,
                "Id": id,
                "Partition": "aws",
                "Region": REGION,
            }));
        }
        self
    }

    /// With another user as one more resource.
    pub fn and(self, user: &User) -> Self {
        self.resource("AwsIamUser", &user.arn)
    }

    /// With another value in a field, or with one more field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.asff[field] = value.into();
        self
    }

    /// Its id, which with the product's ARN tells it from all others.
    pub fn id(&self) -> &str {
        self.either("/Id", "/finding_info/uid")
    }

    /// The ARN of the product that found it.
    pub fn product(&self) -> &str {
        self.either("/ProductArn", "/metadata/product/uid")
    }

    /// The account it is about.
    pub fn account(&self) -> &str {
        self.either("/AwsAccountId", "/cloud/account/uid")
    }

    /// The finding as JSON.
    pub fn asff(&self) -> &Value {
        &self.asff
    }

    /// The event that Security Hub would put on the bus for it, for what only a direct
    /// start of the state machine can bring.
    pub fn event(&self) -> Value {
        json!({
            "version": "0",
            "id": "00000000-0000-0000-0000-000000000000",
            "detail-type": "Security Hub Findings - Imported",
            "source": "aws.securityhub",
            "account": SECURITY,
            "time": time(),
            "region": REGION,
            "resources": [format!("{}/{}", self.product(), self.id())],
            "detail": { "findings": [self.asff] },
        })
    }

    /// The event of its import while it is NEW.
    pub fn new_event(&self) -> Value {
        self.clone().with("Workflow", json!({ "Status": "NEW" })).event()
    }

    /// The event of a person's choice of it, for what only a direct start of the state machine
    /// can bring.
    pub fn chosen(&self) -> Value {
        let mut event = self.event();
        event["detail-type"] = json!("Security Hub Findings - Custom Action");
        event["detail"]["actionName"] = json!("Contain with Cordon");
        event
    }

    fn either(&self, asff: &str, ocsf: &str) -> &str {
        let found = [asff, ocsf].into_iter().find_map(|field| self.asff.pointer(field));
        found.and_then(Value::as_str).unwrap_or_default()
    }

    /// The finding as the SDK sends it.
    fn typed(&self) -> Result<AwsSecurityFinding> {
        let mut typed = AwsSecurityFinding::builder();
        let fields = self.asff.as_object().context("a finding is an object")?;
        for (field, value) in fields {
            let text = || value.as_str().map(str::to_owned);
            typed = match field.as_str() {
                "SchemaVersion" => typed.set_schema_version(text()),
                "Id" => typed.set_id(text()),
                "ProductArn" => typed.set_product_arn(text()),
                "GeneratorId" => typed.set_generator_id(text()),
                "AwsAccountId" => typed.set_aws_account_id(text()),
                "CreatedAt" => typed.set_created_at(text()),
                "UpdatedAt" => typed.set_updated_at(text()),
                "Title" => typed.set_title(text()),
                "Description" => typed.set_description(text()),
                "RecordState" => typed.set_record_state(text().as_deref().map(RecordState::from)),
                "Sample" => typed.set_sample(value.as_bool()),
                "Types" => typed.set_types(Some(serde_json::from_value(value.clone())?)),
                "ProductFields" => {
                    typed.set_product_fields(Some(serde_json::from_value(value.clone())?))
                }
                "Compliance" => {
                    let status = value["Status"].as_str().map(ComplianceStatus::from);
                    typed.compliance(Compliance::builder().set_status(status).build())
                }
                "Severity" => {
                    let label = value["Label"].as_str().map(SeverityLabel::from);
                    typed.severity(Severity::builder().set_label(label).build())
                }
                "Resources" => {
                    let resources = value.as_array().context("`Resources` is a list")?;
                    typed
                        .set_resources(Some(resources.iter().map(resource).collect::<Result<_>>()?))
                }
                _ => bail!("the harness imports no findings with a field `{field}`"),
            };
        }
        Ok(typed.build())
    }
}

fn resource(resource: &Value) -> Result<Resource> {
    let text = |field: &str| resource[field].as_str().map(str::to_owned);
    Ok(Resource::builder()
        .set_type(text("Type"))
        .set_id(text("Id"))
        .set_region(text("Region"))
        .set_partition(text("Partition").as_deref().map(Partition::from))
        .set_resource_role(text("ResourceRole"))
        .set_details(resource.get("Details").map(details).transpose()?)
        .build())
}

fn details(details: &Value) -> Result<ResourceDetails> {
    let other = serde_json::from_value(details["Other"].clone())
        .context("the harness imports no other details of a resource than `Other`")?;
    Ok(ResourceDetails::builder().set_other(Some(other)).build())
}

/// The time of now as ASFF has it.
pub(crate) fn time() -> String {
    DateTime::from_millis(i64::try_from(now().as_millis()).unwrap_or_default())
        .fmt(DateTimeFormat::DateTime)
        .unwrap_or_default()
}

impl LocalAws {
    /// Imports a finding as the account that it is about.
    pub async fn import(&self, finding: &Finding) -> Result<()> {
        let imported = self
            .account(finding.account())
            .security_hub()
            .batch_import_findings()
            .findings(finding.typed()?)
            .send()
            .await
            .context("cannot import a finding")?;
        if let Some(failed) = imported.failed_findings().first() {
            bail!(
                "Security Hub refused the finding `{}`: {} {}",
                failed.id.as_deref().unwrap_or_default(),
                failed.error_code.as_deref().unwrap_or_default(),
                failed.error_message.as_deref().unwrap_or_default()
            );
        }
        Ok(())
    }

    /// Imports a finding in the way in which its product does: the account's own one as any
    /// client can, all others as only AWS and its partners can.
    pub async fn send(&self, finding: &Finding) -> Result<()> {
        if finding.product().ends_with("/default") {
            self.import(finding).await
        } else {
            self.import_as_service(finding).await
        }
    }

    /// Imports a finding as the AWS service that its product's ARN names.
    pub async fn import_as_service(&self, finding: &Finding) -> Result<()> {
        self.beyond_aws().post("/_local/securityhub/finding", finding.asff()).await?;
        Ok(())
    }

    /// Has Security Hub without CSPM send a finding, which is in OCSF.
    pub async fn send_in_ocsf(&self, finding: &Finding) -> Result<()> {
        self.beyond_aws().post("/_local/securityhub/finding-v2", finding.asff()).await?;
        Ok(())
    }

    /// The finding as Security Hub without CSPM has it now.
    pub async fn in_ocsf(&self, finding: &Finding) -> Result<Value> {
        let uid = json!({ "Value": finding.id(), "Comparison": "EQUALS" });
        let filters = json!([{ "FieldName": "finding_info.uid", "Filter": uid }]);
        let filters = json!({ "CompositeFilters": [{ "StringFilters": filters }] });
        let call = "aws-sdk:securityhub:getFindingsV2";
        let mut found = self.perform(call, &json!({ "Filters": filters })).await?;
        let found = found["Findings"].get_mut(0).map(Value::take);
        found.with_context(|| format!("Security Hub has no finding `{}`", finding.id()))
    }

    /// Lets Security Hub have a finding without sending it to anybody, for tests that start the
    /// execution themselves.
    pub async fn store(&self, finding: &Finding) -> Result<()> {
        let path = "/_local/securityhub/finding?unsent=true";
        self.beyond_aws().post(path, finding.asff()).await?;
        Ok(())
    }

    /// Imports a finding again as its product would, while Security Hub does not show yet what
    /// customers have updated of it.
    pub async fn import_unsettled(&self, finding: &Finding) -> Result<()> {
        let path = "/_local/securityhub/finding?unsettled=true";
        self.beyond_aws().post(path, finding.asff()).await?;
        Ok(())
    }

    /// Sends findings to a custom action, as the button in the console does.
    pub async fn send_to_action(&self, action_arn: &str, findings: &[&Finding]) -> Result<()> {
        let identifiers: Vec<Value> = findings
            .iter()
            .map(|finding| json!({ "Id": finding.id(), "ProductArn": finding.product() }))
            .collect();
        self.beyond_aws()
            .post(
                "/_local/securityhub/custom-action",
                &json!({ "actionArn": action_arn, "findings": identifiers }),
            )
            .await?;
        Ok(())
    }

    /// Sends an insight's results to a custom action, as the button in the console does.
    pub async fn send_insight_to_action(&self, action_arn: &str, insight: &Value) -> Result<()> {
        let request = json!({ "actionArn": action_arn, "insight": insight });
        self.beyond_aws().post("/_local/securityhub/custom-action", &request).await?;
        Ok(())
    }

    /// The finding as Security Hub has it now.
    pub async fn in_security_hub(&self, finding: &Finding) -> Result<AwsSecurityFinding> {
        let equals = |value: &str| {
            StringFilter::builder().value(value).comparison(StringFilterComparison::Equals).build()
        };
        let found = self
            .security()
            .security_hub()
            .get_findings()
            .filters(
                AwsSecurityFindingFilters::builder()
                    .id(equals(finding.id()))
                    .product_arn(equals(finding.product()))
                    .build(),
            )
            .send()
            .await
            .context("cannot read a finding back")?;
        found
            .findings
            .unwrap_or_default()
            .into_iter()
            .next()
            .with_context(|| format!("Security Hub has no finding `{}`", finding.id()))
    }
}
