//! Who is meant, whatever the accused does about its name: the unique id decides.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::MEMBERS;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::{Fault, NewFault, Strike};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, AccessKey, User};
use serde_json::json;

use crate::cases;
use crate::incident::workflow;
use crate::judged::{End, leads_to};
use crate::trials::Trials;
use crate::users::POWER_USER;
use crate::verdicts::{about_role, administrator, choose, powerful_role, role_is_contained};

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add(
        "who is meant: a decoy under the old name of a renamed user is left alone",
        decoy_by_rename,
    );
    trials.add(
        "who is meant: a renamed user is contained by its key, and not the decoy",
        renamed_with_its_key,
    );
    trials.add(
        "who is meant: a namesake of a deleted user is left alone, and people know",
        decoy_by_deletion,
    );
    trials.add(
        "who is meant: a namesake of a session's user or role is left alone",
        namesake_of_a_session,
    );
    trials.add(
        "who is meant: a key that is gone does not convict a name without its id",
        key_gone_and_no_id,
    );
    trials.add(
        "who is meant: a key that IAM refuses to tell of is not taken for an unknown one",
        key_refused,
    );
    trials
        .add("who is meant: a user below our path is contained all the same", user_below_our_path);
    trials.add(
        "who is meant: a role that looks like a protected one is contained all the same",
        look_alikes,
    );
    trials
        .add("who is meant: a user renamed once it is identified is contained", renamed_in_between);
    trials
        .add("who is meant: a decoy that takes the name in between saves nobody", decoy_in_between);
    trials.add(
        "who is meant: a namesake keeps its boundary, whoever had the name before",
        boundary_of_a_namesake,
    );
    trials.add(
        "who is meant: a user made again in between is pending, and people know",
        made_again_in_between,
    );
    trials.add(
        "who is meant: a user renamed before a redrive is contained by it",
        renamed_before_a_redrive,
    );
    trials.add(
        "who is meant: a user that keeps changing its path is contained, or people know",
        path_flips,
    );
    trials.add(
        "who is meant: a user that keeps changing its name is contained, or people know",
        renames,
    );
    trials.add(
        "who is meant: a user agent that poses as a sample hides nobody",
        sample_in_a_user_agent,
    );
}

/// A user with two keys, and GuardDuty's finding on the first of them, with all that it says.
struct Attacker<'a> {
    aws: &'a LocalAws,
    user: User,
    key: AccessKey,
    finding: Finding,
}

impl<'a> Attacker<'a> {
    async fn new(aws: &'a LocalAws) -> Result<Self> {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        user.access_key().await?;
        let finding = cases::finding(aws, "guardduty-user-key")?;
        let finding = cases::about_key_of(&finding, &key.id, &user.name, &user.id);
        Ok(Self { aws, user, key, finding })
    }

    /// Somebody else under a name that the attacker had.
    async fn decoy(&self, name: &str) -> Result<User> {
        let decoy = self.aws.user().name(name).create().await?;
        decoy.attach(ADMINISTRATOR_ACCESS).await?;
        decoy.access_key().await?;
        Ok(decoy)
    }

    async fn delete_its_key(&self) -> Result<()> {
        let iam = self.user.account_root().iam();
        let delete = iam.delete_access_key().user_name(&self.user.name).access_key_id(&self.key.id);
        delete.send().await?;
        Ok(())
    }

    /// The command by which people find it.
    fn search(&self) -> String {
        let query = format!(r"--query 'Users[?UserId=='\''{}'\'']'", self.user.id);
        format!("aws iam list-users --region us-east-1 {query}")
    }

    /// Starts an execution of the test's own, which a fault strikes from the beginning. The
    /// fault is told the name of the execution's sessions.
    async fn start_with(
        &self,
        fault: impl FnOnce(String) -> NewFault<'a>,
    ) -> Result<(Execution, Fault)> {
        self.aws.store(&self.finding).await?;
        let execution = self.aws.execution_to_be();
        let fault = fault(source_identity(&execution)).always().stand().await?;
        let sent = self.finding.clone().with("Workflow", json!({ "Status": "NEW" }));
        self.aws.start_as(&execution, &sent.event()).await?;
        Ok((execution, fault))
    }

    /// An execution that has identified the user, and does not get into its account to put it
    /// under the deny as long as the fault stands.
    async fn identified(&self) -> Result<(Execution, Fault)> {
        let entry = |session| {
            let entry = self.aws.fault("sts:AssumeRole", Strike::Throttled);
            entry.caller("cordon-quarantine").about(session)
        };
        let (execution, fault) = self.start_with(entry).await?;
        execution.enters("Quarantine").await?;
        Ok((execution, fault))
    }

