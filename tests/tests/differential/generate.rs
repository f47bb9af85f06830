//! Targets from a seed: pieces that have confused proxies, glued together, and then a slip.

/// Makes targets.
pub(crate) struct Generator(fastrand::Rng);

const PIECES: &[&str] = &[
    "/",
    "/",
    "/",
    "/",
    "//",
    "/./",
    "/../",
    "/..",
    "/.",
    "public",
    "public",
    "admin",
    "admin",
    "api",
    "api/7",
    "items",
    "users/ben",
    "users/ana",
    "rest",
    "rest/x",
    "ADMIN",
    "a",
    "b.c",
    "~",
    "-",
    "_",
    "..",
    ".",
    "...",
    "%2e",
    "%2E%2e",
    ".%2e",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    ";",
    ";x=1",
    "..;",
    ".;",
    "%3b",
    "%3B",
    "?",
    "?x=/admin",
    "??",
    "&",
    "=",
    "#",
    "%23",
    "%3f",
    "%3F",
    "%00",
    "%0a",
    "%0d",
    "%09",
    "%20",
    "%7f",
    "%61dmin",
    "%41DMIN",
    "adm%69n",
    "%25",
    "%252e",
    "%2561dmin",
    "%25%32%65",
    "%c0%ae",
    "%c3%a9",
    "%EF%BC%8F",
    "%e2%80%8b",
    "%ff",
    "%",
    "%z",
    "%zz",
    "%2",
    "+",
    ":",
    "@",
    "!",
    "$",
    "'",
    "(",
    ")",
    "*",
    ",",
    "\"",
    "<",
    ">",
    "[",
    "]",
    "^",
    "`",
    "{",
    "|",
    "}",
    " ",
    "\t",
    "\u{e9}",
    "\u{ff0f}",
    "\u{2215}",
    "\u{1}",
    "\u{7f}",
    "public/",
    "/public/",
    "/admin/",
    "/rest/",
    "/api/",
];

/// Mostly inside an area that is allowed: what is refused at once compares nothing.
const STARTS: &[&str] = &[
    "/",
    "/",
    "/rest/",
    "/rest/",
    "/rest/",
    "/rest/",
    "/rest/",
    "/public/",
    "/public/",
    "/public/",
    "/public/",
    "/api/7/items/",
    "/api/7/items/",
    "/users/ben/",
    "/users/ben/",
    "/users/ben/",
    "/admin",
    "//",
    "/%2e/",
    "/public/../",
    "/rest/%2e%2e/",
    "/rest/%2E/",
    "https://strict.gw.test/rest/",
    "http://lax.gw.test",
    "*",
    "",
];

impl Generator {
    /// From a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// The next one.
    pub(crate) fn target(&mut self) -> String {
        let random = &mut self.0;
        let mut target = STARTS[random.usize(0..STARTS.len())].to_owned();
        for _ in 0..random.usize(0..7) {
            // Mostly harmless, so that much passes.
            let harmless = random.u8(0..5) < 3;
            target.push_str(if harmless { "/a" } else { PIECES[random.usize(0..PIECES.len())] });
        }
        if random.u8(0..8) == 0 && !target.is_empty() {
            slip(random, &mut target);
        }
        target
    }
}

/// Replaces one character: an escape for itself, another case, or any printable byte.
fn slip(random: &mut fastrand::Rng, target: &mut String) {
    let at: Vec<usize> = target.char_indices().map(|(at, _)| at).collect();
    let at = at[random.usize(0..at.len())];
    let old = target[at..].chars().next().unwrap();
    let new = match random.u8(0..4) {
        0 if old.is_ascii() => format!("%{:02X}", old as u32),
        1 if old.is_ascii() => format!("%{:02x}", old as u32),
        2 => old.to_uppercase().to_string(),
        _ => char::from(random.u8(0x20..0x7f)).to_string(),
    };
    target.replace_range(at..at + old.len_utf8(), &new);
}
