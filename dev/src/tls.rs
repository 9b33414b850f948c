//! TLS of what runs on this machine only: a certificate authority that lives as long as the process, and that
//! nobody trusts who isn't told to.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The protocols that a server of HTTP offers over TLS, the better one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Signs the certificates of this process's servers.
static AUTHORITY: LazyLock<CertifiedIssuer<'static, KeyPair>> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "okta-telephony-dev, for development only");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().expect("the system has randomness");
    CertifiedIssuer::self_signed(params, key).expect("the parameters are ours")
});

/// The certificate of this process's certificate authority, in PEM form: what a client of its servers has to
/// trust. For Spin it goes into a file that `ca_roots_file` of `[[client_tls]]` names.
pub fn certificate_authority() -> String {
    AUTHORITY.pem()
}

/// The section of Spin's runtime configuration by which components trust, for these hosts, the certificate
/// authorities of a file and no others.
pub fn spins_client_tls(component: &str, hosts: &[&str], authorities: &Path) -> String {
    format!(
        "[[client_tls]]\ncomponent_ids = [{component:?}]\nhosts = {hosts:?}\nca_roots_file = {authorities:?}\n"
    )
}

/// A certificate for these names and addresses, and its key.
fn certificate(names: &[&str]) -> Result<(Certificate, KeyPair)> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &*AUTHORITY)?;
    Ok((certificate, key))
}

/// A certificate for these names and addresses, and its key, in PEM form, for a server that reads files.
///
/// # Errors
///
/// A name that no certificate can have.
pub fn pem(names: &[&str]) -> Result<[String; 2]> {
    let (certificate, key) = certificate(names)?;
    Ok([certificate.pem(), key.serialize_pem()])
}

/// A server that has a certificate for these names and addresses, and speaks HTTP/2 and HTTP/1.1.
///
/// # Errors
///
/// A name that no certificate can have.
pub fn server(names: &[&str]) -> Result<Arc<ServerConfig>> {
    let (certificate, key) = certificate(names)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.into())?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    Ok(config.into())
}

/// A client that trusts the authorities of the public, and these, in PEM form.
///
/// # Errors
///
/// A text that is no certificate.
pub fn client(authorities: &[String]) -> Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    for pem in authorities {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(
                certificate.context("a certificate authority is no certificate in PEM form")?,
            )?;
        }
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    rustls::crypto::ring::default_provider().into()
}
