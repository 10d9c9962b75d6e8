//! Principals that a finding accuses, of each kind that an execution treats in its own way: as
//! they were, as they are, and what of them must be so in the end.

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::types::Tag;
use harness::evidence::Evidence;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::role::Role;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, Snapshot, User, allow_all};

use crate::cases;
use crate::incident::{Incident, shows, workflow};
use crate::users::POWER_USER;

/// What an execution does about a finding when nothing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// It contains a user that has one of everything.
    User,
    /// It contains a user to whom no more policies can be attached.
    FullUser,
    /// It contains a user that has a boundary of its own.
    BoundedUser,
    /// It contains a user on whom a deny stands already, so that it looks first whether it has
    /// answered the finding before.
    DeniedUser,
    /// It finds a user contained, and nothing to take away.
    BareUser,
    /// It contains a role.
    Role,
    /// It contains a role to which no more policies can be attached.
    FullRole,
    /// It contains a role that has a boundary of its own.
    BoundedRole,
    /// It makes the one of a user's keys Inactive that is unused.
    Unused,
    /// It tells people who holds a policy.
    Policy,
}

/// A product whose findings start no execution.
const OF_NO_RULE: &str = "arn:aws:securityhub:us-east-1::product/aws/health";

enum Accused {
    User(User),
    Role(Role),
    /// With the account that it is in.
    Policy(String),
}

/// Whom a finding accuses. Security Hub has the finding, but has not sent it: the test starts
/// the execution itself, so that it knows the execution's name before.
pub(crate) struct Suspect<'a> {
    aws: &'a LocalAws,
    case: Case,
    accused: Accused,
    pub(crate) before: Snapshot,
    pub(crate) finding: Finding,
}

/// A part of what is done about a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Deny,
    Boundary,
    Evidence,
    Keys,
    Policies,
    Groups,
    Tags,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Deny,
        Self::Boundary,
        Self::Evidence,
        Self::Keys,
        Self::Policies,
        Self::Groups,
        Self::Tags,
    ];
}

impl<'a> Suspect<'a> {
    /// A new principal in an account, and the finding about it.
    pub(crate) async fn new(aws: &'a LocalAws, account: &str, case: Case) -> Result<Self> {
        let finding = |case: &str| cases::finding_in(aws, account, case);
        let (accused, finding) = match case {
            Case::BareUser => {
                let user = aws.user().account(account).boundary(DENY_ALL).create().await?;
                user.attach(DENY_ALL).await?;
                let key = user.access_key().await?.id;
                user.deactivate(&key).await?;
                let finding = finding("guardduty-user-key")?;
                let finding = cases::about_key_of(&finding, &key, &user.name, &user.id);
                (Accused::User(user), finding)
            }
            Case::User | Case::FullUser | Case::BoundedUser | Case::DeniedUser => {
                let new = aws.user().account(account);
                let bounded = case == Case::BoundedUser;
                let new = if bounded { new.boundary(POWER_USER) } else { new };
                let user = new.create().await?;
                let key = one_of_everything(&user).await?;
                // To ten policies no other can be attached.
                user.attach_new(if case == Case::FullUser { 9 } else { 1 }).await?;
                if case == Case::DeniedUser {
                    user.attach(DENY_ALL).await?;
                }
                let finding = finding("guardduty-user-key")?;
                let finding = cases::about_key_of(&finding, &key, &user.name, &user.id);
                (Accused::User(user), finding)
            }
            Case::Role | Case::FullRole | Case::BoundedRole => {
                let new = aws.role().account(account);
                let bounded = case == Case::BoundedRole;
                let new = if bounded { new.boundary(POWER_USER) } else { new };
                let role = new.create().await?;
                role.attach(ADMINISTRATOR_ACCESS).await?;
                role.put_inline("allow-all", &allow_all()).await?;
                if case == Case::FullRole {
                    role.attach_new(9).await?;
                }
                let finding = finding("custom-administrator-role")?;
                let finding = cases::about(&finding, "AwsIamRole", &role.arn);
                let finding = finding.with("ProductArn", OF_NO_RULE);
                (Accused::Role(role), finding)
            }
            Case::Unused => {
                let user = aws.user().account(account).create().await?;
                user.attach(ADMINISTRATOR_ACCESS).await?;
                user.access_key().await?;
                aws.age(&user, 100).await?;
                user.access_key().await?;
                let finding = finding("control-unused-90-days")?;
                let finding = cases::about(&finding, "AwsIamUser", &user.arn);
                (Accused::User(user), finding)
            }
            Case::Policy => {
                let user = aws.user().account(account).create().await?;
                let policy = user.attach_new(1).await?.pop().context("no policy was made")?;
                let finding = finding("control-wide-policy")?;
                let finding = cases::about(&finding, "AwsIamPolicy", &policy);
                (Accused::Policy(account.to_owned()), finding)
            }
        };
        aws.store(&finding).await?;
        let before = accused.read_back().await?;
        Ok(Self { aws, case, accused, before, finding })
    }

