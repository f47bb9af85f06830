//! The two backends: they show what reached them, and they speak with the gateway alone.

use async_trait::async_trait;
use http::{Response, StatusCode};
use openssl::ssl::{SslSessionCacheMode, SslVerifyMode};
use openssl::x509::X509Name;
use pingora::apps::http_app::ServeHttp;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::http::ServerSession;
use pingora::services::listening::Service;

use super::trouble::Trouble;
use super::world::World;

/// A page that shows the request.
pub(super) struct Echo {
    name: &'static str,
}

/// Both, each behind mutual TLS.
pub(super) fn services(world: &World) -> Result<[Service<Echo>; 2], Trouble> {
    let one = |name, address: std::net::SocketAddr| -> Result<_, Trouble> {
        let mut service = Service::new(format!("demo {name}"), Echo { name });
        let settings = tls(world, name).map_err(|cause| Trouble::Backend(cause.to_string()))?;
        service.add_tls_with_settings(&address.to_string(), None, settings);
        Ok(service)
    };
    Ok([one("wiki", world.addresses.wiki)?, one("payroll", world.addresses.payroll)?])
}

/// Whoever has no client certificate of the backends' authority is refused in the handshake.
fn tls(world: &World, name: &str) -> Result<TlsSettings, Box<dyn std::error::Error>> {
    let file = |name: String| world.path("pki/backends").join(name).to_string_lossy().into_owned();
    let mut settings =
        TlsSettings::intermediate(&file(format!("{name}.crt")), &file(format!("{name}.key")))?;
    let authority = file("ca.crt".to_owned());
    settings.set_ca_file(&authority)?;
    settings.set_client_ca_list(X509Name::load_client_ca_file(&authority)?);
    settings.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    // A resumed session would carry an identity that nobody checked again.
    settings.set_session_cache_mode(SslSessionCacheMode::OFF);
    settings.set_num_tickets(0)?;
    settings.enable_h2();
    Ok(settings)
}

#[async_trait]
impl ServeHttp for Echo {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        // A body that is not read would be taken for the next request.
        while let Ok(Some(_)) = session.read_request_body().await {}
        let head = session.req_header();
        let mut page = format!("{} says: {} {}\n", self.name, head.method, head.uri.path());
        for (name, value) in &head.headers {
            if name.as_str().starts_with("x-portcullis-") || name.as_str() == "x-request-id" {
                let value = String::from_utf8_lossy(value.as_bytes());
                page.extend([name.as_str(), ": ", &value, "\n"]);
            }
        }
        let length = page.len();
        let mut response = Response::new(page.into_bytes());
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_LENGTH, length.into());
        let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(http::header::CONTENT_TYPE, plain);
        response
    }
}
