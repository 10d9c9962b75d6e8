use incident::{Accused, Execution, Kind, PrincipalArn, one_line};

use crate::Refused;
use crate::finding::Finding;

/// The users that the finding names: those that can be acted on, each once, and those
/// that can't.
pub(crate) fn users(execution: &Execution, finding: &Finding<'_>) -> (Vec<Accused>, Vec<Refused>) {
    let mut accused: Vec<Accused> = Vec::new();
    let mut refused = Vec::new();
    for arn in finding.resources("AwsIamUser") {
        match user(execution, finding, arn) {
            // IAM's names are unique in an account, whatever their path and case.
            Ok(user)
                if accused
                    .iter()
                    .any(|other| other.name.eq_ignore_ascii_case(&user.name)) => {}
            Ok(user) => accused.push(user),
            Err(reason) => refused.push(Refused {
                arn: one_line(arn, 600),
                outcome: "escalated",
                reason: reason.to_owned(),
            }),
        }
    }
    (accused, refused)
}

/// Whoever may import findings chooses what they name: only users of the finding's own
/// account, in our partition, are acted on.
fn user(execution: &Execution, finding: &Finding<'_>, arn: &str) -> Result<Accused, &'static str> {
    let parsed = PrincipalArn::parse(arn)?;
    if parsed.resource != "user" {
        return Err("it is no user");
    }
    if parsed.partition != execution.partition() {
        return Err("it is in another partition");
    }
    if parsed.account != finding.brief.account.as_str() {
        return Err("it is in another account than the finding");
    }
    Ok(Accused {
        arn: arn.to_owned(),
        account: finding.brief.account.clone(),
        kind: Kind::User,
        name: parsed.name.to_owned(),
    })
}