    async fn is_contained(&self) -> Result<()> {
        let left = self.user.found_by_id().await?.read_back().await?.left();
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(())
    }

    async fn status(&self) -> Result<String> {
        Ok(workflow(&self.aws.in_security_hub(&self.finding).await?).to_owned())
    }

    async fn is_contained_by(&self, execution: &Execution) -> Result<()> {
        execution.succeeds().await?;
        self.is_contained().await?;
        let status = self.status().await?;
        ensure!(status == "RESOLVED", "the finding is {status}");
        Ok(())
    }

    /// FAILED, redrivable, its finding NEW, and people know. Returns the last mail.
    async fn is_pending_after(&self, execution: &Execution, mails: usize) -> Result<String> {
        execution.fails().await?;
        let history = execution.history().await?;
        ensure!(history.last_state() == "WaitForPeopleToRedrive", "{}", history.last_events());
        let status = self.status().await?;
        ensure!(status == "NEW", "the finding is {status}");
        let failed =
            |message: &harness::messages::Message| message.tells(Telling::Failed, &execution.arn);
        let alerts = &self.aws.topics().alerts;
        alerts.count(mails, failed).await?;
        let told = alerts.all().into_iter().rfind(|message| failed(message));
        Ok(told.context("nobody was told")?.text)
    }
}

async fn decoy_by_rename(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    it.delete_its_key().await?;
    let old = it.user.name.clone();
    it.user.rename(aws.unique("renamed")).await?;
    let decoy = it.decoy(&old).await?;
    is_left_alone(&it, &decoy).await
}

/// The one of the name is as it was, and people know both ids and how to find the other.
async fn is_left_alone(it: &Attacker<'_>, namesake: &User) -> Result<()> {
    let before = namesake.read_back().await?;
    let judged = leads_to(it.aws, &it.finding, End::Escalated).await?;
    judged.told(&[&namesake.id, &it.user.id, &it.search()])?;
    let after = namesake.read_back().await?;
    ensure!(after == before, "the namesake was {before:?} and is {after:?}");
    Ok(())
}

async fn renamed_with_its_key(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let old = it.user.name.clone();
    it.user.rename(aws.unique("renamed")).await?;
    let decoy = it.decoy(&old).await?;
    let before = decoy.read_back().await?;
    let judged = leads_to(aws, &it.finding, End::Contained).await?;
    judged.told(&[&it.user.arn, &format!("the finding calls it `{old}`")])?;
    it.is_contained().await?;
    let after = decoy.read_back().await?;
    ensure!(after == before, "the decoy was {before:?} and is {after:?}");
    Ok(())
}

async fn decoy_by_deletion(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "guardduty-user-made-again")?;
    let finding = cases::about_key_of(&finding, &key.id, &user.name, &user.id);
    let it = Attacker { aws, user, key, finding };
    aws.remove_user(&it.user.account, &it.user.name).await?;
    let namesake = it.decoy(&it.user.name).await?;
    is_left_alone(&it, &namesake).await
}

async fn namesake_of_a_session(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let old = it.user.name.clone();
    it.finding = cases::finding(aws, "guardduty-user-session")?;
    it.finding = cases::about_key_of(&it.finding, "ASIA2222222222SESSIO", &old, &it.user.id);
    it.user.rename(aws.unique("renamed")).await?;
    let decoy = it.decoy(&old).await?;
    is_left_alone(&it, &decoy).await?;

    let role = powerful_role(aws).await?;
    let before = role.read_back().await?;
    let finding = cases::finding(aws, "guardduty-role-session")?;
    let other = "AROA2222222222ANOTHER";
    let finding = cases::about_key_of(&finding, "ASIA2222222222SESSIO", &role.name, other);
    leads_to(aws, &finding, End::Escalated).await?;
    let judged = choose(aws, &finding, End::Escalated).await?;
    let query = format!(r"--query 'Roles[?RoleId=='\''{other}'\'']'");
    let search = format!("aws iam list-roles --region us-east-1 {query}");
    judged.told(&[&role.id, other, &search])?;
    let after = role.read_back().await?;
    ensure!(after == before, "the role was {before:?} and is {after:?}");
    Ok(())
}

