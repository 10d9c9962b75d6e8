//! Users of every kind: whatever a user looks like, it ends contained.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, allow_all};
use serde_json::{Value, json};

use crate::incident::{Incident, deny_alone, named, workflow};
use crate::trials::Trials;

/// A boundary of the customer's.
pub(crate) const POWER_USER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
const AWS_QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";

/// A path takes 512 characters, the slashes at both ends included.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>
const LONGEST_PATH: usize = 512;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("a user under a path ends contained", under_a_path);
    trials.add("a user under the longest path ends contained", under_the_longest_path);
    trials.add("a user under the worst path ends contained", under_the_worst_path);
    trials.add("a neighbour whom a path's wildcards would match is not touched", neighbour);
    trials.add("a user whose path the finding has wrong ends contained", under_another_path);
    trials.add("a user whose name the finding spells in other case ends contained", in_other_case);
    trials.add("a user at its policy limit gets the deny as boundary", at_its_policy_limit);
    trials.add("a user with nothing to strip ends contained", with_nothing);
    trials.add("a user without room for tags ends contained, and people know", without_room);
    trials.add("all principals of a finding end contained", two_principals);
    trials.add("every kind of credential ends Inactive", other_credentials);
    trials.add("a quarantine by AWS stays, the customer's own deny is kept as evidence", denied);
    trials.add("a deny that stood before stays and is known as not ours", denied_before);
    trials.add("the evidence has all that a restore or an inquiry needs", evidence);
}

async fn under_a_path(aws: &LocalAws) -> Result<()> {
    contained_under(aws, "/division/team/").await
}

async fn under_the_longest_path(aws: &LocalAws) -> Result<()> {
    contained_under(aws, &format!("/{}/", "p".repeat(LONGEST_PATH - 2))).await
}

async fn under_the_worst_path(aws: &LocalAws) -> Result<()> {
    let worst = r#"*?$"\{}${*}${aws:username}'<&>%2F+,:;//"#.chars().cycle();
    let worst: String = worst.take(LONGEST_PATH - 2).collect();
    contained_under(aws, &format!("/{worst}/")).await?;
    contained_under(aws, &format!("/{}/", "*".repeat(LONGEST_PATH - 2))).await?;
    contained_under(aws, &format!("/{}/", "\"\\".repeat(LONGEST_PATH / 2 - 1))).await
}

async fn contained_under(aws: &LocalAws, path: &str) -> Result<()> {
    let user = aws.user().path(path).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    let incident = Incident::about(aws, &user).await?;
    incident.ends_well().await.with_context(|| format!("under `{path}`"))?;
    Ok(())
}

async fn neighbour(aws: &LocalAws) -> Result<()> {
    let name = aws.unique("eve");
    let user = aws.user().path("/*/").name(&name).create().await?;
    let neighbour = aws.user().path("/teams/").name(format!("not-{name}")).create().await?;
    for one in [&user, &neighbour] {
        one.attach(ADMINISTRATOR_ACCESS).await?;
        one.access_key().await?;
    }
    let before = neighbour.read_back().await?;
    Incident::about(aws, &user).await?.ends_well().await?;
    let after = neighbour.read_back().await?;
    ensure!(after == before, "the neighbour was {before:?} and is {after:?}");
    Ok(())
}

async fn under_another_path(aws: &LocalAws) -> Result<()> {
    let user = aws.user().path("/real/").create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let wrong = format!("arn:aws:iam::{}:user/wrong/path/{}", user.account, user.name);
    let finding = Finding::of_account(&user.account, &user.name).resource("AwsIamUser", &wrong);
    Incident::with(aws, &user, finding).await?.ends_well().await?;
    Ok(())
}

async fn in_other_case(aws: &LocalAws) -> Result<()> {
    let user = aws.user().name(aws.unique("MixedCase")).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    let upper = format!("arn:aws:iam::{}:user/{}", user.account, user.name.to_uppercase());
    let finding = Finding::of_account(&user.account, &user.name).resource("AwsIamUser", &upper);
    let incident = Incident::with(aws, &user, finding).await?;
    incident.ends_well().await?;
    let kept = incident.original().await?.json()?;
    ensure!(kept["principal"]["name"] == user.name, "{kept:#}");
    Ok(())
}

async fn at_its_policy_limit(aws: &LocalAws) -> Result<()> {
    let user = aws.user().boundary(POWER_USER).create().await?;
    user.attach_new(10).await?;
    let key = user.access_key().await?;
    let by_session = user.session(&key).await?.clients.without_retries().s3();
    let incident = Incident::about(aws, &user).await?;
    let execution = incident.ends_well().await?;
    let after = incident.is_contained().await?;
    ensure!(after.boundary.as_deref() == Some(DENY_ALL), "boundary: {:?}", after.boundary);
    ensure!(after.attached.is_empty(), "attached: {:?}", after.attached);
    let kept = incident.original().await?.json()?;
    ensure!(kept["boundaryBefore"] == POWER_USER, "{kept:#}");
    let told = incident.outcome(&execution).await?;
    ensure!(told.contains("boundary"), "{told}");
    ensure!(by_session.list_buckets().send().await.is_err(), "its session still works");
    Ok(())
}

async fn with_nothing(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let incident = Incident::about(aws, &user).await?;
    incident.ends_well().await?;
    let after = incident.is_contained().await?;
    ensure!(after.attached == deny_alone(), "attached: {:?}", after.attached);
    Ok(())
}

