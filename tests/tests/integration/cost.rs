//! What an execution takes that AWS has a price for. `infra/test/usage.json` has it, and the price is
//! computed from that.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_sfn::types::HistoryEventType;
use harness::MEMBERS;
use harness::execution::{Execution, History};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::place::{read_json, repository, write_json};
use harness::user::User;

use crate::cases;
use crate::guide::dangerous_user;
use crate::judged::{End, leads_to};
use crate::trials::Trials;
use crate::verdicts::administrator;

/// By what is counted: `transitions`, `functions`, `publishes`, ….
type Usage = BTreeMap<String, usize>;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("an execution takes what its price is computed from", usage);
}

/// With `BLESS=1` in the environment, what is written becomes what is taken.
async fn usage(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let contained = leads_to(aws, &Finding::about(&user), End::Contained).await?.execution;
    let (unusual, key) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "guardduty-unusual-medium")?;
    let finding = cases::about_key(&finding, &key.id, &unusual.name);
    let left = leads_to(aws, &finding, End::Escalated).await?.execution;
    let nobody = aws.user().create().await?;
    let finding = Finding::about(&nobody).with("Title", "Something odd about a user");
    let ignored = leads_to(aws, &finding, End::Ignored).await?.execution;

    let mut taken = BTreeMap::new();
    for (name, execution, about) in
        [("contained", contained, user), ("left", left, unusual), ("ignored", ignored, nobody)]
    {
        taken.insert(name.to_owned(), of(aws, &execution, &about).await?);
    }
    let path = repository().join("infra/test/usage.json");
    if std::env::var_os("BLESS").is_some() {
        return write_json(&path, &taken);
    }
    let written: BTreeMap<String, Usage> = read_json(&path)?.context("nothing is written")?;
    ensure!(taken == written, "taken: {taken:#?}\nwritten: {written:#?}");
    Ok(())
}

async fn of(aws: &LocalAws, execution: &Execution, about: &User) -> Result<Usage> {
    let history = execution.history().await?;
    let tasks = |service: &str, call: &str| {
        let scheduled =
            history.events.iter().filter_map(|it| it.task_scheduled_event_details.as_ref());
        scheduled.filter(|task| task.resource_type == service && task.resource == call).count()
    };
    let calls = aws.calls().await?;
    let objects = calls.iter().filter(|call| {
        call.action == "PutObject" && call.error.is_none() && call.resource.contains(&about.id)
    });
    Ok([
        ("transitions", transitions(&history)),
        ("functions", tasks("lambda", "invoke")),
        ("publishes", tasks("sns", "publish")),
        ("counted", tasks("dynamodb", "updateItem")),
        ("objects", objects.count()),
        // As the log has it, with the data; rounded, since names and times differ in length.
        ("logKilobytes", history.text().len().div_ceil(50_000) * 50),
    ]
    .map(|(what, times)| (what.to_owned(), times))
    .into())
}

/// Each state that is entered, and each retry.
///
/// Source: AWS Step Functions pricing.
fn transitions(history: &History) -> usize {
    let of = |wanted: &HistoryEventType| {
        history.events.iter().filter(|event| event.r#type == *wanted).count()
    };
    let tasks = of(&HistoryEventType::TaskScheduled);
    let entered = of(&HistoryEventType::TaskStateEntered);
    history.path().len() + tasks.saturating_sub(entered)
}
