//! Everything that a condition can ask about: one table.
//!
//! The table names each attribute, its type, what it means, which remedy can supply it and the
//! function that reads it. Look-ups, suggestions, type checks, remedies and the reference for
//! policy authors all come from here; an attribute is added in one place.
//!
//! 1. A fact that nobody established is unknown, never false and never a default.
//! 2. What a request itself says is always known: a header that is not there is known to be absent.
//! 3. Nobody is known to be nobody: `user.anonymous` and `cert.present` are never unknown.

use std::fmt;

pub(crate) mod fact;
mod read;
mod table;

use fact::Fact;

use crate::condition::Scope;

pub use table::ATTRIBUTES;

/// One line of the table.
#[derive(Clone, Copy)]
pub struct Attribute {
    /// Its name; of a family, the part before the parameter, without the dot.
    pub name: &'static str,
    /// What the parameter of a family is called: `user.claims.<path>`.
    pub parameter: Option<&'static str>,
    /// Its type.
    pub kind: Kind,
    /// What can supply it.
    pub supply: Supply,
    /// What it means, for the reference.
    pub doc: &'static str,
    read: for<'a> fn(&Scope<'a>, &'a str) -> Fact<'a>,
}

/// What values an attribute has, and so what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number between two bounds, both included.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Text, compared exactly.
    Text,
    /// Text that is kept in lower case.
    Lower,
    /// Text that is kept in upper case.
    Upper,
    /// Several texts.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A length of time.
    Span,
    /// A version: numbers with dots, compared number by number.
    Version,
    /// An address, compared with networks.
    Address,
    /// Whatever its source says: true or false, a whole number, text or texts.
    Any,
    /// A window of time, with words of its own.
    Window,
}

/// What a caller could do about a fact that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Nothing.
    Nothing,
    /// Log in, while nobody is known.
    Login,
    /// Authenticate more strongly or more recently; a login does it too.
    StepUp,
    /// Come with a known, managed and compliant device.
    Device,
    /// Come with a device, while none is known: what a known device is cannot be changed.
    AnyDevice,
    /// Let the device report again; while none is known, a device does it too.
    Posture,
}

/// An attribute as a policy names it, with its parameter.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) attribute: &'static Attribute,
    pub(crate) parameter: Box<str>,
}

impl Attribute {
    /// The attribute's name, with a placeholder for the parameter of a family.
    pub fn title(&self) -> String {
        match self.parameter {
            Some(parameter) => format!("{}.<{parameter}>", self.name),
            None => self.name.to_owned(),
        }
    }
}

impl Reference {
    /// The attribute of a name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        if let Some(attribute) = ATTRIBUTES.iter().find(|a| a.parameter.is_none() && a.name == name)
        {
            return Some(Self { attribute, parameter: Box::default() });
        }
        ATTRIBUTES.iter().filter(|a| a.parameter.is_some()).find_map(|attribute| {
            let parameter = name.strip_prefix(attribute.name)?.strip_prefix('.')?;
            (!parameter.is_empty()).then(|| Self { attribute, parameter: parameter.into() })
        })
    }

    /// The fact, as it stands.
    pub(crate) fn read<'a>(&'a self, scope: &Scope<'a>) -> Fact<'a> {
        (self.attribute.read)(scope, &self.parameter)
    }

    /// Whether a path can name it: one or several texts, known without the path.
    pub(crate) fn fits_path(&self) -> bool {
        let texts = match self.attribute.kind {
            Kind::Text | Kind::Lower | Kind::Upper | Kind::Texts | Kind::Word(_) | Kind::Any => {
                true
            }
            Kind::Bool
            | Kind::Number { .. }
            | Kind::Span
            | Kind::Version
            | Kind::Address
            | Kind::Window => false,
        };
        texts && !self.attribute.name.starts_with("request.")
    }

    /// Whether it names someone or something that was authenticated.
    pub(crate) fn is_identity(&self) -> bool {
        ["user.", "auth.", "cert.", "device."].iter().any(|n| self.attribute.name.starts_with(n))
    }
}

impl Kind {
    /// What it is called in a message: `wants ...`.
    pub fn describe(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Text | Self::Lower | Self::Upper | Self::Texts => "text".to_owned(),
            Self::Word(words) => format!("one of {}", quoted(words)),
            Self::Span => "a length of time such as `8h`".to_owned(),
            Self::Version => "a version such as `\"14.2\"`".to_owned(),
            Self::Address => "an address or a network such as `10.0.0.0/8`".to_owned(),
            Self::Any => "true or false, a whole number or text".to_owned(),
            Self::Window => "a mapping of `days`, `between`, `zone`, ...".to_owned(),
        }
    }
}

/// Words in backticks, with commas.
pub(crate) fn quoted(words: &[&str]) -> String {
    let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    all.join(", ")
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute.name)?;
        if !self.parameter.is_empty() {
            write!(f, ".{}", self.parameter)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES, Reference};

    #[test]
    fn names_are_unique_and_every_line_is_documented() {
        for (i, attribute) in ATTRIBUTES.iter().enumerate() {
            assert!(!attribute.doc.is_empty(), "{attribute:?}");
            assert!(ATTRIBUTES.iter().skip(i + 1).all(|other| other.name != attribute.name));
        }
    }

    #[test]
    fn families_take_a_parameter_and_the_others_do_not() {
        for (name, found) in [
            ("user.id", true),
            ("user.id.x", false),
            ("user.claims.a.b", true),
            ("user.claims.", false),
            ("user.claims", false),
            ("attr.geo", true),
            ("request.header.x-role", true),
            ("user", false),
        ] {
            assert_eq!(Reference::find(name).is_some(), found, "{name}");
        }
    }
}