async fn without_room(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    for number in 1..=50 {
        user.tag(&format!("tag-{number}"), "taken").await?;
    }
    let incident = Incident::about(aws, &user).await?;
    let execution = aws.respond_to(&incident.finding).await?;
    execution.succeeds().await?;
    let after = incident.is_contained().await?;
    ensure!(after.tags == incident.before.tags, "tags: {:?}", after.tags);
    incident.is_resolved(&execution).await?;
    let finding = aws.in_security_hub(&incident.finding).await?;
    let note = finding.note().and_then(|note| note.text()).context("no note")?;
    ensure!(note.contains("tags"), "the note says nothing of tags: `{note}`");
    let told = incident.outcome(&execution).await?;
    ensure!(told.contains("tags"), "the mail says nothing of tags: {told}");
    Ok(())
}

async fn two_principals(aws: &LocalAws) -> Result<()> {
    let users = [aws.user().create().await?, aws.user().path("/second/").create().await?];
    for user in &users {
        user.attach(ADMINISTRATOR_ACCESS).await?;
        user.access_key().await?;
    }
    let finding = Finding::about(&users[0]).and(&users[1]);
    let incidents = [
        Incident::with(aws, &users[0], finding.clone()).await?,
        Incident::with(aws, &users[1], finding.clone()).await?,
    ];
    let execution = aws.respond_to(&finding).await?;
    execution.succeeds().await?;
    for incident in &incidents {
        incident.is_contained().await?;
        incident.shows_the_user(&incident.original().await?.json()?)?;
        incident.outcome(&execution).await?;
    }
    let found = aws.in_security_hub(&finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    let fields = found.user_defined_fields().context("no fields")?;
    for incident in &incidents {
        let evidence = incident.original().await?;
        ensure!(
            fields.values().any(|value| *value == evidence.uri)
                && fields.values().any(|value| *value == evidence.sha256()),
            "`{}` is not in the fields: {fields:?}",
            evidence.uri
        );
    }
    Ok(())
}

async fn other_credentials(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.access_key().await?;
    user.ssh_key().await?;
    user.signing_certificate().await?;
    for service in ["codecommit.amazonaws.com", "cassandra.amazonaws.com"] {
        user.service_specific_credential(service).await?;
    }
    let incident = Incident::about(aws, &user).await?;
    ensure!(incident.before.credentials.len() == 5, "{:?}", incident.before.credentials);
    incident.ends_well().await?;
    let after = incident.is_contained().await?;
    ensure!(
        after.credentials.values().all(|status| status == "Inactive"),
        "{:?}",
        after.credentials
    );
    Ok(())
}

async fn denied(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(AWS_QUARANTINE).await?;
    let deny = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }],
    });
    let own = user
        .account_root()
        .iam()
        .create_policy()
        .policy_name(aws.unique("own-deny"))
        .policy_document(deny.to_string())
        .send()
        .await?;
    let own = own.policy.and_then(|policy| policy.arn).context("no policy")?;
    user.attach(&own).await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = Incident::about(aws, &user).await?;
    let execution = aws.respond_to(&incident.finding).await?;
    execution.succeeds().await?;
    incident.is_resolved(&execution).await?;
    incident.shows_the_user(&incident.original().await?.json()?)?;
    let after = user.read_back().await?;
    let kept = [DENY_ALL, AWS_QUARANTINE].map(str::to_owned).into();
    ensure!(after.attached == kept, "attached: {:?}", after.attached);
    let calls = aws.calls_of(&execution).await?;
    let detaching = calls.iter().filter(|call| call.action == "DetachUserPolicy");
    let asked = detaching.filter_map(|call| call.parameters.get("PolicyArn"));
    let asked: BTreeSet<&str> = asked.map(String::as_str).collect();
    let meant = [own.as_str(), ADMINISTRATOR_ACCESS].into();
    ensure!(asked == meant, "{asked:?} were to be detached, and not {meant:?}");
    Ok(())
}

async fn denied_before(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(DENY_ALL).await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = Incident::about(aws, &user).await?;
    let execution = incident.ends_well().await?;
    let told = incident.outcome(&execution).await?;
    ensure!(told.contains("before"), "{told}");
    let kept = incident.original().await?.json()?;
    ensure!(kept["quarantine"]["already"] == true, "{kept:#}");
    Ok(())
}

async fn evidence(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let iam = user.account_root().iam();
    let group = user.join_new_group("assumers", ADMINISTRATOR_ACCESS).await?;
    let role = format!("arn:aws:iam::{}:role/{}", MEMBERS[0], aws.unique("target"));
    let assume = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role }],
    });
    iam.put_group_policy()
        .group_name(&group)
        .policy_name("assume")
        .policy_document(assume.to_string())
        .send()
        .await?;
    iam.create_login_profile().user_name(&user.name).password("Correct-horse-1").send().await?;
    let key = user.access_key().await?;
    user.with_key(&key).s3().list_buckets().send().await?;

    let incident = Incident::about(aws, &user).await?;
    let execution = incident.ends_well().await?;
    let kept = incident.original().await?.json()?;
    let principal = &kept["principal"];
    ensure!(principal["loginProfile"].is_object(), "{kept:#}");
    let inline = named(&named(&principal["groups"], &group)?["inlinePolicies"], "assume")?;
    ensure!(crate::incident::document(inline)? == assume, "{inline:#}");
    ensure!(principal["credentials"][0]["lastUsed"]["service"] == "s3", "{kept:#}");
    for part in ["/incident/started", "/incident/entered", "/quarantine/by", "/principal/created"] {
        ensure!(kept.pointer(part).is_some_and(Value::is_string), "no `{part}`: {kept:#}");
    }
    // The role's own sessions live on: whoever reads the mail must know of them.
    let told = incident.outcome(&execution).await?;
    ensure!(told.contains(&role), "the mail does not name `{role}`: {told}");
    ensure!(told.contains("a console password, which is not taken away"), "{told}");
    Ok(())
}
