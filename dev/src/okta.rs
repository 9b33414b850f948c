//! A stand-in for Okta, for development and tests: people who sign in, and an attacker.
//!
//! It calls the telephony hook as Okta does, sees the messages arrive on the emulators' [phone](crate::phone), has people
//! type the passcodes in, or not, and tells the hook by an event hook what they did. It is a panel on the phone page, and
//! `GET /okta` there. Nothing leaves the machine.
//!
//! ```no_run
//! # async fn example(phone: okta_telephony_dev::phone::Phone) -> anyhow::Result<()> {
//! use okta_telephony_dev::okta::{EventHook, Okta, Settings, SignIns};
//!
//! let hook = "http://127.0.0.1:3000/api/okta-telephony";
//! let settings = Settings::new(hook, "Basic …", phone);
//! let okta = Okta::start(Settings {
//!     event_hook: Some(EventHook::new("http://127.0.0.1:3000/api/okta-events", "Basic …")),
//!     ..settings
//! })
//! .await?;
//! okta.sign_in(SignIns { people: 20, ..SignIns::default() })?;
//! okta.attack(100)?;
//! # Ok(())
//! # }
//! ```
//!
//! - `people` has who signs in,
//! - `call` what Okta posts to the hook, and what it makes of the answer,
//! - `event` the events of its System Log, and `feed` delivers them,
//! - `panel` is what the page has of it;
//!
//! this file has the way of a sign-in.

mod call;
mod event;
mod feed;
mod panel;
mod people;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use http::{HeaderValue, Method, Request, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use self::call::{Outcome, Passcode};
use self::feed::{Deliveries, Feed};
use self::people::Person;
use crate::phone::Phone;
use crate::webhook::Webhook;

pub use self::call::{Channel, Step};
pub use self::feed::EventHook;
pub use self::people::AREA_SIZE;

/// "Okta waits 3 seconds" ("Inline hooks" and "Event hooks", Okta's developer documentation).
const TIMEOUT: Duration = Duration::from_secs(3);
/// Calls of the hook at once.
const CALLS_AT_ONCE: usize = 4;
/// The most people of one [`Traffic`].
pub const PEOPLE_MAX: usize = 1000;
/// How many [`Traffic`]s are told of.
const TRAFFIC_MAX: usize = 20;
/// For how long after the last of the traffic others sign in by password.
const OTHERS_FOR: Duration = Duration::from_secs(3 * 60);

/// How to stand in for Okta.
pub struct Settings {
    /// The URL of the telephony hook, on this machine.
    pub hook: String,
    /// The `Authorization` header of its calls.
    pub authorization: String,
    /// Who hears of events; without it nobody does.
    pub event_hook: Option<EventHook>,
    /// Where the hook's messages end up.
    pub phone: Phone,
    /// From one person's sign-in to the next one's.
    pub pace: Duration,
    /// From a passcode's arrival to its being typed in.
    pub typing_time: Duration,
    /// How often others sign in by password while something goes on: in an organization events never cease.
    pub others: Duration,
}

impl Settings {
    /// A second to type, twenty sign-ins a second, and one by password every three seconds.
    pub fn new(hook: impl Into<String>, authorization: impl Into<String>, phone: Phone) -> Self {
        Self {
            hook: hook.into(),
            authorization: authorization.into(),
            event_hook: None,
            phone,
            pace: Duration::from_millis(50),
            typing_time: Duration::from_secs(1),
            others: Duration::from_secs(3),
        }
    }
}

/// What people do with a passcode that has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Typing {
    /// Type it in.
    #[default]
    Yes,
    No,
    /// Type another one in.
    Wrong,
    /// Sign in by a push to Okta Verify instead.
    AnotherMethod,
}

/// One of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Toggle {
    On,
    Off,
}

/// What can be changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Switches {
    pub typing: Typing,
    /// Off: events are lost, as those are that an organization has too many of.
    pub feed: Toggle,
    /// Events come out of order, and every second one with the next delivery.
    pub out_of_order: Toggle,
    /// Every delivery comes twice, and its events once more in another one.
    pub repeats: Toggle,
    /// Where the hook does not send a passcode, Okta's own provider does.
    pub fallback: Toggle,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            typing: Typing::Yes,
            feed: Toggle::On,
            out_of_order: Toggle::Off,
            repeats: Toggle::Off,
            fallback: Toggle::Off,
        }
    }
}

/// Changes some of the [`Switches`].
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub typing: Option<Typing>,
    pub feed: Option<Toggle>,
    pub out_of_order: Option<Toggle>,
    pub repeats: Option<Toggle>,
    pub fallback: Option<Toggle>,
}

