//! Deployed by the commands of the Makefile, on a local AWS of its own.

use std::fs::{self, File};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::deployer::Deployer;
use harness::faults::Strike;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::progress::Progress;
use harness::user::{ADMINISTRATOR_ACCESS, decode};
use harness::{MANAGEMENT, MEMBERS, ORGANIZATION, RESTORER, SECURITY, UNITS};
use serde_json::{Value, json};

use crate::incident::Incident;
use crate::trials::Trials;

/// Lambda takes 250 MiB.
const TOO_LARGE: u64 = 260 << 20;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add(
        "deployed, deleted, upgraded: members stay open, and the response policy is people's",
        lives,
    );
}

async fn lives(_beside: &LocalAws) -> Result<()> {
    let deployer = Deployer::new(&Progress::new()).await?;
    refuses_a_wrong_configuration(&deployer).await?;
    refuses_wrong_profiles(&deployer).await?;
    sees_what_is_missing(&deployer).await?;
    deployer.configure(&json!({ "restorers": [RESTORER] }))?;
    let first = deployer.deployed(&deployer.make(&["deploy"]).await?)?;
    ensure!(policy(&first).await?.0 == json!({ "mode": "observe" }), "not the README's policy");

    sees_what_is_there(&deployer, &first).await?;
    goes_on_without_a_profile(&deployer).await?;
    needs_no_packages(&deployer).await?;
    changes_one_field(&deployer, &first).await?;
    goes_on_where_one_fails(&deployer, &first).await?;
    contained(&first, MEMBERS[0]).await?;
    contained(&first, MEMBERS[1]).await?;
    rolls_back(&deployer, &first).await?;

    trust_by_principal(&first, MEMBERS[1]).await?;
    deletes_the_security_stack(&deployer).await?;
    applies_no_more(&deployer, &first).await?;
    let left = former_release(&deployer, &first).await?;
    // The configuration is another by now, and says another response policy.
    let anew = deployer.make(&["deploy", &format!("ACCOUNT={SECURITY}")]).await?;
    let anew = deployer.deployed(&anew)?;
    ensure!(policy(&anew).await? == left, "the live policy became {:?}", policy(&anew).await?);
    contained(&anew, MEMBERS[0]).await?;
    locked_out(&anew, MEMBERS[1]).await
}

/// In the one line that says what to write instead.
async fn refuses_a_wrong_configuration(deployer: &Deployer) -> Result<()> {
    deployer.configure(&json!({ "organizationId": "example" }))?;
    let said = deployer.make_refuses(&["deploy"]).await?;
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("make")).collect();
    let [line] = lines.as_slice() else { bail!("more than a line: {said}") };
    ensure!(line.starts_with("`organizationId` is `\"example\"`: "), "{said}");
    deployer.configure(&json!({ "organizationId": ORGANIZATION }))
}

/// Before anything is built.
async fn refuses_wrong_profiles(deployer: &Deployer) -> Result<()> {
    let right = deployer.profiles();
    let profile = |account: &str| json!(format!("of-{account}"));
    deployer.configure(&json!({ "profiles": {
        SECURITY: profile(MEMBERS[0]), MEMBERS[0]: "of-nobody", MEMBERS[1]: profile(MEMBERS[1]),
    } }))?;
    let said = deployer.make_refuses(&["deploy"]).await?;
    for part in
        ["which `profiles` has for 111111111111, is of the account 222222222222", "of-nobody"]
    {
        ensure!(said.contains(part), "{said}");
    }
    ensure!(!said.contains("synthesized") && !said.contains("Bootstrapping"), "{said}");
    deployer.configure(&json!({ "profiles": null }))?;
    let said = deployer.make_refuses(&["deploy"]).await?;
    let none = format!("no credentials for {SECURITY}: there are none in the environment; ");
    ensure!(said.contains(&none), "{said}");
    deployer.configure(&json!({ "profiles": right }))
}

