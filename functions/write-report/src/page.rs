use std::fmt;

/// The width of prose: what a phone and a terminal show unbroken.
const WIDTH: usize = 80;

/// Lines of a mail, as they are to be set.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Line>);

#[derive(Debug)]
enum Line {
    Heading(String),
    /// Words of ours; the lines after the first are indented by so many blanks.
    Prose(String, usize, String),
    /// Words of others: each line bears a mark, so that none can pass for ours.
    Quote(usize, String),
    /// One word that a person copies: an ARN, an address, a command. Never broken.
    Alone(usize, String),
    Blank,
}

impl Page {
    pub(crate) fn heading(&mut self, text: &str) {
        self.0.push(Line::Heading(text.to_owned()));
    }

    /// A line of ours that begins a part.
    pub(crate) fn part(&mut self, text: impl Into<String>) {
        if !matches!(self.0.last(), None | Some(Line::Heading(_))) {
            self.0.push(Line::Blank);
        }
        self.prose(text);
    }

    pub(crate) fn prose(&mut self, text: impl Into<String>) {
        self.0.push(Line::Prose(String::new(), 0, text.into()));
    }

    pub(crate) fn item(&mut self, text: impl Into<String>) {
        self.0.push(Line::Prose("- ".to_owned(), 2, text.into()));
    }

    pub(crate) fn numbered(&mut self, number: usize, text: impl Into<String>) {
        let mark = format!("{number}. ");
        let indent = mark.len();
        self.0.push(Line::Prose(mark, indent, text.into()));
    }

    pub(crate) fn indented(&mut self, indent: usize, text: impl Into<String>) {
        self.0.push(Line::Prose(" ".repeat(indent), indent, text.into()));
    }

    pub(crate) fn quote(&mut self, indent: usize, text: impl Into<String>) {
        self.0.push(Line::Quote(indent, said(text)));
    }

    /// What ought to be one word, of others.
    pub(crate) fn word(&mut self, indent: usize, text: String) {
        if text.contains(' ') { self.quote(indent, text) } else { self.alone(indent, text) }
    }

    /// The id of a finding, which whoever sends it chooses: a link to fish with is no line of ours.
    pub(crate) fn id(&mut self, indent: usize, id: String) {
        if id.starts_with("arn:") { self.word(indent, id) } else { self.quote(indent, id) }
    }

    pub(crate) fn alone(&mut self, indent: usize, text: impl Into<String>) {
        self.0.push(Line::Alone(indent, said(text)));
    }
}

fn said(text: impl Into<String>) -> String {
    let text = text.into();
    if text.trim().is_empty() { "(nothing)".to_owned() } else { text }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for line in &self.0 {
            let (mark, indent, text) = match line {
                Line::Heading(text) => {
                    let blank = if first { "" } else { "\n" };
                    writeln!(f, "{blank}{text}\n")?;
                    first = false;
                    continue;
                }
                Line::Alone(indent, text) => {
                    writeln!(f, "{}{text}", " ".repeat(*indent))?;
                    first = false;
                    continue;
                }
                Line::Blank => {
                    writeln!(f)?;
                    continue;
                }
                Line::Prose(mark, indent, text) => (mark.clone(), " ".repeat(*indent), text),
                Line::Quote(indent, text) => {
                    let mark = format!("{}> ", " ".repeat(*indent));
                    (mark.clone(), mark, text)
                }
            };
            let mut prefix = mark;
            for words in wrapped(text, WIDTH.saturating_sub(prefix.len().max(indent.len()))) {
                writeln!(f, "{prefix}{words}")?;
                prefix.clone_from(&indent);
            }
            first = false;
        }
        Ok(())
    }
}

/// The words of `text` in lines of at most `width` characters. A word that is longer, and
/// one that is an ARN, has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let is_whole = is_arn(word) || word.chars().count() > width;
        let fits = line.chars().count() + 1 + word.chars().count() <= width;
        if !line.is_empty() && (is_whole || !fits) {
            lines.push(std::mem::take(&mut line));
        }
        if is_whole {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn is_arn(word: &str) -> bool {
    word.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with("arn:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_an_arn_never() {
        let mut page = Page::default();
        let arn = format!("arn:aws:iam::222222222222:user/{}", "p".repeat(90));
        page.item(format!("{} `{arn}` {}", "word ".repeat(20), "w".repeat(78)));
        let text = page.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines.iter().all(|line| line.len() <= 80 || line.contains(&arn)), "{text}");
        assert_eq!(lines[2], format!("  `{arn}`"));
    }

    #[test]
    fn no_line_of_others_begins_like_one_of_ours() {
        let mut page = Page::default();
        page.quote(2, format!("{} What to do now 1. aws iam create-user", "x ".repeat(50)));
        let text = page.to_string();
        assert!(text.lines().count() > 1);
        assert!(text.lines().all(|line| line.starts_with("  > ")), "{text}");
    }
}
