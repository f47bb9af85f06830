//! What a request may be, parsed once per generation.

use http::{HeaderValue, Method};

use super::fault::Fault;
use crate::conf::LimitsConf;

/// What the door measures by.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(super) header_count: usize,
    pub(super) head_bytes: usize,
    pub(super) path_bytes: usize,
    pub(super) query_bytes: usize,
    pub(super) path_segments: usize,
    methods: Vec<Method>,
    allow: HeaderValue,
}

impl Limits {
    /// Parses the configured limits.
    ///
    /// # Errors
    /// A text for each method that cannot be served.
    pub fn new(conf: &LimitsConf) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut methods: Vec<Method> = Vec::with_capacity(conf.methods.len());
        for written in &conf.methods {
            match method(written) {
                Ok(method) if methods.contains(&method) => {}
                Ok(method) => methods.push(method),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if methods.is_empty() && mistakes.is_empty() {
            mistakes.push("no method is served: name at least one in `methods`".to_owned());
        }
        let words: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&words.join(", "))
            .map_err(|fault| vec![format!("methods cannot be listed in `Allow`: {fault}")]);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            header_count: conf.header_count_max,
            head_bytes: bytes(conf.header_bytes_max),
            path_bytes: bytes(conf.path_bytes_max),
            query_bytes: bytes(conf.query_bytes_max),
            path_segments: conf.path_segments_max,
            methods,
            allow: allow?,
        })
    }

    /// The methods that are served, as `Allow` lists them.
    pub fn allow(&self) -> &HeaderValue {
        &self.allow
    }

    pub(super) fn serves(&self, method: &Method) -> Result<(), Fault> {
        if self.methods.contains(method) {
            return Ok(());
        }
        Err(Fault::Method("the method is not one of `limits.methods`"))
    }
}

fn method(written: &str) -> Result<Method, String> {
    if matches!(written, "CONNECT" | "TRACE" | "TRACK" | "PRI") {
        return Err(format!("method `{written}` cannot be served through a gateway: remove it"));
    }
    if written.is_empty() || !written.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    {
        let upper = written.to_ascii_uppercase();
        return Err(format!("method `{written}` is not upper-case letters: write `{upper}`"));
    }
    Method::from_bytes(written.as_bytes())
        .map_err(|fault| format!("method `{written}` is no method: {fault}"))
}

fn bytes(size: document::Size) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m1_m2_methods_that_no_gateway_serves_are_mistakes() {
        for word in ["get", "CONNECT", "TRACE", "TRACK", "PRI", "", "G ET", "G=ET"] {
            let conf = LimitsConf { methods: vec![word.to_owned()], ..LimitsConf::default() };
            assert_eq!(Limits::new(&conf).err().map(|all| all.len()), Some(1), "{word}");
        }
        let conf = LimitsConf { methods: Vec::new(), ..LimitsConf::default() };
        assert!(Limits::new(&conf).is_err());
    }

    #[test]
    fn allow_lists_what_is_served() {
        let limits = Limits::new(&LimitsConf::default()).unwrap();
        assert_eq!(limits.allow(), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        assert!(limits.serves(&Method::PATCH).is_ok());
        assert!(limits.serves(&Method::TRACE).is_err());
        assert!(limits.serves(&Method::from_bytes(b"get").unwrap()).is_err());
    }
}
