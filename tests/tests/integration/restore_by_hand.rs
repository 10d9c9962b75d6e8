//! The way back by hand: a containment's mail has the command that plans it, and the plan the
//! commands that do it. A shell runs those very lines, with AWS's own CLI.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EntityType, StatusType};
use futures::future::try_join_all;
use harness::alone::Apart;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::role::Role;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User, allow_all};
use harness::{MEMBERS, REGION, tools};
use tokio::process::Command;

use crate::cases;
use crate::trials::Trials;
use crate::users::POWER_USER;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_apart("restore: the printed commands alone give back all but keys", by_hand);
}

/// A document as its author wrote it, with all that a terminal would not hand on.
const ODD: &str = "\n{\r\n\t\"Version\" : \"2012-10-17\",\n  \"Statement\": [ { \"Sid\": \"\", \
                   \"Effect\": \"Allow\",\n\"Action\" : \"s3:*\",  \"Resource\": \
                   \"arn:aws:s3:::caf\u{e9}-it's-$(id)-`id`\\\\u00e9/*\" } ]\n}\n\n";

/// Who is contained and given everything back.
pub(crate) enum Subject {
    User(User),
    /// A user whom two incidents meet, the second one where the first has made room.
    MetTwice(User),
    Role(Role),
}

impl Subject {
    /// Contains it, or fails where something is left.
    pub(crate) async fn contain(&self, apart: &Apart<'_>) -> Result<Execution> {
        let (execution, left) = match self {
            Self::User(user) => contain(apart, user).await?,
            Self::MetTwice(user) => {
                contain(apart, user).await?;
                let both = contain(apart, user).await?;
                let found = user.read_back().await?;
                let boundary = found.boundary.as_deref();
                ensure!(
                    found.attached.contains(DENY_ALL) && boundary == Some(DENY_ALL),
                    "{found:#?}"
                );
                both
            }
            Self::Role(role) => {
                let finding = cases::finding_in(apart, &role.account, "custom-administrator-role")?;
                let finding = cases::about(&finding, "AwsIamRole", &role.arn);
                apart.store(&finding).await?;
                let execution = apart.execution_to_be();
                apart.start_as(&execution, &finding.chosen()).await?;
                execution.succeeds().await?;
                (execution, role.read_back().await?.left())
            }
        };
        ensure!(left.is_empty(), "it is not contained: {left:?}");
        apart.quiet(&execution.arn).await?;
        Ok(execution)
    }
}

/// Contains a user, and returns what is left that it may do.
async fn contain(apart: &Apart<'_>, user: &User) -> Result<(Execution, Vec<String>)> {
    let finding = Finding::about(user).with("Id", apart.unique("by-hand"));
    let execution = apart.respond_to(&finding).await?;
    execution.succeeds().await?;
    Ok((execution, user.read_back().await?.left()))
}

/// A user to whose policies no deny can be added, so that the boundary alone is it.
async fn at_the_limit(apart: &Apart<'_>) -> Result<User> {
    let user = apart.user().boundary(POWER_USER).create().await?;
    user.attach_new(10).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    Ok(user)
}

/// A user to whom `AWSDenyAll` was attached by the customer.
async fn denied(apart: &Apart<'_>) -> Result<User> {
    let user = apart.user().create().await?;
    user.attach(DENY_ALL).await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    Ok(user)
}

/// A role with one of everything that a containment takes away or touches.
async fn role(apart: &Apart<'_>) -> Result<Role> {
    let role = apart.role().account(MEMBERS[1]).path("/it's/$(id)/").boundary(POWER_USER);
    let role = role.create().await?;
    role.attach(ADMINISTRATOR_ACCESS).await?;
    role.attach_new(2).await?;
    role.put_inline("allow-all", &allow_all()).await?;
    role.join_new_instance_profile().await?;
    let iam = role.account_root().iam();
    let odd = iam.put_role_policy().role_name(&role.name).policy_name("odd").policy_document(ODD);
    odd.send().await.context("cannot give it the odd policy")?;
    Ok(role)
}

