//! Where everything listens: chosen when the configuration is made, read from it ever after.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use document::{Kind, Node};

use super::trouble::Trouble;

/// Addresses of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) gateway: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) wiki: SocketAddr,
    pub(super) payroll: SocketAddr,
}

const ADMIN_PORT: u16 = 9901;
const WIKI_PORT: u16 = 9443;
const PAYROLL_PORT: u16 = 9444;

impl Addresses {
    /// The gateway's port as asked for; the others as usual, or free ones where those are taken.
    pub(super) fn choose(port: u16) -> Result<Self, Trouble> {
        let listen = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let asked = |source| Trouble::PortTaken { port, source };
        let usual = |port| listen(port).or_else(|_taken| listen(0)).map_err(asked);
        // All are held until all are chosen, so that no free port is chosen twice.
        let held = [
            listen(port).map_err(asked)?,
            usual(ADMIN_PORT)?,
            usual(WIKI_PORT)?,
            usual(PAYROLL_PORT)?,
        ];
        let [gateway, admin, wiki, payroll] =
            held.each_ref().map(|listener| listener.local_addr().map_err(asked));
        Ok(Self { gateway: gateway?, admin: admin?, wiki: wiki?, payroll: payroll? })
    }

    /// As the configuration says.
    pub(super) fn read(config: &Path) -> Result<Self, Trouble> {
        let root = document::load(config).map_err(Trouble::Configuration)?.root;
        let at = |what, node: Option<&Node>| {
            let missing = || Trouble::NotAnAddress { what, config: config.to_owned() };
            node.and_then(Node::text).and_then(|text| text.parse().ok()).ok_or_else(missing)
        };
        let server = root.get("server");
        let listen = server.and_then(|s| s.get("listen")).and_then(|l| items(l).first());
        let admin = server.and_then(|s| s.get("admin"));
        Ok(Self {
            gateway: at("server.listen[0].address", listen.and_then(|l| l.get("address")))?,
            admin: at("server.admin.address", admin.and_then(|a| a.get("address")))?,
            wiki: at("upstreams.wiki.endpoints[0]", endpoint(&root, "wiki"))?,
            payroll: at("upstreams.payroll.endpoints[0]", endpoint(&root, "payroll"))?,
        })
    }

    /// Names the first address that somebody else listens on.
    pub(super) fn check_free(&self, config: &Path) -> Result<(), Trouble> {
        let Self { gateway, admin, wiki, payroll } = *self;
        for address in [gateway, admin, wiki, payroll] {
            TcpListener::bind(address).map_err(|source| Trouble::AddressInUse {
                address,
                config: config.to_owned(),
                source,
            })?;
        }
        Ok(())
    }
}

fn endpoint<'a>(root: &'a Node, upstream: &str) -> Option<&'a Node> {
    let named = |node: &&Node| node.get("name").and_then(Node::text) == Some(upstream);
    items(root.get("upstreams")?)
        .iter()
        .find(named)?
        .get("endpoints")
        .and_then(|e| items(e).first())
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Map(_) => &[],
    }
}
