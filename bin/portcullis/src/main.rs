//! The gateway: these filters, in this order. Everything that a request passes is on this page.

use std::process::ExitCode;

mod commands;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    gateway::run_with(&commands::verbs(), |chain| {
        chain
            .filter(identity::Authenticate::new) // who: facts.subject
            .filter(posture::Assess::new) // what: facts.device
            .filter(authorization::Authorize::new) // can: the policy decides, a Permit or a Stop
    })
}
