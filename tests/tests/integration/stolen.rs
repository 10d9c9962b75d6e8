//! What a thief of one function's credentials can do to a principal under no deny, to evidence,
//! findings and alerts: tried with the real credentials, and held against the README's table.

use std::pin::Pin;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::types::{StatusType, Tag};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ObjectLockRetention, ObjectLockRetentionMode};
use aws_sdk_securityhub::types::{AwsSecurityFindingIdentifier, WorkflowStatus, WorkflowUpdate};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::clients::Clients;
use harness::finding::Finding;
use harness::place::repository;
use harness::role::Role;
use harness::steps::Step;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User, allow_all};

use crate::grants::enter;
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone(
        "what a function's stolen credentials can do is what the README says, row by row",
        as_the_readme_says,
    );
}

/// What a containment leaves on whom it contained.
const OUR_TAG: &str = "SecurityIncident";

/// Whether a call succeeds.
type Succeeds<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// What can be done, and the calls of which one is enough for it.
type Deed<'a> = (&'static str, Vec<Succeeds<'a>>);

fn call<'a, T, E>(call: impl Future<Output = Result<T, E>> + Send + 'a) -> Succeeds<'a> {
    Box::pin(async { call.await.is_ok() })
}

async fn as_the_readme_says(alone: &Alone<'_>) -> Result<()> {
    let readme = std::fs::read_to_string(repository().join("statemachine/README.md"))?;
    for step in Step::all()? {
        let function = alone.credentials_of(&step.state).await?.without_retries();
        let mut principal = listed(&[]);
        if step.member_policy.is_some() {
            let member = enter(alone, &function, &step.state).await?.without_retries();
            principal = to_a_principal(alone, &member).await?;
        }
        let evidence = listed(&evidence(alone, &function).await?);
        let hub = listed(&findings(alone, &function).await?);
        let columns = [principal, evidence, hub, listed(&alerts(alone, &function).await?)];
        let row = format!("| `{}` | {} |", step.folder, columns.join(" | "));
        ensure!(readme.lines().any(|line| line == row), "the README does not say: {row}");
    }
    Ok(())
}

fn listed(deeds: &[&str]) -> String {
    if deeds.is_empty() { "nothing".to_owned() } else { deeds.join(", ") }
}

/// To anyone, and what comes to that for who carries our tag.
async fn to_a_principal(alone: &Alone<'_>, member: &Clients) -> Result<String> {
    let anyone = done(Victim::create(alone).await?.deeds(&member.iam())?).await;
    let tagged = Victim::create(alone).await?;
    tagged.tag().await?;
    let mut more = done(tagged.deeds(&member.iam())?).await;
    more.retain(|deed| !anyone.contains(deed));
    let anyone = listed(&anyone);
    if more.is_empty() {
        return Ok(anyone);
    }
    Ok(format!("{anyone}; where it has our tag: {}", more.join(", ")))
}

async fn done(deeds: Vec<Deed<'_>>) -> Vec<&'static str> {
    let mut possible = Vec::new();
    for (deed, calls) in deeds {
        let mut succeeded = false;
        for call in calls {
            succeeded |= call.await;
        }
        if succeeded {
            possible.push(deed);
        }
    }
    possible
}

/// A user and a role under no deny, each with a boundary of the customer's own.
struct Victim {
    user: User,
    role: Role,
    group: String,
    active: String,
    inactive: String,
}

impl Victim {
    async fn create(alone: &Alone<'_>) -> Result<Self> {
        let user = alone.user().boundary(ADMINISTRATOR_ACCESS).create().await?;
        user.attach(ADMINISTRATOR_ACCESS).await?;
        user.put_inline("inline", &allow_all()).await?;
        let group = user.join_new_group("group", ADMINISTRATOR_ACCESS).await?;
        let (active, inactive) = (user.access_key().await?.id, user.access_key().await?.id);
        let iam = user.account_root().iam();
        let update = iam.update_access_key().user_name(&user.name).access_key_id(&inactive);
        update.status(StatusType::Inactive).send().await?;
        let role = alone.role().create().await?;
        role.attach(ADMINISTRATOR_ACCESS).await?;
        role.put_inline("inline", &allow_all()).await?;
        let bound = iam.put_role_permissions_boundary().role_name(&role.name);
        bound.permissions_boundary(ADMINISTRATOR_ACCESS).send().await?;
        Ok(Self { user, role, group, active, inactive })
    }

    /// As a containment leaves it.
    async fn tag(&self) -> Result<()> {
        let tag = Tag::builder().key(OUR_TAG).value("true").build()?;
        let iam = self.user.account_root().iam();
        iam.tag_user().user_name(&self.user.name).tags(tag.clone()).send().await?;
        iam.tag_role().role_name(&self.role.name).tags(tag).send().await?;
        Ok(())
    }

    fn deeds<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Result<Vec<Deed<'a>>> {
        let (user, role) = (self.user.name.as_str(), self.role.name.as_str());
        let policy = ADMINISTRATOR_ACCESS;
        let tag = Tag::builder().key(OUR_TAG).value("true").build()?;
        let status = |key: &'a str, status| {
            call(iam.update_access_key().user_name(user).access_key_id(key).status(status).send())
        };
        Ok(vec![
            (
                "read it",
                vec![
                    call(iam.get_user().user_name(user).send()),
                    call(iam.get_role().role_name(role).send()),
                    call(iam.list_access_keys().user_name(user).send()),
                ],
            ),
            (
                "take away its policies",
                vec![
                    call(iam.detach_user_policy().user_name(user).policy_arn(policy).send()),
                    call(iam.detach_role_policy().role_name(role).policy_arn(policy).send()),
                    call(iam.delete_user_policy().user_name(user).policy_name("inline").send()),
                    call(iam.delete_role_policy().role_name(role).policy_name("inline").send()),
                ],
            ),
            (
                "take it out of groups",
                vec![call(
                    iam.remove_user_from_group().user_name(user).group_name(&self.group).send(),
                )],
            ),
            (
                "put it into groups",
                vec![call(iam.add_user_to_group().user_name(user).group_name(&self.group).send())],
            ),
            ("make its keys Inactive", vec![status(&self.active, StatusType::Inactive)]),
            ("make its keys Active", vec![status(&self.inactive, StatusType::Active)]),
            (
                "set our tags",
                vec![
                    call(iam.tag_user().user_name(user).tags(tag.clone()).send()),
                    call(iam.tag_role().role_name(role).tags(tag).send()),
                ],
            ),
            (
                "put the deny in its boundary's place",
                vec![
                    call(
                        iam.put_user_permissions_boundary()
                            .user_name(user)
                            .permissions_boundary(DENY_ALL)
                            .send(),
                    ),
                    call(
                        iam.put_role_permissions_boundary()
                            .role_name(role)
                            .permissions_boundary(DENY_ALL)
                            .send(),
                    ),
                ],
            ),
            (
                "deny it everything",
                vec![
                    call(iam.attach_user_policy().user_name(user).policy_arn(DENY_ALL).send()),
                    call(iam.attach_role_policy().role_name(role).policy_arn(DENY_ALL).send()),
                ],
            ),
            (
                "give it more",
                vec![
                    call(iam.attach_user_policy().user_name(user).policy_arn(policy).send()),
                    call(iam.create_access_key().user_name(user).send()),
                    call(iam.delete_user_permissions_boundary().user_name(user).send()),
                ],
            ),
        ])
    }
}