/// A user with one of everything that a containment takes away or touches.
async fn user(apart: &Apart<'_>) -> Result<User> {
    let user = apart.user().path("/it's/$(id)/").boundary(POWER_USER).create().await?;
    let (iam, name) = (user.account_root().iam(), &user.name);
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.attach("arn:aws:iam::aws:policy/ReadOnlyAccess").await?;
    user.attach_new(1).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    iam.put_user_policy()
        .user_name(name)
        .policy_name("odd")
        .policy_document(ODD)
        .send()
        .await
        .context("cannot give it the odd policy")?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    user.join_new_group("developers", POWER_USER).await?;
    user.access_key().await?;
    let old = user.access_key().await?.id;
    let inactive = iam.update_access_key().user_name(name).access_key_id(old);
    inactive.status(StatusType::Inactive).send().await?;
    for number in 0..38 {
        user.tag(&format!("tag {number}"), "caf\u{e9}").await?;
    }
    user.tag("FindingId", "own caf\u{e9}\u{2028}+=@").await?;
    user.tag("RemediationDate", "").await?;
    iam.create_login_profile().user_name(name).password("Correct-horse-1").send().await?;
    let device = format!("device-{}", user.id);
    let made = iam.create_virtual_mfa_device().virtual_mfa_device_name(device).send().await?;
    let serial = made.virtual_mfa_device.context("IAM made no device")?.serial_number;
    let enable = iam.enable_mfa_device().user_name(name).serial_number(serial);
    enable.authentication_code1("123456").authentication_code2("654321").send().await?;
    Ok(user)
}

/// All that IAM tells of an account and of a user's credentials there, a line for each.
async fn account(iam: &Client, user: &str) -> Result<BTreeSet<String>> {
    let name = user;
    let mut all = BTreeSet::new();
    let mut note = |what: &dyn Debug| all.insert(format!("{what:?}"));
    let filter = [EntityType::User, EntityType::Role, EntityType::Group];
    let mut pages = iam
        .get_account_authorization_details()
        .set_filter(Some([&filter[..], &[EntityType::LocalManagedPolicy]].concat()))
        .into_paginator()
        .send();
    while let Some(page) = pages.try_next().await? {
        for user in page.user_detail_list() {
            note(&(&user.arn, &user.permissions_boundary, &user.path, &user.user_id));
            let of = &user.arn;
            user.user_policy_list().iter().for_each(|it| _ = note(&(of, it)));
            user.attached_managed_policies().iter().for_each(|it| _ = note(&(of, it)));
            user.group_list().iter().for_each(|it| _ = note(&(of, "in", it)));
            user.tags().iter().for_each(|it| _ = note(&(of, it)));
        }
        for role in page.role_detail_list() {
            note(&(&role.arn, &role.permissions_boundary, &role.path, &role.role_id));
            let of = &role.arn;
            note(&(of, &role.assume_role_policy_document));
            role.role_policy_list().iter().for_each(|it| _ = note(&(of, it)));
            role.attached_managed_policies().iter().for_each(|it| _ = note(&(of, it)));
            role.tags().iter().for_each(|it| _ = note(&(of, it)));
            let profiles = role.instance_profile_list().iter();
            profiles.for_each(|it| _ = note(&(of, "in", &it.arn)));
        }
        page.group_detail_list().iter().for_each(|it| _ = note(it));
        page.policies().iter().for_each(|it| _ = note(it));
    }
    let keys = iam.list_access_keys().user_name(name).send().await?;
    keys.access_key_metadata().iter().for_each(|it| _ = note(it));
    let keys = iam.list_ssh_public_keys().user_name(name).send().await?;
    keys.ssh_public_keys().iter().for_each(|it| _ = note(it));
    let certificates = iam.list_signing_certificates().user_name(name).send().await?;
    certificates.certificates().iter().for_each(|it| _ = note(it));
    let passwords = iam.list_service_specific_credentials().user_name(name).send().await?;
    passwords.service_specific_credentials().iter().for_each(|it| _ = note(it));
    let devices = iam.list_mfa_devices().user_name(name).send().await?;
    devices.mfa_devices().iter().for_each(|it| _ = note(it));
    note(&iam.get_login_profile().user_name(name).send().await?.login_profile);
    Ok(all)
}

/// The lines of a text that begin with a program's name, as they stand there.
pub(crate) fn lines<'a>(text: &'a str, program: &str) -> Vec<&'a str> {
    let begin = format!("     {program} ");
    text.lines().filter(|line| line.starts_with(&begin)).collect()
}

