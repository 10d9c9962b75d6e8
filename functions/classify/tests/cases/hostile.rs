use std::env;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use classify::Action;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::case::{Case, judged};
use crate::limits;

/// What hostile importers and principals write, in whatever field.
const WORDS: &[&str] = &[
    "",
    "*",
    "?",
    "${aws:username}",
    "../../root",
    "' OR 1=1 --",
    "\u{202e}nimda",
    "\0",
    "\r\nSubject: x",
    "é",
    "😀",
    "NEW",
    "RESOLVED",
    "ACTIVE",
    "PASSED",
    "CRITICAL",
    "TARGET",
    "Root",
    "IAMUser",
    "AssumedRole",
    "AIDACKCEVSQ6C2EXAMPLE",
    "AROACKCEVSQ6C2EXAMPLE:session",
    "AKIAIOSFODNN7EXAMPLE",
    "AWS::IAM::AccessKey:ASIAIOSFODNN7EXAMPLE",
    "222222222222",
    "333333333333",
    "arn:aws:iam::222222222222:root",
    "arn:aws:iam::222222222222:user/a/../b",
    "arn:aws:iam::333333333333:user/mallory",
    "arn:aws-cn:iam::222222222222:role/app",
    "arn:aws:sts::222222222222:assumed-role/app/i-0c10c2c7863d1a356",
    "arn:aws:iam::222222222222:user/mallory/access-key/AKIAIOSFODNN7EXAMPLE",
    "arn:aws:securityhub:us-east-1::product/aws/guardduty",
    "arn:aws:securityhub:us-east-1:222222222222:product/222222222222/default",
];

/// Seconds that one finding may take before it counts as a hang.
const HANGS: u64 = 20;

/// Of each case, hostile findings without end: fields of others in it, hostile words,
/// what is not expected there, too much of it. `FINDINGS` says how many, `SEED` which.
#[test]
fn no_hostile_finding_panics_hangs_or_accuses_beyond_itself() {
    let number = |name, or| env::var(name).map_or(or, |number| number.parse().unwrap());
    let (findings, seed): (u64, u64) = (number("FINDINGS", 10_000), number("SEED", 1));
    let cases = Case::all();
    let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let (done, contained) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for first in 0..threads {
            let (cases, done, contained) = (&cases, &done, &contained);
            scope.spawn(move || {
                for number in (first..findings).step_by(threads.try_into().unwrap()) {
                    let _named = Named { number, seed };
                    let mut rng = Rng::with_seed(seed.rotate_left(32) ^ number);
                    let contains = judge_one(cases, &mut rng) == Action::Contain;
                    contained.fetch_add(contains.into(), Ordering::Relaxed);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                done.fetch_add(findings, Ordering::Relaxed);
            });
        }
        let mut before = u64::MAX;
        while done.load(Ordering::Relaxed) < findings * (threads + 1) {
            let now = done.load(Ordering::Relaxed);
            if now == before {
                eprintln!("after {now} findings of the seed {seed}, one hangs");
                std::process::abort();
            }
            before = now;
            thread::park_timeout(Duration::from_secs(HANGS));
        }
    });
    let contained = contained.into_inner();
    println!("{findings} hostile findings judged, {contained} of them contained");
    assert!(contained > findings / 20, "so few would prove little");
}

/// Says which it was, should it fail.
struct Named {
    number: u64,
    seed: u64,
}

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("finding {} of the seed {}", self.number, self.seed);
            // The other threads would go on to the end.
            std::process::abort();
        }
    }
}

fn judge_one(cases: &[Case], rng: &mut Rng) -> Action {
    let case = any(cases, rng);
    let mut event = case.event.clone();
    for _ in 0..rng.u8(1..6) {
        let foreign = any(cases, rng);
        if let Some(finding) = event.pointer_mut("/detail/findings/0") {
            damage(finding, foreign.event.pointer("/detail/findings/0"), rng);
        }
    }
    let policy = &any(cases, rng).policy;
    let verdict = judged(&case.execution, &event, policy);
    limits::hold(&case.execution, &event, &verdict);
    verdict.response
}

/// Goes down to some field of `value`, with `foreign` beside it as far as that has the same
/// fields, and does something to it.
fn damage(value: &mut Value, foreign: Option<&Value>, rng: &mut Rng) {
    match value {
        Value::Object(fields) if !fields.is_empty() && rng.u8(..) > 12 => {
            let name = fields.keys().nth(rng.usize(..fields.len())).unwrap().clone();
            let foreign = foreign.and_then(|foreign| foreign.get(&name));
            if rng.u8(..) < 8 {
                fields.remove(&name);
            } else {
                damage(&mut fields[&name], foreign, rng);
            }
        }
        Value::Array(items) if !items.is_empty() && rng.u8(..) > 40 => {
            let at = rng.usize(..items.len());
            match rng.u8(..8) {
                0 => drop(items.remove(at)),
                1 => items.extend(vec![items[at].clone(); rng.usize(1..34)]),
                2 => items.extend(foreign.and_then(Value::as_array).into_iter().flatten().cloned()),
                _ => damage(&mut items[at], foreign.and_then(|foreign| foreign.get(0)), rng),
            }
        }
        value => *value = instead(value, foreign, rng),
    }
}

fn instead(value: &Value, foreign: Option<&Value>, rng: &mut Rng) -> Value {
    let text = value.as_str().unwrap_or_default();
    match rng.u8(..10) {
        0..3 => foreign.cloned().unwrap_or_default(),
        3..6 => json!(word(rng)),
        6 => json!(text.replacen(rng.char('0'..='~'), word(rng), 1)),
        7 => {
            let at = text.char_indices().nth(rng.usize(..=text.len())).map_or(0, |(at, _)| at);
            let (head, tail) = text.split_at(at);
            json!([head, word(rng), tail].concat())
        }
        8 => json!(text.chars().take(rng.usize(..=text.len())).collect::<String>()),
        _ => any(
            &[
                Value::Null,
                json!(rng.i64(..)),
                json!(rng.bool()),
                json!([]),
                json!({}),
                json!([value, value]),
                json!({ "Status": value }),
                json!(word(rng).repeat(rng.usize(..400))),
            ],
            rng,
        )
        .clone(),
    }
}

fn any<'a, T>(all: &'a [T], rng: &mut Rng) -> &'a T {
    &all[rng.usize(..all.len())]
}

fn word(rng: &mut Rng) -> &'static str {
    let word: &&str = any(WORDS, rng);
    word
}