async fn evidence(alone: &Alone<'_>, thief: &Clients) -> Result<Vec<&'static str>> {
    let bucket = alone.outputs().evidence_bucket_name.as_str();
    let below = format!("evidence/{}/{}/0001", MEMBERS[0], alone.unique("AIDATHIEF"));
    let (there, new) = (format!("{below}/original.json"), format!("{below}/planted.json"));
    let restored = format!("{below}/restored.json");
    let stored = alone.security().s3().put_object().bucket(bucket).key(&there).if_none_match("*");
    let stored = stored.body(ByteStream::from_static(b"{}")).send().await?;
    let version = stored.version_id().context("the bucket keeps no versions")?;
    let s3 = thief.s3();
    let put = |key: &str| {
        s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"{\"forged\":1}"))
    };
    let until = DateTime::from_secs(4_102_444_800);
    let retention = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Governance)
        .retain_until_date(until)
        .build();
    let deeds = vec![
        ("read it", vec![call(s3.get_object().bucket(bucket).key(&there).send())]),
        ("add to it", vec![call(put(&new).if_none_match("*").send())]),
        ("say that a case was restored", vec![call(put(&restored).if_none_match("*").send())]),
        ("overwrite it", vec![call(put(&there).send()), call(put(&there).if_match("*").send())]),
        (
            "delete it",
            vec![
                call(s3.delete_object().bucket(bucket).key(&there).version_id(version).send()),
                call(s3.delete_object().bucket(bucket).key(&there).send()),
            ],
        ),
        (
            "retain it otherwise",
            vec![call(
                s3.put_object_retention().bucket(bucket).key(&there).retention(retention).send(),
            )],
        ),
    ];
    Ok(done(deeds).await)
}

async fn findings(alone: &Alone<'_>, thief: &Clients) -> Result<Vec<&'static str>> {
    let user = alone.user().create().await?;
    let finding = Finding::about(&user).with("Title", "A drill that no rule is for");
    alone.import(&finding).await?;
    let identity = AwsSecurityFindingIdentifier::builder()
        .id(finding.id())
        .product_arn(finding.product())
        .build();
    let hub = thief.security_hub();
    let mark = |status| {
        let update = hub.batch_update_findings().finding_identifiers(identity.clone());
        call(update.workflow(WorkflowUpdate::builder().status(status).build()).send())
    };
    let deeds = vec![
        ("read them", vec![call(hub.get_findings().send())]),
        ("mark them NOTIFIED", vec![mark(WorkflowStatus::Notified)]),
        ("mark them RESOLVED", vec![mark(WorkflowStatus::Resolved)]),
        ("mark them SUPPRESSED", vec![mark(WorkflowStatus::Suppressed)]),
    ];
    Ok(done(deeds).await)
}

async fn alerts(alone: &Alone<'_>, thief: &Clients) -> Result<Vec<&'static str>> {
    let topic = alone.outputs().alert_topic_arn.as_str();
    let sns = thief.sns();
    let deeds = vec![
        ("forge them", vec![call(sns.publish().topic_arn(topic).message("all is well").send())]),
        (
            "redirect them",
            vec![call(
                sns.subscribe().topic_arn(topic).protocol("email").endpoint("a@b.example").send(),
            )],
        ),
    ];
    Ok(done(deeds).await)
}
