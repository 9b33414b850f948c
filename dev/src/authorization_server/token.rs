//! The token endpoint: who asks, and what they get (RFC 6749 sections 2.3, 4.4 and 5).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use http::request::Parts;
use http::{Method, StatusCode, header};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{Client, Flavour, Server, Settings};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far ahead an assertion may expire, in seconds. Okta's limit.
const ASSERTION_LIFETIME: i64 = 3600;

/// An answer that is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub error: &'static str,
    pub description: String,
    /// The client tried Basic, and is to be told that this is a way.
    pub challenge: bool,
}

impl Refusal {
    fn new(error: &'static str, description: impl Into<String>) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.into(),
            challenge: false,
        }
    }

    fn client(description: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::UNAUTHORIZED, ..Refusal::new("invalid_client", description) }
    }

    pub fn body(&self) -> Value {
        json!({ "error": self.error, "error_description": self.description })
    }
}

pub(super) fn answer(server: &Server, head: &Parts, body: &[u8]) -> Result<Value, Refusal> {
    if head.method != Method::POST {
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..Refusal::new("invalid_request", "The token endpoint takes POST.")
        });
    }
    let form = form(head, body)?;
    let client = authenticate(server, head, &form)?;
    let grant_type = parameter(&form, "grant_type")
        .ok_or_else(|| Refusal::new("invalid_request", "The grant_type is missing."))?;
    if grant_type != "client_credentials" {
        return Err(Refusal::new(
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server: ask for \
             client_credentials.",
        ));
    }
    let granted = scopes(server, parameter(&form, "scope"))?;
    let claims = server.claims(&client.id, &granted);
    let access_token = server.mint(&claims);
    let seconds = server.settings.token_lifetime.as_secs();
    Ok(match server.settings.flavour {
        Flavour::Okta => json!({
            "token_type": "Bearer", "expires_in": seconds, "access_token": access_token,
            "scope": granted.join(" "),
        }),
        Flavour::Entra { .. } => json!({
            "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds,
            "access_token": access_token,
        }),
    })
}

fn form(head: &Parts, body: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if !media_type.is_some_and(|it| it.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(Refusal::new(
            "invalid_request",
            "The body must be a form, application/x-www-form-urlencoded.",
        ));
    }
    let mut form = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if form.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(Refusal::new("invalid_request", format!("{name} is there twice.")));
        }
    }
    Ok(form)
}

/// Empty means absent (RFC 6749 section 3.2).
fn parameter<'a>(form: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// The scopes that are granted, in the order of asking.
fn scopes(server: &Server, asked: Option<&str>) -> Result<Vec<String>, Refusal> {
    let settings = &server.settings;
    let Some(asked) = asked else {
        return Err(Refusal::new(
            "invalid_scope",
            "The authorization server resource does not have any configured default scopes, \
             'scope' must be provided.",
        ));
    };
    match settings.flavour {
        Flavour::Okta => {
            let asked: Vec<_> = asked.split(' ').map(str::to_owned).collect();
            match asked.iter().find(|scope| !settings.scopes.contains(scope)) {
                Some(unknown) => Err(Refusal::new(
                    "invalid_scope",
                    format!(
                        "One or more scopes are not configured for the authorization server \
                         resource: {unknown:?}."
                    ),
                )),
                None => Ok(asked),
            }
        }
        // Roles are granted beforehand; a client asks for all that it has at a resource.
        Flavour::Entra { .. } => {
            let all = [
                format!("{}/.default", settings.audience),
                format!("api://{}/.default", settings.audience),
            ];
            if all.iter().any(|all| all == asked) {
                Ok(settings.scopes.clone())
            } else {
                Err(Refusal::new(
                    "invalid_scope",
                    format!("The scope {asked:?} is not valid: ask for {}.", all[0]),
                ))
            }
        }
    }
}

fn authenticate<'a>(
    server: &'a Server,
    head: &Parts,
    form: &BTreeMap<String, String>,
) -> Result<&'a Client, Refusal> {
    let authorization = head.headers.get(header::AUTHORIZATION);
    let secret = parameter(form, "client_secret");
    let assertion = parameter(form, "client_assertion");
    match (authorization, secret, assertion) {
        (Some(value), None, None) => basic(server, value.as_bytes(), parameter(form, "client_id"))
            .map_err(|refusal| Refusal { challenge: true, ..refusal }),
        (None, Some(secret), None) => {
            let id = parameter(form, "client_id")
                .ok_or_else(|| Refusal::client("The client_id is missing."))?;
            by_secret(server, id, secret)
        }
        (None, None, Some(assertion)) => by_assertion(server, form, assertion),
        (None, None, None) => Err(Refusal::client(
            "Client authentication failed. Either the client or the client credentials are \
             invalid: there are none.",
        )),
        _ => Err(Refusal::new(
            "invalid_request",
            "Cannot supply multiple client credentials. Use one of the following: credentials in \
             the Authorization header, credentials in the post body, or a client_assertion in the \
             post body.",
        )),
    }
}

fn find<'a>(server: &'a Server, id: &str) -> Result<&'a Client, Refusal> {
    let mut clients = server.settings.clients.iter();
    clients.find(|client| client.id == id).ok_or_else(|| {
        Refusal::client(format!("Invalid value for 'client_id' parameter: {id:?} is no client."))
    })
}

