use sha2::{Digest, Sha256};

/// `text` cut to at most `most` characters; what was cut shows as `…`.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `text` on one line of at most `most` characters: control characters, line and
/// paragraph separators and the characters that change the direction of writing
/// become spaces, so that a finding can't forge lines of a note or a mail.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if misleads(c) { ' ' } else { c }).collect();
    cut(clean.split_whitespace().collect::<Vec<_>>().join(" ").as_str(), most)
}

/// `text` in at most `most` bytes of printable ASCII; what is cut off shows as `...`.
#[must_use]
pub fn ascii(text: &str, most: usize) -> String {
    let clean = one_line(text, text.len()).replace(|c: char| !c.is_ascii(), "?");
    match clean.get(..most.saturating_sub(3)) {
        Some(first) if clean.len() > most => format!("{first}..."),
        _ => clean,
    }
}

/// Whether `text` holds none of the characters that [`one_line`] replaces.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(misleads)
}

fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The first `most` items, and how many more there are.
#[must_use]
pub fn listed(items: &[impl AsRef<str>], most: usize) -> String {
    let named: Vec<&str> = items.iter().take(most).map(AsRef::as_ref).collect();
    match items.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// `text` as the value of an IAM tag: other characters than IAM accepts become `_`;
/// a text of more than 256 characters becomes `sha256:` and its digest, by which
/// it can still be recognised.
///
/// Source: IAM API Reference, `Tag` (`Value`, pattern and length).
#[must_use]
pub fn tag_value(text: &str) -> String {
    if text.chars().count() > 256 {
        return format!("sha256:{}", hex_digest(text.as_bytes()));
    }
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric()
                || matches!(c, ' ' | '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
            {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// SHA-256 of `bytes` in lower-case hexadecimal digits.
#[must_use]
pub fn hex_digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_cannot_forge_a_line() {
        assert_eq!(one_line("RESOLVED\r\n\u{2028}by \u{202e}nimda\u{0}", 100), "RESOLVED by nimda");
        assert_eq!(one_line(&"é".repeat(300), 256).chars().count(), 256);
    }

    #[test]
    fn ascii_text_says_that_it_is_cut() {
        assert_eq!(ascii("é\nx", 10), "? x");
        assert_eq!(ascii("abcdefgh", 8), "abcdefgh");
        assert_eq!(ascii("abcdefghi", 8), "abcde...");
    }

    #[test]
    fn a_list_that_is_cut_says_so() {
        assert_eq!(listed(&["a", "b"], 2), "a, b");
        assert_eq!(listed(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(listed(&[] as &[&str], 2), "");
    }

    #[test]
    fn any_finding_id_fits_a_tag() {
        let arn =
            "arn:aws:securityhub:us-east-1:222222222222:subscription/x/v/1.2.0/1.1/finding/ab-1";
        assert_eq!(tag_value(arn), arn);
        assert_eq!(tag_value("a*b\"c\u{7}"), "a_b_c_");
        assert_eq!(
            tag_value(&"x".repeat(257)),
            format!("sha256:{}", hex_digest("x".repeat(257).as_bytes()))
        );
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex_digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