/// With nothing deployed, and the profiles of three accounts.
async fn sees_what_is_missing(deployer: &Deployer) -> Result<()> {
    deployer.configure(&json!({
        "managementAccount": MANAGEMENT,
        "organizationalUnits": UNITS,
        "permissionsBoundary": "boundaries/Cordon",
        "restorers": [
            RESTORER, format!("arn:aws:iam::{SECURITY}:role/OnCall"),
            format!("arn:aws:iam::{SECURITY}:user/nobody"), format!("arn:aws:iam::{MANAGEMENT}:role/Boss"),
        ],
    }))?;
    let said = deployer.make_refuses(&["preflight"]).await?;
    has_lines(
        &said,
        &[
            "ok       the organization is o-cordonlocal",
            "ok       the policy arn:aws:iam::aws:policy/AWSDenyAll is there",
            "ok       111111111111 is delegated administrator of securityhub.amazonaws.com",
            "ok       Security Hub CSPM in us-east-1, whose findings are awaited, is on",
            "ok       us-east-1 aggregates findings (ALL_REGIONS), those of AWS Health among them",
            "wrong    there is no policy arn:aws:iam::111111111111:policy/boundaries/Cordon: make it",
            "wrong    there is no policy arn:aws:iam::222222222222:policy/boundaries/Cordon: make it",
            "ok       arn:aws:iam::111111111111:role/people/OnCall is there",
            "wrong    there is no arn:aws:iam::111111111111:role/OnCall, whom `restorers` names: write \
             arn:aws:iam::111111111111:role/people/OnCall",
            "wrong    there is no arn:aws:iam::111111111111:user/nobody, whom `restorers` names: make it",
            "unknown  whether there is arn:aws:iam::999999999999:role/Boss is not known",
            "warning  111111111111 is not bootstrapped for CDK in us-east-1: make deploy CONFIG=",
            "warning  CordonSecurity in 111111111111 is not deployed: make deploy CONFIG=",
            "warning  CordonMember in 333333333333 is not deployed: make deploy CONFIG=",
            "unknown  of 999999999999 there are no credentials, so ",
        ],
    )?;
    // How many, the local AWS has from the machine that it is on.
    ensure!(said.contains(" functions run at once"), "{said}");
    deployer.configure(&json!({ "permissionsBoundary": null, "restorers": null }))?;
    deployer.make(&["preflight"]).await?;
    deployer.configure(&json!({ "managementAccount": null }))?;
    let said = deployer.make(&["preflight"]).await?;
    has_lines(
        &said,
        &[
            "ok       trusted access of StackSets is on",
            "warning  CordonOrganization in 111111111111 is not deployed: make deploy CONFIG=",
        ],
    )?;
    deployer.configure(&json!({ "organizationalUnits": null }))
}

/// With all deployed, one more subscriber who has not confirmed, and what AWS refuses to say.
async fn sees_what_is_there(deployer: &Deployer, aws: &LocalAws) -> Result<()> {
    let sns = aws.security().sns();
    let hook = sns.subscribe().topic_arn(&aws.outputs().operations_topic_arn).protocol("https");
    hook.endpoint("https://example.com/preflight").send().await?;
    let denied = aws.fault("iam:GetPolicy", Strike::error("AccessDenied"));
    let denied = denied.always().stand().await?;
    let said = deployer.make(&["preflight"]).await?;
    denied.lift().await?;
    has_lines(
        &said,
        &[
            "ok       111111111111 is bootstrapped for CDK in us-east-1",
            "ok       CordonSecurity in 111111111111 is deployed",
            "ok       CordonMember in 333333333333 is deployed",
            "ok       CordonRestore in 333333333333 is deployed",
            "ok       subscriptions of `responders` that are confirmed: 1",
            "ok       subscriptions of `operations` that are confirmed: 1",
            "warning  `https://example.com/preflight` of `operations` has not confirmed",
            "unknown  whether there is a policy arn:aws:iam::aws:policy/AWSDenyAll is not known, since",
        ],
    )?;
    let off = aws.fault("securityhub:DescribeHub", Strike::error("InvalidAccessException"));
    let off = off.always().stand().await?;
    let said = deployer.make_refuses(&["preflight"]).await?;
    off.lift().await?;
    has_lines(
        &said,
        &[
            "wrong    Security Hub CSPM in us-east-1, whose findings are awaited, is off: turn it on, or",
        ],
    )
}

/// One of them has to be signed in to again: all else is looked at, and that is said in the end.
async fn goes_on_without_a_profile(deployer: &Deployer) -> Result<()> {
    let right = deployer.profiles();
    let mut profiles = right.clone();
    profiles[MEMBERS[0]] = json!("of-nobody");
    deployer.configure(&json!({ "profiles": profiles }))?;
    let said = deployer.make_refuses(&["preflight"]).await?;
    has_lines(
        &said,
        &[
            "warning: the profile `of-nobody`, which `profiles` has for 222222222222, does not work: ",
            "ok       CordonSecurity in 111111111111 is deployed",
            "ok       CordonMember in 333333333333 is deployed",
            "unknown  of 222222222222 there are no credentials, so ",
        ],
    )?;
    let said = deployer.make_refuses(&["destroy"]).await?;
    ensure!(said.contains("member roles may stand in 222222222222"), "{said}");
    deployer.configure(&json!({ "profiles": right }))
}

