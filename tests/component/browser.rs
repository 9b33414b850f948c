//! Pages in a real browser, over the DevTools protocol. Skipped where no Chromium is
//! installed.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use okta_telephony_dev::acs_emulator::EventSubscription;
use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::harness::{Form, Hook, Setup, envelope, event_id, skipped};
use crate::{infobip_request, okta, okta_events, telesign_request, twilio_request};

/// Chromium, and the page that it shows.
pub struct Browser {
    process: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next_id: u64,
}

impl Browser {
    /// Starts Chromium if there is one.
    pub fn start() -> Option<Self> {
        // Each its own: a second Chromium with the profile of a first one leaves the work to that.
        let profile = format!("{}/chromium-{}", env!("CARGO_TARGET_TMPDIR"), event_id());
        let start = |name: &&str| {
            Command::new(name)
                .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
                .args(["--no-first-run", "--disable-background-networking"])
                .args(["--disable-component-update", "--disable-sync"])
                // Containers have little shared memory.
                .args(["--disable-dev-shm-usage"])
                .args(["--remote-debugging-port=0", &format!("--user-data-dir={profile}")])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .ok()
        };
        let mut process =
            ["chromium", "chromium-browser", "google-chrome"].iter().find_map(start)?;
        let stderr = process.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let url =
            lines.find_map(|line| line.strip_prefix("DevTools listening on ").map(String::from));
        // Chromium must not come to a halt because nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let Some(url) = url else {
            let _ = process.wait();
            return None;
        };
        let (socket, _) = tungstenite::connect(url).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        Some(Self { process, socket, session: None, next_id: 0 })
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let mut call = json!({ "id": self.next_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.next_id {
                // An error, as while a page is being left, is no result.
                return answer["result"].clone();
            }
        }
    }

    pub fn open(&mut self, url: &str) {
        let target = self.call("Target.createTarget", json!({ "url": url }))["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self.call("Target.attachToTarget", attach)["sessionId"].clone();
        self.session = Some(session.as_str().unwrap().to_owned());
    }

    /// Shows the page as wide as so many CSS pixels.
    pub fn set_width(&mut self, width: u32) {
        let size =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({ "expression": expression }));
        result["result"]["value"].clone()
    }