    /// Gives it a tag of its owner's own.
    pub(crate) async fn tag(&mut self, key: &str, value: &str) -> Result<()> {
        let tag = Tag::builder().key(key).value(value).build()?;
        match &self.accused {
            Accused::User(user) => user.tag(key, value).await?,
            Accused::Role(role) => {
                let iam = role.account_root().iam();
                iam.tag_role().role_name(&role.name).tags(tag).send().await?;
            }
            Accused::Policy(_) => {}
        }
        self.before = self.read_back().await?;
        Ok(())
    }

    /// Starts an execution with the event that Security Hub would send: of a role's, because a
    /// person chose it, since no other finding contains a role under every response policy.
    pub(crate) async fn start(&self, execution: &Execution) -> Result<()> {
        self.start_about(execution, &self.finding).await
    }

    /// Starts an execution about another finding that accuses the same principal.
    pub(crate) async fn accuse_again(&self, execution: &Execution) -> Result<()> {
        let another = self.finding.clone().with("Id", self.aws.unique("another"));
        self.aws.store(&another).await?;
        self.start_about(execution, &another).await
    }

    async fn start_about(&self, execution: &Execution, finding: &Finding) -> Result<()> {
        let event = match self.case {
            Case::Role | Case::FullRole | Case::BoundedRole => finding.chosen(),
            _ => finding.new_event(),
        };
        self.aws.start_as(execution, &event).await
    }

    /// Starts an execution with the event of a person's choice.
    pub(crate) async fn choose(&self, execution: &Execution) -> Result<()> {
        self.aws.start_as(execution, &self.finding.chosen()).await
    }

    /// The account that the finding is about.
    pub(crate) fn account(&self) -> &str {
        match &self.accused {
            Accused::User(user) => &user.account,
            Accused::Role(role) => &role.account,
            Accused::Policy(account) => account,
        }
    }

    /// The principal's unique id; empty where no principal is accused.
    pub(crate) fn id(&self) -> &str {
        match &self.accused {
            Accused::User(user) => &user.id,
            Accused::Role(role) => &role.id,
            Accused::Policy(_) => "",
        }
    }

    /// The principal as its account has it now.
    pub(crate) async fn read_back(&self) -> Result<Snapshot> {
        self.accused.read_back().await
    }

    /// The finding's workflow status now.
    pub(crate) async fn workflow(&self) -> Result<String> {
        Ok(workflow(&self.aws.in_security_hub(&self.finding).await?).to_owned())
    }

    /// The evidence of its case, or of its retirement, if there is any. It has been written
    /// once.
    pub(crate) async fn original(&self) -> Result<Option<Evidence>> {
        let (account, id) = (self.account(), self.id());
        if id.is_empty() {
            return Ok(None);
        }
        let evidence = match self.case {
            Case::Unused => {
                let all = self.aws.evidence_below(&format!("retired/{account}/{id}/")).await?;
                // That of the first pass: those of later ones have its name and a number.
                all.into_iter().min_by_key(|one| one.uri.len())
            }
            _ => self.aws.newest_original(account, id).await?,
        };
        if let Some(evidence) = &evidence {
            let key = evidence.uri.splitn(4, '/').nth(3).unwrap_or_default();
            let versions = self.aws.evidence_versions(key).await?;
            ensure!(versions == 1, "the original evidence has {versions} versions");
        }
        Ok(evidence)
    }

    /// Whether a part is done to the end.
    pub(crate) fn is_done(&self, part: Part, now: &Snapshot, evidence: Option<&Evidence>) -> bool {
        if self.case == Case::Unused && !matches!(part, Part::Keys | Part::Evidence | Part::Tags) {
            return self.is_untouched(part, now, evidence);
        }
        match part {
            Part::Deny => is_denied(now),
            Part::Boundary => now.boundary.as_deref() == Some(DENY_ALL),
            Part::Evidence => evidence.is_some(),
            Part::Keys => {
                let active = now.credentials.values().filter(|status| *status == "Active").count();
                active == usize::from(self.case == Case::Unused)
            }
            Part::Policies => {
                now.inline.is_empty() && now.attached.iter().all(|policy| policy == DENY_ALL)
            }
            Part::Groups => now.groups.is_empty(),
            Part::Tags if self.case == Case::Unused => now.tags.contains_key("CordonRetirement"),
            Part::Tags => now.tags.contains_key("SecurityIncident"),
        }
    }