async fn key_gone_and_no_id(aws: &LocalAws) -> Result<()> {
    let it = Attacker::new(aws).await?;
    it.delete_its_key().await?;
    let before = it.user.read_back().await?;
    let finding = cases::about_key(&it.finding, &it.key.id, &it.user.name);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&[&it.key.id, &it.user.id, "the finding gives no id"])?;
    let after = it.user.read_back().await?;
    ensure!(after == before, "the user was {before:?} and is {after:?}");
    Ok(())
}

async fn key_refused(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    it.finding = cases::about_key(&it.finding, &it.key.id, &it.user.name);
    let before = it.user.read_back().await?;
    let call = "iam:GetAccessKeyLastUsed";
    let refused = |session: String| {
        let caller = format!("assumed-role/SecurityRemediation-AssumeRole/{session}");
        aws.fault(call, Strike::Denied).caller(format!("arn:aws:sts::{}:{caller}", MEMBERS[0]))
    };
    let (execution, fault) = it.start_with(refused).await?;
    let told = it.is_pending_after(&execution, 1).await?;
    for part in [call, "AccessDenied", "redrive-execution"] {
        ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
    }
    let after = it.user.read_back().await?;
    ensure!(after == before, "the user was {before:?} and is {after:?}");
    fault.lift().await?;
    execution.redrive().await?;
    it.is_contained_by(&execution).await
}

async fn user_below_our_path(aws: &LocalAws) -> Result<()> {
    let it = Attacker::new(aws).await?;
    let iam = it.user.account_root().iam();
    iam.update_user().user_name(&it.user.name).new_path("/cordon/").send().await?;
    let judged = leads_to(aws, &it.finding, End::Contained).await?;
    judged.told(&[&format!(":user/cordon/{}", it.user.name)])?;
    it.is_contained().await
}

async fn look_alikes(aws: &LocalAws) -> Result<()> {
    for (path, name) in [
        ("/cordon/", "role"),
        ("/cordon/", "SecurityRemediation-Anybody"),
        ("/", "AWSReservedSSO_Administrator"),
        ("/Aws-Service-Role/support.amazonaws.com/", "AWSServiceRoleForSupport"),
    ] {
        let role = aws.role().path(path).name(aws.unique(name)).create().await?;
        role.attach(ADMINISTRATOR_ACCESS).await?;
        let before = role.read_back().await?;
        let finding = about_role(aws, &role)?;
        leads_to(aws, &finding, End::Escalated).await?;
        let judged = choose(aws, &finding, End::Contained).await?;
        role_is_contained(aws, &role, &before, &judged).await.context(role.arn.clone())?;
    }
    Ok(())
}

async fn renamed_in_between(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let (execution, held) = it.identified().await?;
    it.user.rename(aws.unique("renamed")).await?;
    held.lift().await?;
    it.is_contained_by(&execution).await
}

async fn decoy_in_between(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let (execution, held) = it.identified().await?;
    let old = it.user.name.clone();
    it.user.rename(aws.unique("renamed")).await?;
    let decoy = it.decoy(&old).await?;
    held.lift().await?;
    it.is_contained_by(&execution).await?;
    let alerts = &aws.topics().alerts;
    let told = alerts.message("who was contained", |message| {
        message.text.contains(&execution.arn) && message.text.contains(&it.user.arn)
    });
    let told = told.await?.text;
    ensure!(told.contains(&format!("it was `{old}` before")), "{told}");
    keeps_its_rights(&decoy).await
}

/// It takes the name when the evidence is stored, just before the boundary is replaced.
async fn boundary_of_a_namesake(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let iam = it.user.account_root().iam();
    let bound = async |name: &str| {
        let put = iam.put_user_permissions_boundary().user_name(name);
        put.permissions_boundary(POWER_USER).send().await
    };
    bound(&it.user.name).await?;
    let entry = |session| {
        let entry = aws.fault("sts:AssumeRole", Strike::Throttled);
        entry.caller("cordon-quarantine").about(session).after(1)
    };
    let (execution, held) = it.start_with(entry).await?;
    execution.enters("ReplaceBoundary").await?;
    let old = it.user.name.clone();
    it.user.rename(aws.unique("renamed")).await?;
    let namesake = it.decoy(&old).await?;
    bound(&old).await?;
    let before = namesake.read_back().await?;
    held.lift().await?;
    it.is_contained_by(&execution).await?;
    let after = namesake.read_back().await?;
    ensure!(after == before, "the namesake was {before:?} and is {after:?}");
    Ok(())
}

