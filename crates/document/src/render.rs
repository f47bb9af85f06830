//! A mistake as a text for a terminal.
//!
//! 1. The first line is `file:line:column: error: message [code]`, for editors and scripts.
//! 2. Then the line of the file with a caret, the related places likewise, and the help.
//! 3. A line that holds a secret is not shown.
//! 4. Control characters of the file appear as escapes: a configuration cannot drive a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Document, Mistake, Place};

/// The whole text, ending in a line end.
pub(crate) fn render(mistake: &Mistake, document: Option<&Document>) -> String {
    let mut text = headline(mistake);
    text.push('\n');
    let shown = document.filter(|_| mistake.code != "secret-by-value");
    if let (Some(place), Some(document)) = (&mistake.place, shown) {
        snippet(&mut text, document, place);
    }
    for (place, word) in &mistake.related {
        // Writing to a text cannot fail.
        writeln!(text, "{place}: {}", printable(word)).unwrap_or_default();
        if let Some(document) = shown {
            snippet(&mut text, document, place);
        }
    }
    if let Some(help) = &mistake.help {
        writeln!(text, "help: {}", printable(help)).unwrap_or_default();
    }
    text
}

/// `file:line:column: error: message [code]`
pub(crate) fn headline(mistake: &Mistake) -> String {
    let place = mistake.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    let level = match mistake.level {
        crate::Level::Error => "error",
        crate::Level::Warning => "warning",
    };
    format!("{}{level}: {} [{}]", printable(&place), printable(&mistake.message), mistake.code)
}

/// The text with control characters as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let unsafe_in_terminals = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if !text.contains(unsafe_in_terminals) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if unsafe_in_terminals(letter) {
            escaped.extend(letter.escape_unicode());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

fn snippet(text: &mut String, document: &Document, place: &Place) {
    let Some((_, source)) = document.files.iter().find(|(file, _)| *file == place.file) else {
        return;
    };
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let line_index = place.line.saturating_sub(1) as usize;
    let Some(line) = source.lines().nth(line_index) else { return };
    // Escapes would move the caret, and such a line is not worth one.
    if matches!(printable(&line.replace('\t', " ")), Cow::Owned(_)) {
        return;
    }
    let start = line
        .char_indices()
        .nth(place.column.saturating_sub(1) as usize)
        .map_or(line.len(), |(byte, _)| byte);
    let annotation = AnnotationKind::Primary.span(start..start + word_len(line, start));
    let group = Group::with_level(Level::ERROR)
        .element(Snippet::source(line).line_start(place.line as usize).annotation(annotation));
    text.push_str(&Renderer::plain().render(&[group]));
    text.push('\n');
}

/// Bytes of the key or value that begins at `start`, at most to the end of the line.
fn word_len(line: &str, start: usize) -> usize {
    let rest = line.get(start..).unwrap_or_default();
    let mut letters = rest.char_indices();
    let quote = letters.next().map(|(_, letter)| letter).filter(|l| matches!(l, '"' | '\''));
    let end = if let Some(quote) = quote {
        letters.find(|(_, letter)| *letter == quote).map(|(byte, _)| byte + 1)
    } else {
        let ends = [": ", ", ", " #", "]", "}", " "];
        let end = ends.iter().filter_map(|end| rest.find(end)).min();
        end.or_else(|| rest.strip_suffix(':').map(str::len))
    };
    end.unwrap_or(rest.len()).max(rest.chars().next().map_or(0, char::len_utf8))
}
