use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether the product with this ARN sends its findings in OCSF, to Security Hub without CSPM.
///
/// Source: Security Hub User Guide, "Sample exposure finding" (`metadata.product.uid`).
#[must_use]
pub fn is_in_ocsf(product_arn: &str) -> bool {
    product_arn.contains(":productv2/")
}

/// An AWS account id: twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The id's digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        if id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(id))
        } else {
            Err(format!("`{}` is no account id", crate::one_line(&id, 40)))
        }
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

/// The ARN of an IAM user or role, as a finding claims it.
///
/// `arn:<partition>:iam::<account>:user/<path><name>`. Names follow IAM's grammar
/// (`[\w+=,.@-]{1,128}`); a path is printable ASCII of at most 512 characters.
///
/// Source: IAM API Reference, `User` (`UserName`, `Path`) and `CreateUser`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalArn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: &'a str,
    /// The account's id, as the ARN gives it.
    pub account: &'a str,
    /// `user` or `role`.
    pub resource: &'a str,
    /// With its slashes: `/` or `/a/b/`.
    pub path: String,
    /// What follows the last slash.
    pub name: &'a str,
}

impl<'a> PrincipalArn<'a> {
    /// Reads `arn`, or says what is wrong with it.
    pub fn parse(arn: &'a str) -> Result<Self, &'static str> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account), Some(rest)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it is no ARN of an IAM principal");
        };
        let Some((resource @ ("user" | "role"), path_and_name)) = rest.split_once('/') else {
            return Err("it is neither a user nor a role");
        };
        let (path, name) = match path_and_name.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), path_and_name),
        };
        if !is_name(name) {
            return Err("its name is outside IAM's grammar");
        }
        if path.len() > 512 || !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("its path is outside IAM's grammar");
        }
        Ok(Self { partition, account, resource, path, name })
    }
}

/// Whether IAM could have a user or role of this name.
///
/// Source: IAM API Reference, `CreateUser` (`UserName`) and `CreateRole` (`RoleName`).
#[must_use]
pub fn is_name(name: &str) -> bool {
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_follows_the_last_slash() {
        let arn = PrincipalArn::parse("arn:aws-cn:iam::222222222222:user/a*/${b}/eve@x").unwrap();
        assert_eq!(
            (arn.partition, arn.account, arn.path.as_str(), arn.name),
            ("aws-cn", "222222222222", "/a*/${b}/", "eve@x")
        );
        assert_eq!(PrincipalArn::parse("arn:aws:iam::222222222222:role/r").unwrap().path, "/");
    }

    #[test]
    fn what_is_no_principal_is_refused() {
        for arn in [
            "",
            "eve",
            "arn:aws:iam::222222222222:root",
            "arn:aws:iam::222222222222:group/g",
            "arn:aws:iam::222222222222:user/",
            "arn:aws:iam::222222222222:user/a b",
            "arn:aws:iam::222222222222:user/é",
            "arn:aws:iam::222222222222:user/p\u{7f}/eve",
            "arn:aws:sts::222222222222:assumed-role/r/s",
            "arn:aws:iam:us-east-1:222222222222:user/eve",
        ] {
            assert!(PrincipalArn::parse(arn).is_err(), "{arn}");
        }
        let long = format!("arn:aws:iam::222222222222:user/{}/eve", "p".repeat(511));
        assert!(PrincipalArn::parse(&long).is_err());
    }

    #[test]
    fn a_name_is_what_iam_lets_one_be() {
        for name in ["eve", "a", "Eve_1+=,.@-", &"n".repeat(128)] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", " ", "a b", "a/b", "a:b", "*", "${x}", "é", "a\n", "\u{ff21}", &"n".repeat(129)]
        {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert!(AccountId::try_from("012345678901".to_owned()).is_ok());
        for id in
            ["", "1", "0123456789012", "01234567890x", " 12345678901", "١٢٣٤٥٦", "-12345678901"]
        {
            assert!(AccountId::try_from(id.to_owned()).is_err(), "{id}");
        }
    }
}