/// Nothing is taken away from whoever is not the one.
async fn keeps_its_rights(namesake: &User) -> Result<()> {
    let now = namesake.read_back().await?;
    ensure!(now.attached.contains(ADMINISTRATOR_ACCESS), "the namesake is {now:?}");
    ensure!(now.credentials.values().all(|status| status == "Active"), "it is {now:?}");
    Ok(())
}

async fn made_again_in_between(aws: &LocalAws) -> Result<()> {
    let it = Attacker::new(aws).await?;
    let (execution, held) = it.identified().await?;
    aws.remove_user(&it.user.account, &it.user.name).await?;
    let namesake = it.decoy(&it.user.name).await?;
    held.lift().await?;
    // Whom one redrive did not find, the next one still knows, and takes nobody else for it.
    for redrives in 0..3 {
        if redrives > 0 {
            execution.redrive().await?;
        }
        let told = it.is_pending_after(&execution, redrives + 1).await?;
        ensure!(told.contains("PrincipalVanished") && told.contains(&it.search()), "{told}");
        keeps_its_rights(&namesake).await?;
    }
    Ok(())
}

async fn renamed_before_a_redrive(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let id = it.user.id.clone();
    let refused = |_| aws.fault("s3:PutObject", Strike::Denied).about(id);
    let (execution, fault) = it.start_with(refused).await?;
    it.is_pending_after(&execution, 1).await?;
    fault.lift().await?;
    // Its key is gone too, but not the other one, which was seen before.
    it.delete_its_key().await?;
    let old = it.user.name.clone();
    it.user.rename(aws.unique("renamed")).await?;
    let decoy = it.decoy(&old).await?;
    let before = decoy.read_back().await?;
    execution.redrive().await?;
    it.is_contained_by(&execution).await?;
    let after = decoy.read_back().await?;
    ensure!(after == before, "the decoy was {before:?} and is {after:?}");
    Ok(())
}

async fn path_flips(aws: &LocalAws) -> Result<()> {
    let it = Attacker::new(aws).await?;
    let (iam, name) = (it.user.account_root().iam(), it.user.name.clone());
    let flips = every(Duration::from_millis(150), async |turn: u32| {
        let path = if turn.is_multiple_of(2) { "/there/" } else { "/here/" };
        iam.update_user().user_name(&name).new_path(path).send().await?;
        Ok(())
    });
    Box::pin(is_not_outrun(&it, flips)).await
}

async fn renames(aws: &LocalAws) -> Result<()> {
    let it = Attacker::new(aws).await?;
    let (iam, name) = (it.user.account_root().iam(), it.user.name.clone());
    let named = |turn: u32| if turn == 0 { name.clone() } else { format!("{name}-{turn}") };
    let renames = every(Duration::from_millis(30), async |turn: u32| {
        let rename = iam.update_user().user_name(named(turn)).new_user_name(named(turn + 1));
        rename.send().await?;
        Ok(())
    });
    Box::pin(is_not_outrun(&it, renames)).await
}

/// An attacker's trick, again and again.
async fn every(pause: Duration, mut trick: impl AsyncFnMut(u32) -> Result<()>) -> Result<()> {
    for turn in 0.. {
        trick(turn).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Whatever the attacker does meanwhile: contained and RESOLVED, or pending and told. And once
/// it is over, a redrive contains it.
async fn is_not_outrun(it: &Attacker<'_>, tricks: impl Future<Output = Result<()>>) -> Result<()> {
    let ended = async {
        Box::pin(it.aws.send(&it.finding)).await?;
        let execution = Box::pin(it.aws.execution_of(&it.finding)).await?;
        let end = execution.end().await?;
        anyhow::Ok((execution, end))
    };
    let (execution, end) = tokio::select! {
        outran = tricks => {
            outran?;
            bail!("the attacker gave up")
        }
        ended = ended => ended?,
    };
    if end.status != ExecutionStatus::Succeeded {
        it.is_pending_after(&execution, 1).await?;
        execution.redrive().await?;
    }
    it.is_contained_by(&execution).await
}

async fn sample_in_a_user_agent(aws: &LocalAws) -> Result<()> {
    let mut it = Attacker::new(aws).await?;
    let finding = cases::finding(aws, "guardduty-user-agent-posing-as-a-sample")?;
    it.finding = cases::about_key_of(&finding, &it.key.id, &it.user.name, &it.user.id);
    leads_to(aws, &it.finding, End::Contained).await?;
    it.is_contained().await
}
