//! The emulators that stand for providers.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use okta_telephony_dev::acs_emulator::{self, AcsEmulator};
use okta_telephony_dev::infobip_emulator::{self, InfobipEmulator};
use okta_telephony_dev::phone::Phone;
use okta_telephony_dev::telesign_emulator::{self, TelesignEmulator};
use okta_telephony_dev::twilio_emulator::{self, TwilioEmulator};

/// A provider that can be emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// Azure Communication Services
    Acs,
    /// Infobip
    Infobip,
    /// Telesign
    Telesign,
    /// Twilio
    Twilio,
}

impl Provider {
    /// What the emulator's page calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acs => acs_emulator::PROVIDER,
            Self::Infobip => infobip_emulator::PROVIDER,
            Self::Telesign => telesign_emulator::PROVIDER,
            Self::Twilio => twilio_emulator::PROVIDER,
        }
    }

    /// What happens to a message that meets the fault of a number.
    pub fn fault(self, number: &str) -> Result<&'static str> {
        let meaning = match self {
            Self::Acs => acs_emulator::fault_of(number).map(|fault| fault.meaning),
            Self::Infobip => infobip_emulator::fault_of(number).map(|fault| fault.meaning),
            Self::Telesign => telesign_emulator::fault_of(number).map(|fault| fault.meaning),
            Self::Twilio => twilio_emulator::fault_of(number).map(|fault| fault.meaning),
        };
        meaning.with_context(|| {
            let numbers: Vec<_> = match self {
                Self::Acs => acs_emulator::FAULTS.iter().map(|fault| fault.number).collect(),
                Self::Infobip => {
                    infobip_emulator::FAULTS.iter().map(|fault| fault.number).collect()
                }
                Self::Telesign => {
                    telesign_emulator::FAULTS.iter().map(|fault| fault.number).collect()
                }
                Self::Twilio => twilio_emulator::FAULTS.iter().map(|fault| fault.number).collect(),
            };
            let numbers = numbers.join(", ");
            format!(
                "no fault of {}'s emulator has the number {number}: give --fault one of {numbers}",
                self.name()
            )
        })
    }
}

/// A running emulator.
pub enum Emulator {
    Acs(AcsEmulator),
    Infobip(InfobipEmulator),
    Telesign(TelesignEmulator),
    Twilio(TwilioEmulator),
}

impl Emulator {
    /// Its messages end up on this phone.
    pub async fn start(provider: Provider, listen: SocketAddr, phone: Phone) -> Result<Self> {
        Ok(match provider {
            Provider::Acs => {
                let key = acs_emulator::DEVELOPMENT_ACCESS_KEY;
                let settings = acs_emulator::Settings::new(listen, key);
                let settings = acs_emulator::Settings { phone, ..settings };
                Self::Acs(AcsEmulator::start(settings).await?)
            }
            Provider::Infobip => {
                let key = infobip_emulator::DEVELOPMENT_API_KEY;
                let settings = infobip_emulator::Settings::new(listen, key);
                let settings = infobip_emulator::Settings { phone, ..settings };
                Self::Infobip(InfobipEmulator::start(settings).await?)
            }
            Provider::Telesign => {
                let settings = telesign_emulator::Settings::new(listen);
                let settings = telesign_emulator::Settings { phone, ..settings };
                Self::Telesign(TelesignEmulator::start(settings).await?)
            }
            Provider::Twilio => {
                let settings = twilio_emulator::Settings::new(listen);
                let settings = twilio_emulator::Settings { phone, ..settings };
                Self::Twilio(TwilioEmulator::start(settings).await?)
            }
        })
    }

    pub fn provider(&self) -> Provider {
        match self {
            Self::Acs(_) => Provider::Acs,
            Self::Infobip(_) => Provider::Infobip,
            Self::Telesign(_) => Provider::Telesign,
            Self::Twilio(_) => Provider::Twilio,
        }
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Acs(acs) => acs.address(),
            Self::Infobip(infobip) => infobip.address(),
            Self::Telesign(telesign) => telesign.address(),
            Self::Twilio(twilio) => twilio.address(),
        }
    }

    pub fn origin(&self) -> String {
        match self {
            Self::Acs(acs) => acs.origin(),
            Self::Infobip(infobip) => infobip.origin(),
            Self::Telesign(telesign) => telesign.origin(),
            Self::Twilio(twilio) => twilio.origin(),
        }
    }

    /// From now on every message meets the fault of this number, which there is: see [`Provider::fault`].
    pub fn set_fault(&self, number: &str) {
        match self {
            Self::Acs(acs) => acs.set_fault(acs_emulator::fault_of(number)),
            Self::Infobip(infobip) => infobip.set_fault(infobip_emulator::fault_of(number)),
            Self::Telesign(telesign) => telesign.set_fault(telesign_emulator::fault_of(number)),
            Self::Twilio(twilio) => twilio.set_fault(twilio_emulator::fault_of(number)),
        }
    }

    /// The page with the phone. Without TLS, since a browser does not trust the certificate.
    pub fn phone_page(&self) -> String {
        format!("http://{}/", self.address())
    }
}
