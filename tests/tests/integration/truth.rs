//! Whether a mail is true: what it says of a principal, held against the principal as read back.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use harness::user::{DENY_ALL, Snapshot};

/// What a mail says of one principal, item by item.
struct Told<'a> {
    /// All of it.
    text: &'a str,
    done: BTreeSet<String>,
    left: BTreeSet<String>,
}

/// Fails unless the mail is true of a principal that was and is like this: what was done to it,
/// and what it has left, is told by name, and nothing else is; and the first sentence fits.
pub(crate) fn holds(page: &str, before: &Snapshot, now: &Snapshot) -> Result<()> {
    let changed = || format!("it was {before:?} and is {now:?}, and people were told: {page}");
    for untouched in ["Nobody was touched", "Nothing was changed"] {
        ensure!(now == before || !page.contains(untouched), "{}", changed());
    }
    let one_line = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(told) = of(page, &before.arn) else {
        ensure!(now == before || one_line.contains("nobody knows whether"), "{}", changed());
        return Ok(());
    };
    let alone = one_line.matches("Done, as read back:").count() == 1;
    for (said, denied) in [("THE ATTACKER IS STILL IN", false), ("The attacker is out", true)] {
        ensure!(!alone || !page.contains(said) || is_denied(now) == denied, "{}", changed());
    }
    let unread = ["not read back", "Nothing was changed"];
    let unread = unread.iter().any(|unread| told.text.contains(unread));
    // Nobody has acted on whom the mail says nothing of but why.
    if !unread && !told.text.contains("Done, as read back:") {
        ensure!(now == before || one_line.contains("redrive"), "{}", changed());
        return Ok(());
    }
    if unread || one_line.contains("Cordon had begun, and may have taken something away") {
        return Ok(());
    }
    let cut = told.text.contains(" more ");
    let (done, left) = facts(before, now);
    for item in told.done.iter().filter(|item| is_a_fact(item)) {
        ensure!(done.contains(item), "`{item}` is not done: {}", changed());
    }
    for item in told.left.iter().filter(|item| is_a_fact(item)) {
        ensure!(left.contains(item), "`{item}` is not left: {}", changed());
    }
    ensure!(cut || done.is_subset(&told.done), "untold: {:?}: {}", done, changed());
    // Of who is retired, what stays is meant to.
    let retired = told.text.contains("active and unused") || page.contains("unused keys");
    ensure!(cut || retired || left.is_subset(&told.left), "untold: {:?}: {}", left, changed());
    Ok(())
}

fn is_denied(principal: &Snapshot) -> bool {
    principal.attached.contains(DENY_ALL) || principal.boundary.as_deref() == Some(DENY_ALL)
}

/// Whether an item names something that a principal has or had.
fn is_a_fact(item: &str) -> bool {
    let none = [
        "nothing",
        "no access key",
        "denied everything",
        "gone before this incident",
        "sessions of roles",
        "by the evidence a console password",
    ];
    !none.iter().any(|none| item.starts_with(none)) && !item.starts_with("and ")
}

/// What was done and what is left, in a mail's words.
fn facts(before: &Snapshot, now: &Snapshot) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut done, mut left) = (BTreeSet::new(), BTreeSet::new());
    if !is_denied(now) {
        left.insert("no deny stands on it".to_owned());
    }
    if let Some(own) = before.boundary.as_ref().filter(|own| *own != DENY_ALL)
        && now.boundary.as_deref() == Some(DENY_ALL)
    {
        done.insert(format!("its own permissions boundary is replaced by that: {own}"));
    }
    let mut note = |gone: bool, was: String, is: String| {
        if gone { done.insert(was) } else { left.insert(is) }
    };
    for (id, _) in before.credentials.iter().filter(|(_, status)| *status == "Active") {
        let gone = now.credentials.get(id).is_none_or(|status| status == "Inactive");
        note(gone, format!("`{id}` is inactive"), format!("`{id}` is active"));
    }
    for arn in before.attached.iter().filter(|arn| *arn != DENY_ALL) {
        let gone = !now.attached.contains(arn);
        note(gone, format!("policy detached: {arn}"), format!("policy is attached: {arn}"));
    }
    for name in before.inline.keys() {
        let what = format!("inline policy `{name}`");
        let gone = !now.inline.contains_key(name);
        note(gone, format!("{what} deleted"), format!("{what} is there"));
    }
    for name in &before.groups {
        let what = format!("the group `{name}`");
        let gone = !now.groups.contains(name);
        note(gone, format!("taken out of {what}"), format!("is in {what}"));
    }
    (done, left)
}

/// The part of a mail about the principal of an ARN, of which a long path is left out.
fn of<'a>(page: &'a str, arn: &str) -> Option<Told<'a>> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let short = format!("/.../{name}");
    let is_it = |line: &str| {
        line.strip_prefix("  ").is_some_and(|line| line == arn || line.ends_with(&short))
    };
    let start = page.lines().find(|line| is_it(line))?;
    let (_, text) = page.split_once(&format!("\n{start}\n"))?;
    // Up to the next principal's.
    let ends = ["\nWhat to do now\n", "\nUser ", "\nRole "];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    let text = text.get(..end)?;
    let part = |head: &str| {
        let (_, part) = text.split_once(head).unwrap_or_default();
        items(part.split("\n\n").next().unwrap_or_default())
    };
    Some(Told { text, done: part("Done, as read back:\n"), left: part("Left:\n") })
}

/// The items of a list, each on one line; of a credential without its kind.
fn items(list: &str) -> BTreeSet<String> {
    let mut items: Vec<String> = Vec::new();
    for line in list.lines() {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) => item.extend([" ", line.trim()]),
            (None, None) => {}
        }
    }
    let plain = |item: String| match item.find('`') {
        Some(at) if item.ends_with(" is active") || item.ends_with(" is inactive") => {
            item.get(at..).unwrap_or_default().to_owned()
        }
        _ => item,
    };
    items.into_iter().map(plain).collect()
}