/// People who sign in, or enrol a phone.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIns {
    /// How many: 1 to [`PEOPLE_MAX`].
    pub people: usize,
    pub step: Step,
    pub channel: Channel,
    /// One person's number, in E.164 form, in place of theirs.
    pub number: Option<String>,
}

impl Default for SignIns {
    fn default() -> Self {
        Self { people: 1, step: Step::SignIn, channel: Channel::Sms, number: None }
    }
}

/// Some people's sign-ins, and what became of them.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// In words.
    pub what: String,
    pub people: usize,
    /// Hooks that were called, and have answered.
    pub asked: usize,
    /// Passcodes that have arrived on the phone.
    pub arrived: usize,
    /// What the hook did not send, by the reason that it gave.
    pub refused: BTreeMap<String, usize>,
    /// Passcodes that were typed in, rightly.
    pub used: usize,
    #[serde(skip)]
    id: usize,
}

/// A running stand-in. It stops when this is dropped.
pub struct Okta {
    state: Arc<State>,
    /// Dropping them ends what goes on.
    _running: JoinSet<()>,
}

/// What all have in common.
struct State {
    hook: Webhook,
    authorization: HeaderValue,
    phone: Phone,
    pace: Duration,
    typing_time: Duration,
    at_once: Semaphore,
    inner: Mutex<Inner>,
    events: mpsc::UnboundedSender<Value>,
    jobs: mpsc::UnboundedSender<Job>,
}

struct Inner {
    switches: Switches,
    /// The newest ones, oldest first.
    traffic: VecDeque<Traffic>,
    /// How many there were.
    count: usize,
    attacks: usize,
    /// The next of the organization who signs in.
    next_person: usize,
    last_call: Option<Instant>,
    deliveries: Deliveries,
}

/// Sign-ins that are to be.
struct Job {
    traffic: usize,
    people: Vec<Person>,
    step: Step,
    channel: Channel,
}

impl Okta {
    /// Verifies the event hook, and adds the panel to the page of the phone.
    ///
    /// # Errors
    ///
    /// A URL that is not on this machine, or a credential that no header can have. An event hook that is not verified is
    /// no error: see [`Okta::not_verified`].
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let Settings { hook, authorization, event_hook, phone, pace, typing_time, others } =
            settings;
        let feed = event_hook.map(Feed::new).transpose()?;
        let verified = match &feed {
            None => Err(anyhow!("there is no event hook")),
            Some(feed) => feed.verify().await,
        };
        let not_verified = verified.err().map(|error| format!("{error:#}"));
        let deliveries = Deliveries { not_verified, ..Deliveries::default() };
        let (events, received_events) = mpsc::unbounded_channel();
        let (jobs, received_jobs) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            hook: Webhook::new(&hook)?.with_timeout(TIMEOUT),
            authorization: sensitive(&authorization)?,
            phone,
            pace,
            typing_time,
            at_once: Semaphore::new(CALLS_AT_ONCE),
            inner: Mutex::new(Inner {
                switches: Switches::default(),
                traffic: VecDeque::new(),
                count: 0,
                attacks: 0,
                next_person: 0,
                last_call: None,
                deliveries,
            }),
            events,
            jobs,
        });
        let mut running = JoinSet::new();
        running.spawn(run(state.clone(), received_jobs));
        if let Some(feed) = feed {
            running.spawn(feed::run(state.clone(), feed, received_events));
            running.spawn(others_sign_in(state.clone(), others));
        }
        state.phone.set_panel(Some(panel::panel(state.clone())));
        Ok(Self { state, _running: running })
    }

    /// Why the event hook gets no events, if it does not: it failed the one-time verification.
    pub fn not_verified(&self) -> Option<String> {
        self.state.lock().deliveries.not_verified.clone()
    }

    pub fn switch(&self, change: Change) {
        self.state.switch(change);
    }

    /// Has people of the organization sign in, and gives what becomes of that its id for [`Okta::traffic`].
    ///
    /// # Errors
    ///
    /// None of them, or more than [`PEOPLE_MAX`].
    pub fn sign_in(&self, sign_ins: SignIns) -> anyhow::Result<usize> {
        self.state.sign_in(sign_ins)
    }

    /// Has an attacker ask for a passcode on each of so many numbers of one block, from 1 to [`AREA_SIZE`], and gives the
    /// same. Nobody types these passcodes in.
    ///
    /// # Errors
    ///
    /// No numbers, or more than there are.
    pub fn attack(&self, numbers: usize) -> anyhow::Result<usize> {
        self.state.attack(numbers)
    }

    /// What became of it so far, if it is still among the newest.
    pub fn traffic(&self, id: usize) -> Option<Traffic> {
        let inner = self.state.lock();
        inner.traffic.iter().find(|traffic| traffic.id == id).cloned()
    }

    /// How many events the event hook has taken.
    pub fn events_taken(&self) -> usize {
        self.state.lock().deliveries.taken
    }
}