    /// Whether a part is as it was before anything was done.
    pub(crate) fn is_untouched(
        &self,
        part: Part,
        now: &Snapshot,
        evidence: Option<&Evidence>,
    ) -> bool {
        let before = &self.before;
        match part {
            Part::Deny => is_denied(now) == is_denied(before),
            Part::Boundary => now.boundary == before.boundary,
            Part::Evidence => evidence.is_none(),
            Part::Keys => now.credentials == before.credentials,
            Part::Policies => now.inline == before.inline && undenied(now).eq(undenied(before)),
            Part::Groups => now.groups == before.groups,
            Part::Tags => now.tags == before.tags,
        }
    }

    /// The account is no worse than it was, whatever has failed: nobody has more rights than
    /// before, nothing is gone that the evidence does not hold, groups are gone only where the
    /// deny stands, and policies only where it is the boundary.
    pub(crate) async fn is_no_worse(&self) -> Result<(Snapshot, Option<Evidence>)> {
        let (before, now) = (&self.before, self.read_back().await?);
        let evidence = self.original().await?;
        let more = || format!("it was {before:?} and is {now:?}");
        ensure!(is_denied(&now) || !is_denied(before), "the deny is gone: {}", more());
        ensure!(
            undenied(&now).all(|policy| before.attached.contains(policy))
                && now.inline.iter().all(|(name, text)| before.inline.get(name) == Some(text))
                && now.groups.is_subset(&before.groups)
                && (now.boundary == before.boundary || now.boundary.as_deref() == Some(DENY_ALL)),
            "it may do more than before: {}",
            more()
        );
        let keys = now.credentials.iter().all(|(id, status)| {
            before.credentials.get(id).is_some_and(|was| was == "Active" || was == status)
        });
        ensure!(
            keys && now.credentials.len() == before.credentials.len(),
            "its credentials are others than before: {}",
            more()
        );
        let untouched = |part| self.is_untouched(part, &now, evidence.as_ref());
        ensure!(
            (is_denied(&now) || untouched(Part::Groups))
                && (now.boundary.as_deref() == Some(DENY_ALL) || untouched(Part::Policies)),
            "something was taken away without the deny: {}",
            more()
        );
        match &evidence {
            Some(evidence) => shows(&evidence.json()?, self.id(), before)?,
            None => ensure!(
                [Part::Keys, Part::Policies, Part::Groups, Part::Tags].into_iter().all(untouched)
                    && (before.boundary.is_none() || untouched(Part::Boundary)),
                "something was taken away without evidence: {}",
                more()
            ),
        }
        Ok((now, evidence))
    }

    /// Everything is done: read back, preserved, and the finding RESOLVED.
    pub(crate) async fn is_dealt_with(&self, execution: &Execution, tagged: bool) -> Result<()> {
        let (now, evidence) = self.is_no_worse().await?;
        let parts = Part::ALL.into_iter().filter(|part| tagged || *part != Part::Tags);
        for part in parts {
            ensure!(self.is_done(part, &now, evidence.as_ref()), "{part:?} is not done: {now:?}");
        }
        let status = self.workflow().await?;
        ensure!(status == "RESOLVED", "the finding is {status}");
        if let (Accused::User(user), Case::User, true) = (&self.accused, self.case, tagged) {
            let (before, finding) = (self.before.clone(), self.finding.clone());
            Incident::of(self.aws, user, before, finding).is_dealt_with(execution).await?;
        }
        Ok(())
    }
}

impl Accused {
    async fn read_back(&self) -> Result<Snapshot> {
        match self {
            Self::User(user) => user.read_back().await,
            Self::Role(role) => Ok(role.read_back().await?.into()),
            Self::Policy(_) => Ok(Snapshot::default()),
        }
    }
}

fn is_denied(principal: &Snapshot) -> bool {
    principal.attached.contains(DENY_ALL) || principal.boundary.as_deref() == Some(DENY_ALL)
}

/// The policies that are attached beside the deny.
fn undenied(principal: &Snapshot) -> impl Iterator<Item = &String> {
    principal.attached.iter().filter(|policy| *policy != DENY_ALL)
}

/// Gives a user one of everything that a step reads or takes away, so that each call is made.
/// Returns the id of its access key.
async fn one_of_everything(user: &User) -> Result<String> {
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    let group = user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    user.account_root()
        .iam()
        .put_group_policy()
        .group_name(group)
        .policy_name("allow-all")
        .policy_document(allow_all().to_string())
        .send()
        .await
        .context("cannot give the group an inline policy")?;
    user.ssh_key().await?;
    user.signing_certificate().await?;
    user.service_specific_credential("codecommit.amazonaws.com").await?;
    Ok(user.access_key().await?.id)
}
