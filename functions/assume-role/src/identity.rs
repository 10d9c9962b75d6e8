//! Who is meant. Names change hands, so the unique id decides.
//!
//! Source: IAM User Guide, "IAM identifiers" (unique identifiers).

use aws_sdk_iam::Client;
use futures::join;
use incident::{Accused, Failure, Kind, is_name};
use member::credential::{access_keys, owner};
use member::policy::attached_policies;
use member::principal::{Entity, find};
use serde::Deserialize;

/// How often a principal is looked for that is not where IAM has just said: it may have
/// another name at each look.
pub(crate) const LOOKS: usize = 5;

const BY_NAME: &str = "the name that the finding gives";

/// Who was identified before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Known {
    /// Its ARN then.
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Those that it had then.
    #[serde(default)]
    pub(crate) access_keys: Vec<String>,
}

/// Who is meant, and by what that was found.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) found: Entity,
    /// ARNs of its attached policies.
    pub(crate) attached: Vec<String>,
    /// Of a user, for finding it again.
    pub(crate) access_keys: Vec<String>,
    /// For a person.
    pub(crate) by: String,
}

/// Whom the finding means.
pub(crate) async fn first(iam: &Client, accused: &Accused) -> Result<Identified, Failure> {
    let Some(key) = &accused.access_key else {
        return by_name(iam, accused, BY_NAME).await;
    };
    is_no_user(iam, accused, key).await?;
    for _ in 0..LOOKS {
        let name = match owner(iam, key).await {
            Ok(Some(name)) => name,
            Ok(None) => return by_name_for_want_of_an_owner(iam, accused, key).await,
            Err(refused @ Failure::AccessDenied { .. }) => {
                return by_name_and_id(iam, accused, key, refused).await;
            }
            Err(failure) => return Err(failure),
        };
        let name = user_name(key, name)?;
        // Whoever has the name by now is its owner only if the key is among that one's own.
        if let Some(seen) = look(iam, Kind::User, &name).await?
            && seen.access_keys.contains(key)
        {
            return Ok(Identified {
                by: key_and_contradictions(accused, key, &seen.found),
                ..seen
            });
        }
    }
    Err(Failure::PrincipalVanished(format!(
        "the owner of the access key `{key}` has another name whenever it is looked for"
    )))
}

