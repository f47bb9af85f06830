//! What no section can see alone: addresses that are used twice, names that lead nowhere, sections
//! that nobody reads.

use std::net::SocketAddr;

use document::{At, Document, Kind, Mistake, Mistakes, Node, Place};
use policy::PolicySet;

use super::OWN_SECTIONS;
use crate::assembly::Claimed;
use crate::conf::ServerConf;
use crate::tls::TlsSnapshot;

pub(super) fn check_server(server: &ServerConf, mistakes: &mut Mistakes) {
    let mut seen: Vec<(SocketAddr, &Place)> = Vec::new();
    let addresses = server.listen.iter().map(|at| &at.value.address);
    for address in addresses.chain(server.admin.iter().map(|at| &at.value.address)) {
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == address.value) {
            let message = format!("`{}` is listened on twice", address.value);
            mistakes.push(
                Mistake::error("address-twice", &address.place, message)
                    .related(first, "first here")
                    .help("give each listener an address of its own"),
            );
        }
        seen.push((address.value, &address.place));
    }
    if server.listen.is_empty() {
        mistakes.push(
            Mistake::error("no-listener", &server.state_dir.place, "`server.listen` is empty")
                .help("name at least one address with `tls`"),
        );
    }
    if let Some(At { value: admin, .. }) = &server.admin
        && !admin.address.value.ip().is_loopback()
        && !admin.danger_public
    {
        let message = format!(
            "the admin listener would be reachable from outside at `{}`",
            admin.address.value
        );
        mistakes.push(
            Mistake::error("admin-public", &admin.address.place, message)
                .help("use 127.0.0.1, or say `danger_public: true`"),
        );
    }
}

/// Told from the text, so that a mistake in a rule does not hide one in its route.
pub(super) fn check_routes(document: &Document, mistakes: &mut Mistakes) {
    let names: Vec<&str> =
        items(document, "upstreams").filter_map(|upstream| upstream.get("name")?.text()).collect();
    for node in items(document, "routes").filter_map(|route| route.get("upstream")) {
        let Some(name) = node.text().filter(|name| !names.contains(name)) else { continue };
        let message = format!("there is no upstream `{name}`");
        let mistake = Mistake::error("unknown-upstream", &node.place, message);
        mistakes.push(match document::suggest(name, names.iter().copied()) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake.help("name it under `upstreams:`"),
        });
    }
}

/// The items of a section that is a list; of any other there are none, which its own type tells.
fn items<'a>(document: &'a Document, section: &str) -> impl Iterator<Item = &'a Node> {
    match document.root.get(section) {
        Some(Node { kind: Kind::List(items), .. }) => items.iter(),
        Some(_) | None => [].iter(),
    }
}

/// A host that no certificate covers cannot be reached by a client that verifies.
pub(super) fn check_names(
    policy: &PolicySet,
    tls: &[Option<TlsSnapshot>],
    warnings: &mut Mistakes,
) {
    for route in policy.routes() {
        let covered = |host: &str| {
            // Any name will do for the one label that a wildcard stands for.
            let name = host.replacen('*', "any", 1);
            tls.iter().flatten().any(|snapshot| snapshot.covers(&name))
        };
        for host in route.hosts.iter().filter(|host| !covered(host)) {
            let message = format!("no certificate of any listener covers `{host}`");
            warnings.push(
                Mistake::warning("host-not-covered", &route.place, message)
                    .help("clients will refuse the connection: add a certificate for the host"),
            );
        }
    }
}

pub(super) fn unclaimed(document: &Document, claimed: &[Claimed], mistakes: &mut Mistakes) {
    let Kind::Map(entries) = &document.root.kind else { return };
    let known: Vec<&str> =
        OWN_SECTIONS.into_iter().chain(claimed.iter().map(|claim| claim.name)).collect();
    for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
        let message = format!("unknown section `{}`", key.name);
        let mistake = Mistake::error("unknown-section", &key.place, message);
        mistakes.push(match document::suggest(&key.name, known.iter().copied()) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake.help(format!("sections are {}", known.join(", "))),
        });
    }
}

/// Every key that weakens a default is named at every load, whichever section it stands in, unless
/// its own section has said more about it.
pub(super) fn dangers(node: &Node, warnings: &mut Mistakes) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| dangers(item, warnings)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                let on = value.kind == Kind::Bool(true) && key.name.starts_with("danger_");
                let line = (&key.place.file, key.place.line);
                let said = |warning: &Mistake| {
                    warning.place.as_ref().is_some_and(|place| (&place.file, place.line) == line)
                };
                if on && !warnings.iter().any(said) {
                    let message = format!("`{}` weakens a default", key.name);
                    warnings.push(
                        Mistake::warning("danger", &key.place, message)
                            .help("remove it as soon as what needs it is mended"),
                    );
                }
                dangers(value, warnings);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {}
    }
}
