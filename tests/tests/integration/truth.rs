//! Whether a mail is true: what it says of a principal, held against the principal as read back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use harness::user::{DENY_ALL, Snapshot};

/// What a mail says of one principal, item by item.
struct Told<'a> {
    /// All of it.
    text: &'a str,
    done: List,
    left: List,
}

/// The items of a list, each on one line; of a credential without its kind.
struct List {
    items: BTreeSet<String>,
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
    let (done, left) = facts(before, now);
    told.done.is(&done).with_context(|| format!("done: {}", changed()))?;
    told.leaves(page, &left).with_context(|| format!("left: {}", changed()))
}

/// Fails unless what the mail says is left of a principal is what it has, and nothing that was
/// done to it is: for a principal of which nobody knew before that the mail would tell of it.
pub(crate) fn leaves(page: &str, now: &Snapshot) -> Result<()> {
    let Some(told) = of(page, &now.arn) else { return Ok(()) };
    if !told.text.contains("Done, as read back:") {
        return Ok(());
    }
    let (_, left) = facts(now, now);
    let said = || format!("it is {now:?}, and people were told: {page}");
    told.leaves(page, &left).with_context(said)?;
    for item in &told.done.items {
        ensure!(!left.contains(&undone(item)), "`{item}` is not done: {}", said());
    }
    Ok(())
}

/// The users and roles that a mail has a part about: account, kind and name.
pub(crate) fn told_of(page: &str) -> Vec<(&str, &str, &str)> {
    let lines: Vec<_> = page.lines().collect();
    let principals = lines.windows(3).filter_map(|lines| {
        let [title, "", arn] = *lines else { return None };
        let (account, rest) = arn.strip_prefix("  arn:aws:iam::")?.split_once(':')?;
        let (kind, path) = rest.split_once('/')?;
        let is_title = title.starts_with("User ") || title.starts_with("Role ");
        is_title.then_some((account, kind, path.rsplit('/').next()?))
    });
    principals.collect()
}

impl Told<'_> {
    /// Fails unless this is what it says is left. Of who is retired, what stays is meant to.
    fn leaves(&self, page: &str, left: &BTreeSet<String>) -> Result<()> {
        let retired = self.text.contains("active and unused") || page.contains("unused keys");
        if retired { self.left.holds(left) } else { self.left.is(left) }
    }
}

impl List {
    /// Fails unless each item that names something is one of these.
    fn holds(&self, facts: &BTreeSet<String>) -> Result<()> {
        for item in self.items.iter().filter(|item| is_a_fact(item)) {
            ensure!(facts.contains(item), "`{item}` is not true: {facts:?}");
        }
        Ok(())
    }

    /// Fails unless the items are these, of which so many are counted as it says.
    fn is(&self, facts: &BTreeSet<String>) -> Result<()> {
        self.holds(facts)?;
        let mut untold: BTreeMap<&str, usize> = BTreeMap::new();
        for fact in facts.difference(&self.items) {
            *untold.entry(noun(fact)).or_default() += 1;
        }
        let more = self.items.iter().filter_map(|item| {
            let (count, noun) = item.strip_prefix("and ")?.split_once(" more ")?;
            Some((noun, count.parse().ok()?))
        });
        let more: BTreeMap<&str, usize> = more.collect();
        ensure!(untold == more, "{more:?} more are told, and not {untold:?}: {facts:?}");
        Ok(())
    }
}

/// What a mail counts something as, once there is too much of it to be named.
fn noun(fact: &str) -> &'static str {
    match fact {
        _ if fact.starts_with('`') => "credentials",
        _ if fact.starts_with("policy ") => "policies",
        _ if fact.starts_with("inline policy ") => "inline policies",
        _ if fact.contains(" the group `") => "groups",
        _ => "",
    }
}

/// What would be left, had something not been done.
fn undone(item: &str) -> String {
    let words = [
        (" is inactive", " is active"),
        ("policy detached: ", "policy is attached: "),
        ("` deleted", "` is there"),
        ("taken out of ", "is in "),
    ];
    words.iter().fold(item.to_owned(), |item, (done, left)| item.replace(done, left))
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

fn items(list: &str) -> List {
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
    List { items: items.into_iter().map(plain).collect() }
}