/// Where the finding gives `user/eve/access-key/AKIA…`, that nobody is called like the key: then
/// it may be the ARN of that user, whose path looks like a name.
///
/// Source: IAM API Reference, `CreateUser` (`Path`, `UserName`).
async fn is_no_user(iam: &Client, accused: &Accused, key: &str) -> Result<(), Failure> {
    let resource = &accused.resource;
    if !resource.contains(":user/") || !resource.ends_with(&format!("/access-key/{key}")) {
        return Ok(());
    }
    match find(iam, Kind::User, key).await {
        Ok(user) if user.arn == *resource => Err(Failure::PrincipalMismatch(format!(
            "`{resource}` may be an access key, and the account has a user of that ARN"
        ))),
        Ok(_) | Err(Failure::NotFound { .. }) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Who was identified before, by its unique id, whatever its name is now.
pub(crate) async fn again(
    iam: &Client,
    accused: &Accused,
    known: &Known,
) -> Result<Identified, Failure> {
    let Known { id, name, access_keys, .. } = known;
    for _ in 0..LOOKS {
        if let Some(seen) = look(iam, accused.kind, name).await?
            && seen.found.id == *id
        {
            let by = format!("its id `{id}`, as it was identified before");
            return Ok(Identified { by, ..seen });
        }
        for key in accused.access_key.iter().chain(access_keys) {
            let Some(name) = owner(iam, key).await? else { continue };
            if let Some(seen) = look(iam, Kind::User, &user_name(key, name)?).await?
                && seen.found.id == *id
            {
                let by = format!(
                    "its access key `{key}` and its id; it was `{}` before, and who has that name \
                     now may be under the deny",
                    known.name
                );
                return Ok(Identified { by, ..seen });
            }
        }
    }
    let (noun, search) = (accused.kind.noun(), accused.kind.search(id));
    Err(Failure::PrincipalVanished(format!(
        "the {noun} that was `{name}`, id `{id}`, has neither that name nor an access key that is \
         known; {search}"
    )))
}

/// Whoever has the name, with nothing yet by which that is known to be the one who is meant.
/// All is read at once; whichever answer says that nobody has the name, nobody has.
async fn look(iam: &Client, kind: Kind, name: &str) -> Result<Option<Identified>, Failure> {
    let keys = async {
        match kind {
            Kind::User => access_keys(iam, name).await,
            Kind::Role => Ok(Vec::new()),
        }
    };
    let read = join!(find(iam, kind, name), attached_policies(iam, kind, name), keys);
    match read {
        (Err(Failure::NotFound { .. }), ..)
        | (_, Err(Failure::NotFound { .. }), _)
        | (.., Err(Failure::NotFound { .. })) => Ok(None),
        (found, attached, access_keys) => Ok(Some(Identified {
            found: found?,
            attached: attached?,
            access_keys: access_keys?,
            by: String::new(),
        })),
    }
}

/// Whoever has the name that the finding gives, if the id that it gives agrees.
async fn by_name(iam: &Client, accused: &Accused, by: &str) -> Result<Identified, Failure> {
    let (kind, noun) = (accused.kind, accused.kind.noun());
    let id = accused.principal_id.as_deref();
    let search = id.map(|id| format!("; the finding gives its id: {}", kind.search(id)));
    let search = search.unwrap_or_default();
    let Some(name) = &accused.name else {
        return Err(Failure::PrincipalNotFound(format!(
            "{noun} that the finding could mean: it gives no name, and IAM knows no owner of its \
             access key `{}`{search}",
            accused.access_key.as_deref().unwrap_or("none")
        )));
    };
    for _ in 0..LOOKS {
        let Some(seen) = look(iam, kind, name).await? else { continue };
        return match id {
            Some(id) if id != seen.found.id => Err(Failure::PrincipalMismatch(format!(
                "the {noun} `{name}` has the id `{}`, and the finding means that of the id \
                 `{id}`, which was renamed or deleted; {}",
                seen.found.id,
                kind.search(id)
            ))),
            Some(id) => Ok(Identified { by: format!("{by}, and its id `{id}`"), ..seen }),
            None => Ok(Identified { by: by.to_owned(), ..seen }),
        };
    }
    Err(Failure::PrincipalNotFound(format!("{noun} `{name}`{search}")))
}

/// Of a key that is gone only the name is left, and whether that is still its owner's only
/// the id can tell.
async fn by_name_for_want_of_an_owner(
    iam: &Client,
    accused: &Accused,
    key: &str,
) -> Result<Identified, Failure> {
    let by = format!("{BY_NAME}; IAM knows no owner of the access key `{key}`");
    let identified = by_name(iam, accused, &by).await?;
    if accused.principal_id.is_some() {
        return Ok(identified);
    }
    let Entity { name, id, .. } = identified.found;
    Err(Failure::PrincipalMismatch(format!(
        "IAM knows no owner of the access key `{key}`, and the finding gives no id: the user \
         `{name}`, id `{id}`, may be a namesake of who had it; look for the key in CloudTrail, then \
         aws iam list-users"
    )))
}

/// Where IAM refuses to say whose a key is, who has the name and the id that the finding gives
/// is meant. Without them both nobody knows who is: people have to mend what refuses the call.
async fn by_name_and_id(
    iam: &Client,
    accused: &Accused,
    key: &str,
    refused: Failure,
) -> Result<Identified, Failure> {
    if accused.principal_id.is_none() {
        return Err(refused);
    }
    let by = format!("{BY_NAME}; IAM refuses to say whose the access key `{key}` is");
    match by_name(iam, accused, &by).await {
        Err(Failure::PrincipalNotFound(_) | Failure::PrincipalMismatch(_)) => Err(refused),
        other => other,
    }
}

/// The name of a key's owner, if it is a user's.
fn user_name(key: &str, owner: String) -> Result<String, Failure> {
    if is_name(&owner) {
        return Ok(owner);
    }
    Err(Failure::PrincipalProtected {
        arn: format!("the owner of the access key {key}"),
        reason: "IAM names no user as such, so it may be the account's root user".to_owned(),
        denied: None,
    })
}

/// That the owner of a key was found by it, and in what the finding contradicts that.
fn key_and_contradictions(accused: &Accused, key: &str, found: &Entity) -> String {
    let called = accused.name.as_ref().filter(|name| !found.name.eq_ignore_ascii_case(name));
    let called = called.map(|name| format!("the finding calls it `{name}`"));
    let given = accused.principal_id.as_ref().filter(|id| **id != found.id);
    let given =
        given.map(|id| format!("the finding gives the id `{id}`, and its id is `{}`", found.id));
    let told = [Some(format!("its access key `{key}`")), called, given];
    told.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