/// That each of these begins a line.
fn has_lines(said: &str, expected: &[&str]) -> Result<()> {
    for line in expected {
        ensure!(said.lines().any(|one| one.starts_with(line)), "no line `{line}`: {said}");
    }
    Ok(())
}

/// Whoever has a member's credentials alone.
async fn needs_no_packages(deployer: &Deployer) -> Result<()> {
    deployer.configure(&json!({ "binaries": "nowhere" }))?;
    let said = deployer.make(&["diff", &format!("ACCOUNT={}", MEMBERS[0])]).await?;
    ensure!(said.contains("Number of stacks with differences: 0"), "{said}");
    deployer.configure(&json!({ "binaries": "target/lambda" }))
}

/// By `make policy`, which keeps all other fields, and writes nothing that nobody could read.
async fn changes_one_field(deployer: &Deployer, aws: &LocalAws) -> Result<()> {
    deployer.make(&["policy", "SET=exemptAccounts+=\"444444444444\""]).await?;
    deployer.make(&["policy", "SET=settlingSeconds=1"]).await?;
    deployer.make(&["policy", "SET=mode=contain"]).await?;
    let expected = json!({
        "mode": "contain",
        "settlingSeconds": 1,
        "exemptAccounts": ["444444444444"],
    });
    let before = policy(aws).await?;
    ensure!(before.0 == expected, "the policy is {before:?}");
    let said = deployer.make_refuses(&["policy", "SET=mode=of"]).await?;
    ensure!(said.contains("`responsePolicy.mode` is `\"of\"`"), "{said}");
    ensure!(policy(aws).await? == before, "it was written");
    ensure!(deployer.make(&["policy"]).await?.contains("444444444444"), "it is not shown");
    Ok(())
}

/// Where one account refuses, the accounts after it are deployed all the same, and that is said in
/// the end. So is that the response policy is another by now.
async fn goes_on_where_one_fails(deployer: &Deployer, aws: &LocalAws) -> Result<()> {
    let denied = aws.fault("cloudformation:*", Strike::error("AccessDenied"));
    let denied = denied.account(MEMBERS[0]).always().stand().await?;
    let said = deployer.make_refuses(&["deploy"]).await?;
    ensure!(denied.lift().await? > 0, "nothing was refused: {said}");
    has_lines(
        &said,
        &[
            "the response policy stays as it is, not as the configuration has it: ",
            "CordonMember in 222222222222:",
            "CordonRestore in 333333333333:",
            "not deployed, for the reasons above: CordonMember in 222222222222, CordonRestore in 222222222222. ",
        ],
    )
}

/// A deployment with other tags and another first policy, which fails half-way.
async fn rolls_back(deployer: &Deployer, aws: &LocalAws) -> Result<()> {
    let before = policy(aws).await?;
    let fields = json!({ "tags": { "team": "security" }, "responsePolicy": { "mode": "off" } });
    deployer.configure(&fields)?;
    let package = deployer.package("verify").join("bootstrap");
    let kept = package.with_extension("kept");
    fs::rename(&package, &kept)?;
    File::create(&package)?.set_len(TOO_LARGE)?;
    let said = deployer.make_refuses(&["deploy", &format!("ACCOUNT={SECURITY}")]).await?;
    fs::rename(&kept, &package)?;
    ensure!(said.contains("UPDATE_ROLLBACK"), "{said}");
    ensure!(policy(aws).await? == before, "the policy was {before:?}");
    Ok(())
}

/// The trust of a member role, as it must not be: with the function's role as principal.
async fn trust_by_principal(aws: &LocalAws, member: &str) -> Result<()> {
    let mut document = trust(aws, member).await?;
    let statements = document["Statement"].as_array_mut().context("no statements")?;
    for statement in statements {
        let role = statement["Condition"]["ArnEquals"]["aws:PrincipalArn"].take();
        ensure!(role.is_string(), "{statement}");
        statement["Principal"]["AWS"] = role;
        let conditions = statement["Condition"].as_object_mut().context("no conditions")?;
        conditions.remove("ArnEquals");
    }
    let iam = aws.account(member).iam();
    iam.update_assume_role_policy()
        .role_name(ENTRY)
        .policy_document(document.to_string())
        .send()
        .await?;
    contained(aws, member).await
}

