//! The verbs that are not the gateway itself: the internal authority, API tokens, the demo.
//!
//! 1. Results go to standard output, what went wrong to standard error.
//! 2. The exit code is 0 for yes, 1 for no, 64 for a command that was written wrongly, 78 for a
//!    configuration that is wrong.
//! 3. `--json` prints one JSON value, for scripts.

mod demo;
mod lifetime;
mod pki;
mod say;
mod token;

use std::process::ExitCode;

use clap::Args;
use gateway::cli::{App, Verb};

/// All of them.
pub(crate) fn verbs() -> Vec<Box<dyn Verb>> {
    vec![
        Box::new(Parsed::<pki::Pki>::new()),
        Box::new(Parsed::<token::Token>::new()),
        Box::new(Parsed::<demo::Demo>::new()),
    ]
}

/// A verb whose arguments are a type.
trait Run: Args {
    /// What it is called on the command line.
    const NAME: &'static str;
    /// What it does, in one line.
    const ABOUT: &'static str;

    /// Does it.
    fn run(self) -> ExitCode;
}

/// Turns [`Run`] into [`Verb`]: the type is made from the matches, so it cannot be wrong.
struct Parsed<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Parsed<R> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<R: Run> Verb for Parsed<R> {
    fn command(&self) -> clap::Command {
        R::augment_args(clap::Command::new(R::NAME).about(R::ABOUT))
    }

    fn run(&self, matches: &clap::ArgMatches, _app: &dyn App) -> ExitCode {
        match R::from_arg_matches(matches) {
            Ok(verb) => verb.run(),
            Err(error) => say::usage(&error),
        }
    }
}
