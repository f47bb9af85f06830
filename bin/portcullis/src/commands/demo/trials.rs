//! What there is to try: one thing that is allowed, and each way of being refused.

use std::path::PathBuf;

use jiff::civil::Weekday;
use jiff::{Timestamp, ToSpan, Zoned};

use super::trial::{Expect, Trial};
use super::trouble::Trouble;
use super::world::World;

const ZONE: &str = "Asia/Taipei";

/// All of them, in the order in which they teach.
pub(super) fn all(world: &World) -> Result<Vec<Trial>, Trouble> {
    let port = world.addresses.gateway.port();
    let mut all = requests(port);
    all.extend(machines(port, world.addresses.payroll.port()));
    all.extend(hours(world.now)?);
    Ok(all)
}

/// People at their browsers.
fn requests(port: u16) -> Vec<Trial> {
    let wiki = |rest: &str| curl(port, "wiki.demo.test", rest, "/");
    let payroll = |rest: &str, path: &str| curl(port, "payroll.demo.test", rest, path);
    let device = |person: &str, laptop: &str| {
        format!("{}{}", bearer(person), certificate(&format!("devices/{laptop}")))
    };
    vec![
        Trial::new(
            "ana of finance reads the wiki",
            wiki(&bearer("ana")),
            Expect::Status(200, "x-portcullis-user: ana"),
        ),
        Trial::new("nobody reads it", wiki(""), Expect::Status(401, "no-identity")),
        Trial::new(
            "cleo, who is in no group, does not",
            wiki(&bearer("cleo")),
            Expect::Status(403, "no-rule-allows"),
        ),
        Trial::new(
            "ana reads a report from her managed laptop",
            payroll(&device("ana", "laptop-ana"), "/reports/2026-11"),
            Expect::Status(200, "x-portcullis-device: laptop-ana"),
        ),
        Trial::new(
            "from a laptop that nobody manages she does not",
            payroll(&device("ana", "laptop-ben"), "/reports/2026-11"),
            Expect::Status(403, "device-not-managed"),
        ),
        Trial::new(
            "ben of engineering reads no report at all",
            payroll(&device("ben", "laptop-ben"), "/reports/2026-11"),
            Expect::Status(403, "no-rule-allows"),
        ),
        Trial::new(
            "a header that claims to be the gateway's is refused at the door",
            wiki(&format!("{} -H 'X-Portcullis-User: root'", bearer("ana"))),
            Expect::Status(400, "malformed:reserved-header"),
        ),
        Trial::new(
            "so is a path that could be read in two ways",
            payroll(
                &format!("--path-as-is{}", device("ana", "laptop-ana")),
                "/reports/..%2fruns/7/approve",
            ),
            Expect::Status(400, "malformed:"),
        ),
    ]
}

/// Programs, and somebody who goes around the gateway.
fn machines(port: u16, backend: u16) -> Vec<Trial> {
    let api = |rest: &str| curl(port, "api.demo.test", rest, "/export/today");
    let token = " -H \"Authorization: Bearer $(cat tokens/reporter.token)\"";
    vec![
        Trial::new(
            "a service exports with its certificate",
            api(&certificate("services/exporter")),
            Expect::Status(200, "x-portcullis-user: spiffe://demo.test/exporter"),
        ),
        Trial::new("no person does", api(&bearer("ana")), Expect::Status(403, "no-rule-allows")),
        Trial::new(
            "a script reads the wiki with an api token",
            curl(port, "wiki.demo.test", token, "/"),
            Expect::Status(200, "x-portcullis-user: reporter"),
        ),
        Trial::new(
            "a knock at the backend itself",
            format!(
                "curl -sSi --cacert pki/backends/ca.crt \
                 --resolve payroll.internal:{backend}:127.0.0.1 \
                 https://payroll.internal:{backend}/reports/2026-11"
            ),
            Expect::NoConnection,
        ),
    ]
}

/// Office hours, asked of the live engine for two instants of the coming days.
fn hours(now: Timestamp) -> Result<[Trial; 2], Trouble> {
    let program = std::env::current_exe()
        .map_err(Trouble::file(&PathBuf::from("portcullis")))?
        .display()
        .to_string();
    let explain = |hour: i8, outcome: &str| -> Result<String, Trouble> {
        Ok(format!(
            "'{program}' explain -c portcullis.yaml --method POST \
             --url https://payroll.demo.test/runs/7/approve --user ana \
             --groups finance,finance-admins --mfa --auth-age 5m --device laptop-ana \
             --at '{}' --expect {outcome}",
            coming(now, hour)?
        ))
    };
    Ok([
        Trial::new(
            "explained: ana approves a run in office hours",
            explain(10, "allow")?,
            Expect::Prints("finance-approves"),
        ),
        Trial::new(
            "explained: at night she does not",
            explain(3, "deny")?,
            Expect::Prints("office-hours"),
        ),
    ])
}

/// The next working day at this hour, as `2026-11-24T10:00[Asia/Taipei]`.
fn coming(now: Timestamp, hour: i8) -> Result<String, Trouble> {
    let unknown = |cause: jiff::Error| Trouble::Gateway(format!("no calendar: {cause}"));
    let next = |day: &Zoned| day.checked_add(1.day()).map_err(unknown);
    let mut day = next(&now.in_tz(ZONE).map_err(unknown)?)?;
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = next(&day)?;
    }
    let at = day.date().at(hour, 0, 0, 0);
    Ok(format!("{}[{ZONE}]", at.strftime("%Y-%m-%dT%H:%M")))
}

/// A request to a name of the gateway, with its head in the answer.
fn curl(port: u16, host: &str, rest: &str, path: &str) -> String {
    let rest = rest.trim();
    let space = if rest.is_empty() { "" } else { " " };
    format!(
        "curl -sSi --cacert pki/gateway/ca.crt --resolve {host}:{port}:127.0.0.1{space}{rest} \
         https://{host}:{port}{path}"
    )
}

fn bearer(person: &str) -> String {
    format!(" -H \"Authorization: Bearer $(cat tokens/{person}.jwt)\"")
}

fn certificate(stem: &str) -> String {
    format!(" --cert pki/{stem}.crt --key pki/{stem}.key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coming_working_day_is_never_a_weekend() {
        for (now, at) in [
            ("2026-11-23T12:00:00Z", "2026-11-24T10:00[Asia/Taipei]"), // Monday
            ("2026-11-27T12:00:00Z", "2026-11-30T10:00[Asia/Taipei]"), // Friday
            ("2026-11-28T12:00:00Z", "2026-11-30T10:00[Asia/Taipei]"), // Saturday
        ] {
            assert_eq!(coming(now.parse().unwrap(), 10).unwrap(), at);
        }
    }
}
