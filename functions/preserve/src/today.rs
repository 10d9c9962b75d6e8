//! Whom people were told of today. The first execution that observes a principal on a day says
//! so in an object of that day, and its mail is the one of the day. Reads and writes the bucket
//! alone.

use bucket::{Bucket, unreadable};
use incident::{Execution, Failure, Principal};
use serde::{Deserialize, Serialize};

use bucket::schema::canonical;

use crate::document::time;

const TOLD: &str = "cordon/told/1";

/// What an observation would be about, each of which has a mail of its own: that unused keys
/// would be made inactive must not keep anybody from hearing of an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Would {
    Contain,
    Retire,
}

impl Would {
    pub(crate) fn of(unused_days: Option<u16>) -> Self {
        if unused_days.is_some() { Self::Retire } else { Self::Contain }
    }
}

/// Who tells people of a principal on a day.
#[derive(Debug, Serialize)]
struct Told<'a> {
    schema: &'static str,
    execution: &'a Execution,
    at: &'a str,
    arn: &'a str,
    id: &'a str,
}

/// The same, as it was stored.
#[derive(Debug, Deserialize)]
struct Taken {
    schema: String,
    execution: Execution,
}

/// Whether another execution has people told that this principal is observed, on the day of
/// `entered` (UTC); otherwise this one has, from now on and whenever it asks again.
///
/// Fails where that can't be known, and then it is for the caller to have people told.
pub(crate) async fn told(
    bucket: &Bucket,
    of_principal: &str,
    would: Would,
    execution: &Execution,
    principal: &Principal,
    entered: &str,
) -> Result<bool, Failure> {
    time(entered)?;
    let (day, _) = entered.split_once('T').unwrap_or((entered, ""));
    let of_what = match would {
        Would::Contain => "",
        Would::Retire => "-unused",
    };
    let key = format!("{of_principal}{day}{of_what}.json");
    let (arn, id) = (&principal.arn, &principal.id);
    let told = canonical(&Told { schema: TOLD, execution, at: entered, arn, id })?;
    if bucket.create(&key, &told).await?.is_some() {
        return Ok(false);
    }
    let object = bucket.read(&key).await?;
    let taken: Taken = object.document()?;
    if taken.schema != TOLD {
        return Err(unreadable(&object.stored.uri, format!("it is `{}`", taken.schema)));
    }
    Ok(taken.execution != *execution)
}

#[cfg(test)]
mod tests {
    use wire::{HttpResponse, Rule, eve, mock, respond};

    use super::*;

    const OF_EVE: &str = "observed/222222222222/AIDAEVE/";

    async fn asked(rules: &[&Rule], would: Would, entered: &str) -> Result<bool, Failure> {
        let bucket = Bucket::new(wire::s3(rules), "b".into());
        told(&bucket, OF_EVE, would, &wire::execution(), &eve(), entered).await
    }

    fn answers(key: &'static str, answer: fn() -> HttpResponse) -> Rule {
        mock!(aws_sdk_s3::Client::put_object)
            .match_requests(move |put| put.key() == Some(key) && put.if_none_match() == Some("*"))
            .then_http_response(answer)
    }

    fn says(text: String) -> Rule {
        mock!(aws_sdk_s3::Client::get_object).then_http_response(move || respond(200, &text))
    }

    fn taken() -> HttpResponse {
        respond(412, "<Error><Code>PreconditionFailed</Code></Error>")
    }

    #[tokio::test]
    async fn each_day_is_told_once_and_so_is_what_would_be_retired() {
        for (would, entered, key) in [
            (
                Would::Contain,
                "2026-03-02T23:59:59.999Z",
                "observed/222222222222/AIDAEVE/2026-03-02.json",
            ),
            (
                Would::Contain,
                "2026-03-03T00:00:00Z",
                "observed/222222222222/AIDAEVE/2026-03-03.json",
            ),
            (
                Would::Retire,
                "2026-03-03T00:00:00Z",
                "observed/222222222222/AIDAEVE/2026-03-03-unused.json",
            ),
        ] {
            let free = answers(key, || respond(200, ""));
            assert!(!asked(&[&free], would, entered).await.unwrap(), "{key}");
        }
    }

    #[tokio::test]
    async fn who_has_told_today_tells_again_and_nobody_else_does() {
        let day = "observed/222222222222/AIDAEVE/2026-03-02.json";
        let own = wire::execution();
        let other = own.arn().replace(own.name(), "another");
        for (teller, told) in [(own.arn(), false), (other.as_str(), true)] {
            let object = says(format!(r#"{{"schema": "{TOLD}", "execution": "{teller}"}}"#));
            let rules = [&answers(day, taken), &object];
            let asked = asked(&rules, Would::Contain, "2026-03-02T10:00:00Z").await;
            assert_eq!(asked.unwrap(), told, "{teller}");
        }
    }

    #[tokio::test]
    async fn what_is_not_known_is_a_failure_and_never_silence() {
        let day = "observed/222222222222/AIDAEVE/2026-03-02.json";
        let refused = || respond(403, "<Error><Code>AccessDenied</Code></Error>");
        let other = format!(r#"{{"schema": "other", "execution": "{}"}}"#, wire::execution().arn());
        for (put, object) in [
            (refused as fn() -> _, String::new()),
            (taken, "no JSON".to_owned()),
            (taken, "{}".to_owned()),
            (taken, other),
        ] {
            let rules = [&answers(day, put), &says(object.clone())];
            let asked = asked(&rules, Would::Contain, "2026-03-02T10:00:00Z").await;
            assert!(asked.is_err(), "{object}: {asked:?}");
        }
        let asked = asked(&[], Would::Contain, "today").await;
        assert_eq!(asked.unwrap_err().name(), "InvalidInput");
    }
}