fn by_secret<'a>(server: &'a Server, id: &str, secret: &str) -> Result<&'a Client, Refusal> {
    let client = find(server, id)?;
    let expected = client.secret.as_deref().ok_or_else(|| {
        Refusal::client("The client has no secret: it authenticates with private_key_jwt.")
    })?;
    if bool::from(expected.as_bytes().ct_eq(secret.as_bytes())) {
        Ok(client)
    } else {
        Err(Refusal::client("The client secret supplied for a confidential client is invalid."))
    }
}

fn basic<'a>(
    server: &'a Server,
    authorization: &[u8],
    id_in_form: Option<&str>,
) -> Result<&'a Client, Refusal> {
    let malformed =
        || Refusal::client("The Authorization header is not Basic with an id and a secret.");
    let text = std::str::from_utf8(authorization).map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = BASE64.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    // Both are form-encoded first (RFC 6749 section 2.3.1).
    let (id, secret) = (form_decoded(id), form_decoded(secret));
    if id_in_form.is_some_and(|other| other != id) {
        return Err(Refusal::new(
            "invalid_request",
            "The client_id in the body is another than the one in the Authorization header.",
        ));
    }
    by_secret(server, &id, &secret)
}

fn form_decoded(text: &str) -> String {
    // A name without a value; an `&` or `=` that should have been encoded is kept as it is.
    let text = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into())
}

/// private_key_jwt (RFC 7523 section 3).
fn by_assertion<'a>(
    server: &'a Server,
    form: &BTreeMap<String, String>,
    assertion: &str,
) -> Result<&'a Client, Refusal> {
    if parameter(form, "client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refusal::new(
            "invalid_request",
            format!("The client_assertion_type must be {ASSERTION_TYPE}."),
        ));
    }
    let malformed = || Refusal::client("The client_assertion is no JWT.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (head, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let decoded = |part: &str| BASE64URL.decode(part).map_err(|_| malformed());
    let parsed =
        |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| malformed());
    let (head, claims, signature) = (parsed(head)?, parsed(claims)?, decoded(signature)?);

    let id = claims["sub"].as_str().ok_or_else(|| {
        Refusal::client("The client_assertion has no subject: sub must be the client_id.")
    })?;
    if claims["iss"] != id {
        return Err(Refusal::client("The client_assertion's iss and sub differ."));
    }
    if parameter(form, "client_id").is_some_and(|said| said != id) {
        return Err(Refusal::client("The client_assertion's sub is another than the client_id."));
    }
    let client = find(server, id)?;
    let jwk = client.jwk.as_ref().ok_or_else(|| {
        Refusal::client("The client has no key: it authenticates with its secret.")
    })?;
    if head["alg"] != "RS256" {
        return Err(Refusal::client("The client_assertion must be signed with RS256."));
    }
    if !verifies(jwk, signed.as_bytes(), &signature) {
        return Err(Refusal::client(
            "The client_assertion signature is invalid: sign it with the client's key.",
        ));
    }

    let audiences = [server.token_endpoint(), server.issuer.clone()];
    let is_ours = |value: &Value| audiences.iter().any(|audience| value == audience);
    if !is_ours(&claims["aud"])
        && !claims["aud"].as_array().is_some_and(|values| values.iter().any(is_ours))
    {
        return Err(Refusal::client(format!(
            "The client_assertion's aud must be {} or {}.",
            audiences[0], audiences[1]
        )));
    }
    let now = (server.settings.now)().unix_timestamp();
    let expiry = claims["exp"].as_i64().ok_or_else(|| {
        Refusal::client("The client_assertion has no exp, or one that is no whole number.")
    })?;
    if expiry <= now {
        return Err(Refusal::client("The client_assertion is expired."));
    }
    if expiry > now + ASSERTION_LIFETIME {
        return Err(Refusal::client("The client_assertion expires more than an hour from now."));
    }
    let jti = claims["jti"].as_str().filter(|jti| !jti.is_empty()).ok_or_else(|| {
        Refusal::client("The client_assertion has no jti: give each one of its own.")
    })?;
    if !server.first_use(id, jti, expiry) {
        return Err(Refusal::client("The client_assertion was used before: its jti is known."));
    }
    Ok(client)
}

fn verifies(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
    let number = |name: &str| BASE64URL.decode(jwk[name].as_str()?).ok();
    let (Some(n), Some(e)) = (number("n"), number("e")) else {
        return false;
    };
    let key = RsaPublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
}

/// The object of the service principal, which is not the application: another id.
const OBJECT_ID: &str = "0b1ec700-0000-4000-8000-000000000001";

/// What a token says.
pub(super) fn claims(settings: &Settings, issuer: &str, client: &str, granted: &[String]) -> Value {
    let now = (settings.now)();
    let issued = now.unix_timestamp();
    let expires = (now + settings.token_lifetime).unix_timestamp();
    let unique = Uuid::new_v4().simple().to_string();
    match &settings.flavour {
        Flavour::Okta => json!({
            "ver": 1, "jti": format!("AT.{unique}"), "iss": issuer, "aud": settings.audience,
            "iat": issued, "exp": expires, "cid": client, "scp": granted, "sub": client,
        }),
        Flavour::Entra { tenant } => json!({
            "aud": settings.audience, "iss": issuer, "iat": issued, "nbf": issued, "exp": expires,
            "azp": client, "azpacr": "1", "oid": OBJECT_ID, "roles": granted, "sub": OBJECT_ID,
            "tid": tenant, "uti": unique, "ver": "2.0",
        }),
    }
}