/// Refused while members stand; told to, it says what stays.
async fn deletes_the_security_stack(deployer: &Deployer) -> Result<()> {
    let said = deployer.make_refuses(&["destroy"]).await?;
    for member in MEMBERS {
        for stack in ["CordonRestore", "CordonMember"] {
            let command = format!("ACCOUNT={member} STACK={stack}");
            ensure!(said.contains(&command), "{said}");
        }
    }
    let said = deployer.make(&["destroy", "FORCE=1"]).await?;
    let stays = ["/aws/lambda/cordon-verify", "AWS::S3::Bucket", "/cordon/response-policy"];
    for part in stays {
        ensure!(said.contains(part), "`{part}` is not said to stay: {said}");
    }
    Ok(())
}

/// Nobody may have restores applied any more: what is left of that in a member is named, and goes.
async fn applies_no_more(deployer: &Deployer, aws: &LocalAws) -> Result<()> {
    let [member, _] = MEMBERS;
    let granting = async || {
        let iam = aws.account(member).iam();
        iam.get_role().role_name("SecurityRemediation-ApplyRestore").send().await.is_ok()
    };
    ensure!(granting().await, "no role in {member} grants");
    deployer.configure(&json!({ "restorers": null }))?;
    let account = format!("ACCOUNT={member}");
    let said = deployer.make(&["deploy", &account]).await?;
    let left = format!("CordonRestore in {member} stands, ");
    ensure!(said.lines().any(|line| line.starts_with(&left)), "{said}");
    deployer.make(&["destroy", &account, "STACK=CordonRestore"]).await?;
    ensure!(!granting().await, "a role in {member} grants still");
    Ok(())
}

/// What a former release had of the response policy, changed by people since.
async fn former_release(deployer: &Deployer, aws: &LocalAws) -> Result<(Value, i64)> {
    let ssm = aws.security().ssm();
    let name = &aws.outputs().response_policy_parameter;
    ssm.delete_parameter().name(name).send().await?;
    deployer.deploy_former_release().await?;
    let changed = json!({ "mode": "contain", "settlingSeconds": 1 });
    ssm.put_parameter().name(name).value(changed.to_string()).overwrite(true).send().await?;
    policy(aws).await
}

async fn contained(aws: &LocalAws, member: &str) -> Result<()> {
    let user = aws.user().account(member).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    Incident::about(aws, &user).await?.ends_well().await?;
    Ok(())
}

/// Nobody enters where the role that was there before is the principal: its id is left of it.
async fn locked_out(aws: &LocalAws, member: &str) -> Result<()> {
    let document = trust(aws, member).await?;
    let principal = &document["Statement"][0]["Principal"]["AWS"];
    ensure!(principal.as_str().is_some_and(|id| id.starts_with("AROA")), "{document}");
    let user = aws.user().account(member).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = Incident::about(aws, &user).await?;
    let execution = aws.respond_to(&incident.finding).await?;
    execution.ends(ExecutionStatus::Failed).await?;
    let failed = aws.topics().alerts.message(format_args!("a failure"), |message| {
        message.tells(Telling::Failed, &execution.arn)
    });
    let told = failed.await?.text;
    ensure!(told.contains("EntryRefused") && told.contains(ENTRY), "{told}");
    Ok(())
}

/// The role that is entered first.
const ENTRY: &str = "SecurityRemediation-AssumeRole";

async fn trust(aws: &LocalAws, member: &str) -> Result<Value> {
    let role = aws.account(member).iam().get_role().role_name(ENTRY).send().await?.role;
    let document = role.and_then(|role| role.assume_role_policy_document);
    Ok(serde_json::from_str(&decode(&document.context("it trusts nobody")?)?)?)
}

/// The live response policy, and its version.
async fn policy(aws: &LocalAws) -> Result<(Value, i64)> {
    let name = &aws.outputs().response_policy_parameter;
    let found = aws.security().ssm().get_parameter().name(name).send().await?.parameter;
    let found = found.context("there is no response policy")?;
    Ok((serde_json::from_str(found.value().unwrap_or_default())?, found.version()))
}