/// What a program of that name is given by a line, if `sh` runs it.
pub(crate) async fn given(program: &str, line: &str) -> Result<Vec<String>> {
    let script = format!("{program}() {{ printf '%s\\n' \"$@\"; }}\n{line}");
    let output = Command::new("sh").args(["-c", &script]).output().await?;
    ensure!(output.status.success(), "sh does not take `{line}`");
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Runs lines by `sh`, with AWS's CLI and the account's credentials, to the first that fails.
async fn run(apart: &Apart<'_>, account: &str, lines: &[&str]) -> Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-e", "-c", &lines.join("\n")])
        .env_clear()
        .envs([
            ("PATH", format!("{}:{path}", tools::aws_cli().display()).as_str()),
            ("AWS_ENDPOINT_URL", apart.url()),
            ("AWS_ACCESS_KEY_ID", account),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_CONFIG_FILE", "/dev/null"),
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run `sh`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the printed commands fail: {said}");
    Ok(())
}

/// Plans a restore as the mail of the containment says, and does it by the printed lines.
async fn give_back(apart: &Apart<'_>, execution: &Execution, activate: &str) -> Result<()> {
    let mail = apart.topics().alerts.mention(&execution.arn).await?;
    let [exempt, line] = lines(&mail.page, "make")[..] else {
        anyhow::bail!("it does not exempt, and then plan a restore: {}", mail.page)
    };
    let exempt = given("make", exempt).await?.join(" ");
    let exempts = exempt.starts_with("policy CONFIG=cordon.json SET=exemptPrincipals+={");
    ensure!(exempts, "the mail exempts by {exempt}");
    let arguments = given("make", line).await?;
    let [target, config, asked] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        anyhow::bail!("the mail plans by {arguments:?}")
    };
    ensure!((target, config) == ("restore", "CONFIG=cordon.json"), "the mail plans by {line}");
    let incident = asked.strip_prefix("EXECUTION=").context("it names no execution")?;
    let mut variables = vec![("EXECUTION", incident)];
    variables.extend((!activate.is_empty()).then_some(("ACTIVATE", activate)));
    let printed = apart.command(target, &variables).await?;
    ensure!(printed.status.success(), "nothing is planned: {}", printed.text);
    let commands = lines(&printed.text, "aws");
    let in_region = format!("--region {REGION}");
    ensure!(commands.iter().all(|line| line.contains(&in_region)), "{commands:?}");
    run(apart, MEMBERS[1], &commands).await.with_context(|| printed.text.clone())?;
    let again = apart.command(target, &[("EXECUTION", incident)]).await?;
    ensure!(again.text.contains("There is nothing to give back"), "then: {}", again.text);
    close(apart, incident, &again.text).await
}

/// Closes the case as the plan says that has nothing to give back: the account stays as it is.
async fn close(apart: &Apart<'_>, incident: &str, plan: &str) -> Result<()> {
    let printed = lines(plan, "make");
    let apply = printed.iter().find_map(|line| Some(line.split_once("APPLY='")?.1));
    let (digest, _) =
        apply.and_then(|digest| digest.split_once('\'')).context("it closes nothing")?;
    let words = [("REASON", "done by hand"), ("BY", "Ada")];
    let variables = [&[("EXECUTION", incident), ("APPLY", digest)], words.as_slice()].concat();
    let closed = apart.command("restore", &variables).await?;
    ensure!(closed.status.success(), "it is not closed: {}", closed.text);
    let over = apart.command("restore", &[("EXECUTION", incident)]).await?;
    ensure!(!over.status.success() && over.text.contains("was given back"), "{}", over.text);
    // Whose case another incident had opened, its finding still says that it is contained.
    let met_twice = plan.contains("another finding led to the same case");
    let told = closed.text.contains("aws securityhub batch-update-findings");
    ensure!(met_twice == told, "of its findings it says: {}", closed.text);
    Ok(())
}

/// Everybody whom a restore is tried with, in one account, and which credentials are to be active
/// again: with one of everything, at the limit of policies and met once or twice, under the
/// customer's own deny, a role.
pub(crate) struct Everybody {
    pub(crate) all: [(Subject, String); 5],
    iam: Client,
    /// The user with one of everything.
    name: String,
    before: BTreeSet<String>,
}

impl Everybody {
    pub(crate) async fn new(apart: &Apart<'_>) -> Result<Self> {
        let user = user(apart).await?;
        let credentials = [
            user.ssh_key().await?,
            user.signing_certificate().await?,
            user.service_specific_credential("codecommit.amazonaws.com").await?,
        ];
        let (iam, name) = (user.account_root().iam(), user.name.clone());
        let all = [
            (Subject::User(user), credentials.join(" ")),
            (Subject::User(at_the_limit(apart).await?), String::new()),
            (Subject::MetTwice(at_the_limit(apart).await?), String::new()),
            (Subject::User(denied(apart).await?), String::new()),
            (Subject::Role(role(apart).await?), String::new()),
        ];
        let before = account(&iam, &name).await?;
        Ok(Self { all, iam, name, before })
    }

    /// Fails where the account differs in more than one access key's status.
    pub(crate) async fn is_back(&self) -> Result<()> {
        let after = account(&self.iam, &self.name).await?;
        let changed: Vec<_> = self.before.symmetric_difference(&after).collect();
        let is_status = |line: &&String| line.starts_with("AccessKeyMetadata");
        ensure!(changed.len() == 2 && changed.iter().all(is_status), "it differs in {changed:#?}");
        Ok(())
    }
}

async fn by_hand(apart: &Apart<'_>) -> Result<()> {
    let everybody = Everybody::new(apart).await?;
    try_join_all(everybody.all.iter().map(async |(subject, activate)| {
        let execution = subject.contain(apart).await?;
        give_back(apart, &execution, activate).await
    }))
    .await?;
    everybody.is_back().await
}