impl Drop for Okta {
    fn drop(&mut self) {
        // The panel knows the state, and the state the phone.
        self.state.phone.set_panel(None);
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it so, all that is in there are whole entries.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switch(&self, change: Change) {
        let Change { typing, feed, out_of_order, repeats, fallback } = change;
        let switches = &mut self.lock().switches;
        switches.typing = typing.unwrap_or(switches.typing);
        switches.feed = feed.unwrap_or(switches.feed);
        switches.out_of_order = out_of_order.unwrap_or(switches.out_of_order);
        switches.repeats = repeats.unwrap_or(switches.repeats);
        switches.fallback = fallback.unwrap_or(switches.fallback);
    }

    fn sign_in(&self, sign_ins: SignIns) -> anyhow::Result<usize> {
        let SignIns { people, step, channel, number } = sign_ins;
        ensure!((1..=PEOPLE_MAX).contains(&people), "people is a number from 1 to {PEOPLE_MAX}");
        // A form has an empty one.
        let number = number.filter(|number| !number.is_empty());
        let people = if number.is_some() { 1 } else { people };
        let what = match (step, people) {
            (Step::SignIn, 1) => "1 person signs in".to_owned(),
            (Step::SignIn, people) => format!("{people} people sign in"),
            (Step::Enrolment, 1) => "1 person enrols a phone".to_owned(),
            (Step::Enrolment, people) => format!("{people} people enrol a phone"),
        };
        let mut inner = self.lock();
        let first = inner.next_person;
        inner.next_person += people;
        let people = (first..first + people).map(|place| {
            let person = Person::member(place);
            Person { number: number.clone().unwrap_or(person.number), ..person }
        });
        Ok(self.begin(&mut inner, what, people.collect(), step, channel))
    }

    fn attack(&self, numbers: usize) -> anyhow::Result<usize> {
        ensure!((1..=AREA_SIZE).contains(&numbers), "numbers is a number from 1 to {AREA_SIZE}");
        let mut inner = self.lock();
        inner.attacks += 1;
        let attack = inner.attacks;
        let people = (0..numbers).map(|place| Person::attacker(attack, place)).collect();
        let what = match numbers {
            1 => "Attack on 1 number".to_owned(),
            _ => format!("Attack on {numbers} numbers of one block"),
        };
        Ok(self.begin(&mut inner, what, people, Step::SignIn, Channel::Sms))
    }

    fn begin(
        &self,
        inner: &mut Inner,
        what: String,
        people: Vec<Person>,
        step: Step,
        channel: Channel,
    ) -> usize {
        inner.count += 1;
        let id = inner.count;
        if inner.traffic.len() == TRAFFIC_MAX {
            inner.traffic.pop_front();
        }
        inner.traffic.push_back(Traffic {
            what,
            people: people.len(),
            asked: 0,
            arrived: 0,
            refused: BTreeMap::new(),
            used: 0,
            id,
        });
        // The other end is gone only when the stand-in is.
        _ = self.jobs.send(Job { traffic: id, people, step, channel });
        id
    }

    /// Counts something of a traffic that is still told of.
    fn count(&self, traffic: usize, count: impl FnOnce(&mut Traffic)) {
        let mut inner = self.lock();
        if let Some(traffic) = inner.traffic.iter_mut().find(|it| it.id == traffic) {
            count(traffic);
        }
    }

    /// Tells the event hook of something, unless nothing is told.
    fn tell(&self, event: Value) {
        let mut inner = self.lock();
        if inner.deliveries.not_verified.is_some() {
            return;
        }
        match inner.switches.feed {
            Toggle::On => _ = self.events.send(event),
            Toggle::Off => inner.deliveries.lost += 1,
        }
    }
}

/// Does the jobs that come, until it is dropped: nothing goes on then.
async fn run(state: Arc<State>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        running.spawn(job.run(state.clone()));
        while running.try_join_next().is_some() {}
    }
}

