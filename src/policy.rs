//! The owner's rules, in front of ACS: whether this passcode goes to this number now.
//!
//! The attack this stops is SMS pumping and toll fraud: whoever can make Okta ask for passcodes has
//! them sent to numbers that earn with each message. Nothing here looks at a clock, and nothing but
//! [`limits`] at a store.

pub mod limits;

use numbering::{Plan, Region};

use self::limits::{Limit, Rate, Scope};
use crate::message::Channel;
use crate::phone_number::{PhoneNumber, canonical_prefix};
use crate::refusal::{Reason, Refusal};

/// The owner's rules.
#[derive(Debug)]
pub struct Policy {
    /// Messages are sent at all.
    pub sending: bool,
    /// What is refused is not sent; otherwise the log says that it would be refused, and it is sent.
    pub enforce: bool,
    /// Okta is told of what is refused as `FAILED`; otherwise it is told that all is well, so that it does not
    /// send the passcode itself.
    pub refused_as_failed: bool,
    /// Beginnings of numbers, `+` included, that get nothing.
    pub blocked_prefixes: Vec<String>,
    /// Countries that get nothing.
    pub blocked: Vec<Region>,
    /// Countries that get messages.
    pub allowed: Countries,
    /// Countries whose numbers may be enrolled.
    pub enrollment_allowed: Countries,
    /// How many messages in which time.
    pub limits: Vec<(Scope, Rate)>,
}

/// A set of countries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// Every number, of no known region too.
    All,
    /// Numbers of these regions.
    Only(Vec<Region>),
}

impl Countries {
    fn contain(&self, region: Option<Region>) -> bool {
        match self {
            Self::All => true,
            Self::Only(regions) => region.is_some_and(|region| regions.contains(&region)),
        }
    }
}

impl Policy {
    /// Whether a message is sent although it is refused. Whoever has switched sending off wants nothing sent.
    pub fn lets_pass(&self, reason: Reason) -> bool {
        !self.enforce && reason != Reason::Paused
    }
}

/// Holds a number to the rules, but for the limits.
pub fn check(
    policy: &Policy,
    number: &PhoneNumber,
    plan: Plan,
    channel: Channel,
    is_enrollment: bool,
) -> Result<(), Refusal> {
    if !policy.sending {
        let fix = "Sending is switched off: set policy.sending to true.";
        return Err(Refusal::new(Reason::Paused, fix));
    }
    let canonical = number.canonical();
    // As it is written, too: by +549 one blocks Argentina's mobiles, where they are written with the 9.
    let blocked = |prefix: &String| {
        canonical.starts_with(&*canonical_prefix(prefix)) || number.as_str().starts_with(&**prefix)
    };
    if let Some(at) = policy.blocked_prefixes.iter().position(blocked) {
        // By its place: a prefix may be as long as a number, which no log is told.
        let fix = format!("The number begins with entry {} of policy.blocked_prefixes.", at + 1);
        return Err(Refusal::new(Reason::PrefixBlocked, fix));
    }
    if !plan.takes_calls {
        let fix = "The number is of a kind that takes neither SMS nor calls with passcodes, such as freephone, \
                   premium-rate or personal numbers: enrol another one.";
        return Err(Refusal::new(Reason::NumberTypeBlocked, fix));
    }
    if channel == Channel::Sms && !plan.takes_sms {
        let fix = "The number is a landline, which takes no SMS: enrol a mobile number, or choose the voice call.";
        return Err(Refusal::new(Reason::NumberTypeBlocked, fix));
    }
    let refused = |because: &str| {
        let name = plan.region.map_or("no known country".to_owned(), |region| region.to_string());
        let fix = format!("The number is of {name}, which is {because}.");
        Err(Refusal::new(Reason::CountryNotAllowed, fix))
    };
    if plan.region.is_some_and(|region| policy.blocked.contains(&region)) {
        return refused("in policy.blocked_countries");
    }
    if !policy.allowed.contain(plan.region) {
        return refused("not in policy.allowed_countries");
    }
    if is_enrollment && !policy.enrollment_allowed.contain(plan.region) {
        return refused("not in policy.enrollment_allowed_countries");
    }
    Ok(())
}

/// Who asks for a message, and to which number.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The number in its canonical form: `+`, then 7 digits at least.
    pub canonical: &'a str,
    /// How the message reaches the person.
    pub channel: Channel,
    /// Okta's id of the person, if it is known.
    pub user_id: Option<&'a str>,
    /// The address from which the person asks, as Okta wrote it, if it is known.
    pub ip_address: Option<&'a str>,
    /// The person is about to enrol the number.
    pub is_enrollment: bool,
    /// For how many messages it counts in total: how many segments a text has, and 1 for a call.
    pub segments: u32,
    /// It is a canary.
    pub is_canary: bool,
}

/// The limits that count a message. Those in total count its segments, as each is paid for. Calls have limits to a
/// number and in total of their own; the others are the same, and count calls apart. A canary must find room in each of
/// them, so that it sees what people see, but takes none from anybody: it is counted for its own number only.
pub fn limits_of(policy: &Policy, asking: Asking<'_>) -> Vec<Limit> {
    let Asking { canonical, channel, user_id, ip_address, is_enrollment, segments, is_canary } =
        asking;
    let is_call = channel == Channel::Call;
    let of_all = Some((String::new(), segments));
    let counted = |scope| match scope {
        Scope::Number if !is_call => Some((canonical.to_owned(), 1)),
        Scope::CallsPerNumber if is_call => Some((canonical.to_owned(), 1)),
        Scope::User => Some((user_id?.to_owned(), 1)),
        Scope::Ip => Some((limits::address(ip_address?)?, 1)),
        Scope::Prefix if is_enrollment => Some((canonical[..canonical.len() - 4].to_owned(), 1)),
        Scope::Total if !is_call && !is_enrollment => of_all.clone(),
        Scope::EnrollmentTotal if !is_call && is_enrollment => of_all.clone(),
        Scope::CallsTotal if is_call => of_all.clone(),
        Scope::Number
        | Scope::CallsPerNumber
        | Scope::Prefix
        | Scope::Total
        | Scope::EnrollmentTotal
        | Scope::CallsTotal => None,
    };
    let limit = |&(scope, rate)| {
        let (subject, weight) = counted(scope)?;
        let is_counted = !is_canary || matches!(scope, Scope::Number | Scope::CallsPerNumber);
        Some(Limit { scope, rate, is_enrollment, is_call, subject, weight, is_counted })
    };
    policy.limits.iter().filter_map(limit).collect()
}

/// The refusal of a message beyond a limit.
pub fn limit_reached(scope: Scope, rate: Rate) -> Refusal {
    let fix =
        format!("{} ({rate}) is reached: wait, and then ask for a new passcode.", scope.name());
    Refusal::new(Reason::RateLimited, fix)
}