    pub fn wait_until(&mut self, expression: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.evaluate(expression) != true {
            assert!(
                Instant::now() < end,
                "{expression}: {}",
                self.evaluate("document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Stands for the browser's voices: one of this machine for German, and one for English that is elsewhere.
const VOICES: &str = r#"
    window.said = [];
    const voices = [
      { lang: "de_DE", name: "Own", localService: true },
      { lang: "en-US", name: "Elsewhere", localService: false },
    ];
    window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
    const synthesis = {
      speaking: false,
      getVoices: () => voices,
      addEventListener: () => {},
      cancel() { this.speaking = false; },
      speak(utterance) {
        this.speaking = true;
        window.said.push([utterance.voice.name, utterance.lang, utterance.text]);
      },
    };
    Object.defineProperty(window, "speechSynthesis", { value: synthesis });
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_rings_on_the_phone_page_and_is_said_in_a_voice_of_this_machine_only() {
    let infobip = infobip_request::start().await;
    let entry = "senders = { default = 'InfoSMS' }, voice = true, voice_from = '+447860099299'";
    let setup = infobip_request::sent_by(&infobip, entry);
    is_said_on_the_phone_page(infobip.address(), setup, "de", "lautet:,, 2,, 4").await;
    let twilio = twilio_request::start().await;
    let entry = "senders = { default = '+15550100100' }, voice = true, voice_from = '+15550100100'";
    let setup = twilio_request::sent_by(&twilio, entry);
    is_said_on_the_phone_page(twilio.address(), setup, "de-DE", "lautet: … 2 … 4").await;
    let telesign = telesign_request::start().await;
    let setup =
        telesign_request::sent_by(&telesign, "senders = { default = 'CONTOSO' }, voice = true");
    is_said_on_the_phone_page(telesign.address(), setup, "de-DE", "lautet:, 2, 4").await;
}

/// Has the provider whose emulator is at this address call in English and in German, the provider's name of which is
/// `german`; `said` is a regular expression for a part of what is said.
async fn is_said_on_the_phone_page(
    address: SocketAddr,
    setup: Setup,
    german: &'static str,
    said: &'static str,
) {
    let hook = Hook::with(setup).await;
    let url = format!("http://{address}/");
    let browser = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start()?;
        browser.open(&url);
        browser.wait_until("document.querySelector('#state')?.textContent === 'Live'");
        browser.evaluate(VOICES);
        Some(browser)
    });
    let Some(mut browser) = browser.await.unwrap() else {
        skipped("the phone page was not looked at, since there is no Chromium that starts");
        return;
    };
    for locale in ["en", "de"] {
        let mut payload = envelope("+4930123456");
        let profile = &mut payload["data"]["messageProfile"];
        profile["deliveryChannel"] = "voice call".into();
        profile["locale"] = locale.into();
        hook.post(payload.to_string()).await.accepted(Form::Documented);
    }
    tokio::task::spawn_blocking(move || {
        browser.wait_until("document.querySelectorAll('#entries > li.call').length === 2");
        // What is said is there to be read, with its language for who has it read out.
        let bubble = format!("document.querySelector('.call .bubble[lang={german}]')");
        browser.wait_until(&format!("/Bestätigungscode {said}/.test({bubble}?.textContent)"));
        let texts = "document.querySelector('.call').innerText";
        browser.wait_until(&format!("{texts}.includes('Call') && {texts}.includes('Rings')"));
        // Without a voice on this machine there is nothing to press.
        assert_eq!(browser.evaluate("document.querySelector('.bubble[lang^=en]').closest('li').querySelector('button').hidden"), true);
        let press = format!("{bubble}.closest('li').querySelector('button').click()");
        browser.evaluate(&press);
        assert_eq!(browser.evaluate("window.said.length"), 1);
        let by = browser.evaluate("window.said[0][0] + ' ' + window.said[0][1]");
        assert_eq!(by, format!("Own {german}"));
        // A second press stops it.
        browser.evaluate(&press);
        assert_eq!(browser.evaluate("window.said.length"), 1);
        assert_eq!(browser.evaluate("window.speechSynthesis.speaking"), false);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_an_attacker_attacks_at_the_press_of_a_button() {
    let hook = Hook::with(okta_events::setup()).await;
    let _okta = okta::stand_in(&hook).await;
    let url = format!("http://{}/", hook.acs.address());
    let browser = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start()?;
        browser.open(&url);
        let row = "document.querySelector('#okta-traffic tr')?.innerText.replace(/\\s+/g, ' ')";
        // A form each, so that they do without the script; the figures follow with it.
        for (form, becomes) in [
            ("sign-ins", "20 people sign in 20 20 20"),
            ("attacks", "Attack on 100 numbers of one block"),
        ] {
            let button = format!("document.querySelector('form[action=\"/okta/{form}\"] button')");
            browser.wait_until(&format!("!!{button}"));
            browser.evaluate(&format!("{button}.click()"));
            browser.wait_until(&format!("{row}?.startsWith('{becomes}')"));
            browser.wait_until("document.querySelector('#state')?.textContent === 'Live'");
        }
        Some(())
    });
    if browser.await.unwrap().is_none() {
        skipped("no button was pressed on the phone page, since there is no Chromium that starts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_posted_appears_on_the_phone_page_while_one_looks() {
    let hook = Hook::with(Setup::new().secrets("reports.secret = 'secret-of-the-reports'")).await;
    let endpoint = format!("{}/api/delivery-reports", hook.host.url());
    let subscription = EventSubscription {
        delay: Duration::from_millis(500),
        ..EventSubscription::new(endpoint, "secret-of-the-reports")
    };
    hook.acs.subscribe_reports(subscription).await.unwrap();
    let url = format!("http://{}/", hook.acs.address());
    let browser = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start()?;
        browser.open(&url);
        browser.wait_until("document.querySelector('#state')?.textContent === 'Live'");
        assert_eq!(browser.evaluate("document.querySelectorAll('#entries > li').length"), 0);
        Some(browser)
    });
    let Some(mut browser) = browser.await.unwrap() else {
        skipped("the phone page was not looked at, since there is no Chromium that starts");
        return;
    };

    let mut payload = envelope("+15550100123");
    payload["data"]["messageProfile"]["msgTemplate"] = "<b>246810</b> & more".into();
    hook.post(payload.to_string()).await.accepted(Form::Documented);

    tokio::task::spawn_blocking(move || {
        browser.wait_until("document.querySelectorAll('#entries > li').length === 1");
        // As text, never as markup.
        browser.wait_until(
            "document.querySelector('#entries').innerText.includes('<b>246810</b> & more')",
        );
        browser.wait_until("document.querySelector('#entries').innerText.includes('+15550100123')");
        // The report comes later, and the message changes where it stands.
        browser.wait_until(
            "document.querySelector('#entries > li .state').textContent === 'Delivered'",
        );
        assert_eq!(browser.evaluate("document.querySelectorAll('#entries > li').length"), 1);
        // The raw request is one click away.
        browser.evaluate("document.querySelector('#entries a').click()");
        browser.wait_until("document.body.innerText.includes('POST /sms?api-version=2021-03-07')");
        browser.wait_until("/authorization: hmac-sha256/i.test(document.body.innerText)");
    })
    .await
    .unwrap();
}
