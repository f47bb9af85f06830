//! Path templates: which canonical paths a route serves or a rule speaks of.
//!
//! 1. A template begins with `/` and is compared segment by segment, case-sensitively.
//! 2. A literal segment and the segment of a path are compared after percent-decoding, so that
//!    `/a:b` and `/a%3Ab` are one path to the policy as they are to a backend.
//! 3. `*` and `{name}` stand for exactly one segment that is not empty; `{name}` makes it
//!    `request.segment.name`.
//! 4. `{user.id}`, a name with a dot, stands for one segment that equals that fact; where the fact
//!    is unknown, so is the match.
//! 5. `**` stands for the rest, also for none, and only at the end: `/admin/**` matches `/admin`,
//!    `/admin/` and `/admin/a/b`.
//! 6. A slash at the end never matters: `/x` matches `/x/`, and `/x/` is the same template.

use std::borrow::Cow;
use std::fmt;

use document::Place;

/// Segments that one template may have.
pub(crate) const SEGMENTS_MAX: usize = 64;

/// A template, read.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The segments before `**`.
    pub(crate) segments: Box<[Segment]>,
    /// Whether `**` ends it.
    pub(crate) rest: bool,
    /// As written.
    pub(crate) text: Box<str>,
    /// Where it was written.
    pub(crate) place: Place,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This text, decoded.
    Literal(Box<str>),
    /// `*`.
    Any,
    /// `{name}`.
    Capture(Box<str>),
    /// `{user.id}`: an attribute by its name.
    Fact(Box<str>),
}

/// What is wrong with a template, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl Template {
    /// Reads a template.
    pub(crate) fn read(text: &str, place: &Place) -> Result<Self, Bad> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(bad(format!("the path `{text}` does not begin with `/`"), "write `/...`"));
        };
        if text.contains(['?', '#']) {
            let help = "paths are matched without their query: use `request.query.<name>`";
            return Err(bad(format!("the path `{text}` has a query or a fragment"), help));
        }
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let mut words: Vec<&str> =
            if inner.is_empty() { vec![] } else { inner.split('/').collect() };
        let rest = words.last() == Some(&"**");
        if rest {
            words.pop();
        }
        if words.len() > SEGMENTS_MAX {
            let message = format!("the path has {} segments, at most {SEGMENTS_MAX}", words.len());
            return Err(bad(message, "end it earlier with `**`"));
        }
        let segments = words.into_iter().map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, rest, text: text.into(), place: place.clone() })
    }

    /// The template of a rule that speaks of no path: all of them.
    pub(crate) fn everything(place: &Place) -> Self {
        Self { segments: Box::new([]), rest: true, text: "/**".into(), place: place.clone() }
    }

    /// The position of a captured name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.segments.iter().position(|s| matches!(s, Segment::Capture(n) if **n == *name))
    }
}

/// The segments of a canonical path, without the empty one after a last slash.
#[derive(Clone, Debug)]
pub(crate) struct Segments<'a> {
    rest: Option<&'a str>,
}

impl<'a> Segments<'a> {
    /// `None` where the path does not begin with a slash.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        if rest.is_empty() {
            return Some(Self { rest: None });
        }
        Some(Self { rest: Some(rest.strip_suffix('/').unwrap_or(rest)) })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        // Segments are short: looking at the bytes is quicker than setting up a search.
        let Some(end) = rest.bytes().position(|byte| byte == b'/') else {
            self.rest = None;
            return Some(rest);
        };
        let (segment, rest) = rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix('/');
        Some(segment)
    }
}

/// Percent-decodes, once; `None` where the escapes or the text they make are malformed.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.bytes().all(|byte| byte != b'%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn segment(word: &str) -> Result<Segment, Bad> {
    match word {
        "" => Err(bad("the path has an empty segment".to_owned(), "write one `/`, not two")),
        "." | ".." => {
            let message = format!("the path has a segment `{word}`, which no canonical path has");
            Err(bad(message, "write the path that it leads to"))
        }
        "*" => Ok(Segment::Any),
        "**" => {
            Err(bad("`**` stands before the end of the path".to_owned(), "use `*` for one segment"))
        }
        _ => match word.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            Some(name) => named(name),
            None => literal(word),
        },
    }
}

fn named(name: &str) -> Result<Segment, Bad> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(fits) {
        let help = "names are made of letters, digits, `_` and `-`; facts are written `{user.id}`";
        return Err(bad(format!("`{{{name}}}` is not a name"), help));
    }
    if name.contains('.') {
        return Ok(Segment::Fact(name.into()));
    }
    Ok(Segment::Capture(name.into()))
}

fn literal(word: &str) -> Result<Segment, Bad> {
    if word.contains(['*', '{', '}']) {
        let help = "`*` and `{name}` stand for a whole segment; use `request.path: {matches: ...}` for parts";
        return Err(bad(format!("the segment `{word}` mixes text with a placeholder"), help));
    }
    match decode(word) {
        Some(text) => Ok(Segment::Literal(text.into())),
        None => Err(bad(
            format!("the segment `{word}` has an escape that does not decode"),
            "write `%25` for a percent sign, or the letter itself",
        )),
    }
}

fn bad(message: String, help: &'static str) -> Bad {
    Bad { message, help }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::{Place, Segment, Segments, Template, decode};

    /// The rules at the top, said plainly: what the index has to agree with.
    pub(crate) fn matches(template: &Template, path: &str) -> bool {
        let Some(given) = Segments::of(path) else { return false };
        let given: Vec<&str> = given.collect();
        let fits = |(expected, given): (&Segment, &&str)| match expected {
            Segment::Literal(text) => decode(given).is_some_and(|given| *given == **text),
            Segment::Any | Segment::Capture(_) | Segment::Fact(_) => !given.is_empty(),
        };
        let long = template.segments.len();
        (given.len() == long || (template.rest && given.len() > long))
            && template.segments.iter().zip(&given).all(fits)
    }

    fn read(text: &str) -> Result<Template, String> {
        let place = Place { file: Path::new("t").into(), line: 1, column: 1 };
        Template::read(text, &place).map_err(|bad| bad.message)
    }

    #[test]
    fn templates_match_as_specified() {
        let cases = [
            ("/", "/", true),
            ("/", "/a", false),
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/admin/**", "/admin", true),
            ("/admin/**", "/admin/", true),
            ("/admin/**", "/admin/a/b", true),
            ("/admin/**", "/administrator", false),
            ("/admin", "/admin/", true),     // P14
            ("/admin/", "/admin", true),     // P14
            ("/admin", "/admin.", false),    // P14
            ("/admin", "/admin%20", false),  // P14
            ("/admin", "/ADMIN", false),     // P13
            ("/admin", "/adm%69n", true),    // P8
            ("/admin", "/%2561dmin", false), // P9
            ("/admin", "//admin", false),    // P5
            ("/users/*", "/users/ana", true),
            ("/users/*", "/users/", false),
            ("/users/*", "/users/ana/x", false),
            ("/users/{id}/x", "/users/7/x", true),
            ("/a%3Ab", "/a:b", true),
            ("/a:b", "/a%3Ab", true),
            ("/größe", "/gr%C3%B6%C3%9Fe", true),
            ("/a", "a", false),
        ];
        for (template, path, expected) in cases {
            let template = read(template).expect("a good template");
            assert_eq!(matches(&template, path), expected, "{template} {path}");
        }
    }

    #[test]
    fn bad_templates_are_refused() {
        for text in [
            "admin", "/a//b", "/../a", "/./a", "/**/a", "/a*", "/{a", "/{}", "/{a b}", "/x?y",
            "/x#y", "/%zz", "/%ff",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
