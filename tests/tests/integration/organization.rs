//! The accounts from which the organisation is run: the management account and the security
//! account. Cordon contains there where it is told to, and touches nobody who runs it.

use anyhow::{Result, ensure};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::User;
use harness::{MANAGEMENT, MEMBERS, OPERATORS, SECURITY};

use crate::cases;
use crate::incident::Incident;
use crate::judged::{End, leads_to};
use crate::trials::Trials;
use crate::verdicts::{about_role, administrator, choose};

const CENTRAL: [&str; 2] = [MANAGEMENT, SECURITY];

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("where the organisation is run from, who is accused is contained", contained);
    trials.add("where the organisation is run from, no operator is touched", operators);
    trials.add("where the organisation is run from, what deploys Cordon stays", deployment);
    trials.add("whom the configuration protects is left to people", protected);
    trials.add("where the organisation is run from, no default product is believed", untrusted);
}

async fn contained(aws: &LocalAws) -> Result<()> {
    for account in CENTRAL {
        let (user, key) = administrator(aws, account).await?;
        let finding = cases::finding_in(aws, account, "guardduty-user-key")?;
        let finding = cases::about_key(&finding, &key.id, &user.name);
        let incident = Incident::with(aws, &user, finding).await?;
        let judged = leads_to(aws, &incident.finding, End::Contained).await?;
        Box::pin(incident.is_dealt_with(&judged.execution)).await?;
        judged.told(&[&user.arn])?;
    }
    Ok(())
}

async fn operators(aws: &LocalAws) -> Result<()> {
    for account in CENTRAL {
        let operator = aws.user().account(account).path(OPERATORS).create().await?;
        let why = "it is configured as an operator's";
        Box::pin(is_left_to_people(aws, &operator, why)).await?;
    }
    Ok(())
}

/// Accused by one of its keys, and chosen by a person.
async fn is_left_to_people(aws: &LocalAws, user: &User, why: &str) -> Result<()> {
    let key = user.access_key().await?;
    let before = user.read_back().await?;
    let finding = cases::finding_in(aws, &user.account, "guardduty-user-key")?;
    let finding = cases::about_key(&finding, &key.id, &user.name);
    let told = [user.arn.as_str(), why];
    leads_to(aws, &finding, End::Escalated).await?.told(&told)?;
    choose(aws, &finding, End::Escalated).await?.told(&told)?;
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

/// By `protectedPrincipals` of the configuration, in every account.
async fn protected(aws: &LocalAws) -> Result<()> {
    for account in [MEMBERS[0], SECURITY] {
        let name = format!("break-glass-{}", aws.unique("user"));
        let user = aws.user().account(account).name(name).create().await?;
        let why = "it is configured as protected (`protectedPrincipals`)";
        Box::pin(is_left_to_people(aws, &user, why)).await?;
    }
    Ok(())
}

async fn deployment(aws: &LocalAws) -> Result<()> {
    let name = |account| format!("cdk-{}-deploy-role-{account}-us-east-1", aws.unique("q"));
    let bootstrapped = aws.role().account(MANAGEMENT).name(name(MANAGEMENT)).create().await?;
    for role in [
        bootstrapped,
        aws.existing_role(SECURITY, "Cordon-Quarantine").await?,
        aws.existing_role(SECURITY, "SecurityRemediation-Quarantine").await?,
    ] {
        let before = role.read_back().await?;
        let finding = about_role(aws, &role)?;
        leads_to(aws, &finding, End::Ignored).await?;
        let judged = choose(aws, &finding, End::Escalated).await?;
        judged.told(&[&role.arn, "is never contained by machine"])?;
        ensure!(role.read_back().await? == before, "`{}` has changed", role.name);
    }
    Ok(())
}

/// Whoever may import findings in an account is nobody who may have its users denied.
async fn untrusted(aws: &LocalAws) -> Result<()> {
    for account in CENTRAL {
        let (user, _) = administrator(aws, account).await?;
        let before = user.read_back().await?;
        leads_to(aws, &Finding::about(&user), End::Ignored).await?;
        ensure!(user.read_back().await? == before, "the user has changed");
    }
    Ok(())
}