impl Job {
    async fn run(self, state: Arc<State>) {
        let Self { traffic, people, step, channel } = self;
        let mut sign_ins = JoinSet::new();
        for person in people {
            sign_ins.spawn(sign_in(state.clone(), traffic, person, step, channel));
            tokio::time::sleep(state.pace).await;
        }
        while sign_ins.join_next().await.is_some() {}
    }
}

/// The way of one sign-in.
async fn sign_in(state: Arc<State>, traffic: usize, person: Person, step: Step, channel: Channel) {
    let started = OffsetDateTime::now_utc();
    let seen = *state.phone.newest().borrow();
    if step == Step::SignIn {
        state.tell(event::signed_in(&person, event::Method::Password, true, started));
    }
    let passcode = Passcode::new(started);
    let body = call::body(&person, step, channel, &passcode, started);
    let outcome = ask_hook(&state, body).await;
    let now = OffsetDateTime::now_utc();
    let is_sent = outcome == Outcome::Sent;
    let falls_back = !is_sent && state.lock().switches.fallback == Toggle::On;
    if let Outcome::GivenUp(_) = outcome {
        state.tell(event::hook_given_up(&person, now));
    }
    if step == Step::Enrolment && (is_sent || falls_back) {
        state.tell(event::sent(&person, channel, falls_back, now));
    }
    state.count(traffic, |it| {
        it.asked += 1;
        if let Outcome::Failed(reason) | Outcome::GivenUp(reason) = outcome {
            *it.refused.entry(reason).or_default() += 1;
        }
    });
    // What Okta sends itself arrives on no phone of ours. And what the hook did not send may arrive all the same.
    let wait = async {
        arrival(&state.phone, seen, &person.number, &passcode.code).await;
        state.count(traffic, |it| it.arrived += 1);
    };
    let until_it_is_over = (passcode.expires - now).unsigned_abs();
    if !falls_back && tokio::time::timeout(until_it_is_over, wait).await.is_err() {
        return;
    }
    if person.is_attacker {
        return;
    }
    tokio::time::sleep(state.typing_time).await;
    let now = OffsetDateTime::now_utc();
    let typing = state.lock().switches.typing;
    match (typing, step) {
        (Typing::No, _) => {}
        (Typing::Yes, Step::SignIn) => {
            state.tell(event::signed_in(&person, event::Method::Phone(channel), true, now));
        }
        (Typing::Yes, Step::Enrolment) => {
            event::enrolled(&person, now).into_iter().for_each(|event| state.tell(event));
        }
        (Typing::Wrong, _) => {
            state.tell(event::signed_in(&person, event::Method::Phone(channel), false, now));
        }
        (Typing::AnotherMethod, _) => {
            state.tell(event::signed_in(&person, event::Method::Push, true, now));
        }
    }
    if typing == Typing::Yes {
        state.count(traffic, |it| it.used += 1);
    }
}

/// Calls the hook, once: "telephony and token hooks: no retries".
async fn ask_hook(state: &State, body: String) -> Outcome {
    // Nobody closes it.
    let _turn = state.at_once.acquire().await;
    state.lock().last_call = Some(Instant::now());
    let request = Request::builder()
        .method(Method::POST)
        .header(header::AUTHORIZATION, &state.authorization)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json");
    match state.hook.send(request, body).await {
        Ok(answer) => Outcome::of(Some((answer.status, &answer.body))),
        Err(_) => Outcome::of(None),
    }
}

/// Waits until a message with a code has come to a number, after what was seen before.
async fn arrival(phone: &Phone, seen: u64, number: &str, code: &str) {
    let mut newest = phone.newest();
    loop {
        newest.mark_unchanged();
        if phone.has_message(seen, number, |text| has_code(text, code)) {
            return;
        }
        // The sender is part of the phone, which is right here.
        _ = newest.changed().await;
    }
}

/// Whether a text has the code. A call says it digit by digit.
fn has_code(text: &str, code: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.contains(code)
}

/// Others of the organization sign in by password, while something goes on and a while longer: an event hook hears of
/// them, too, and is never quiet in an organization that is at work.
async fn others_sign_in(state: Arc<State>, every: Duration) {
    for place in 0.. {
        tokio::time::sleep(every).await;
        let last_call = state.lock().last_call;
        if last_call.is_some_and(|it| it.elapsed() < OTHERS_FOR) {
            let person = Person::member(place);
            let now = OffsetDateTime::now_utc();
            state.tell(event::signed_in(&person, event::Method::Password, true, now));
        }
    }
}

/// A credential as a header.
fn sensitive(value: &str) -> anyhow::Result<HeaderValue> {
    let value = HeaderValue::try_from(value);
    let mut value = value.context("the credential has a character that no header can have")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
