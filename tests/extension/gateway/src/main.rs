//! A gateway with a stranger's filter: the shipped one and one more line.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::run(|chain| {
        chain
            .filter(identity::Authenticate::new)
            .filter(posture::Assess::new)
            .filter(geofence::Geofence::new) // the only added line
            .filter(authorization::Authorize::new)
    })
}
