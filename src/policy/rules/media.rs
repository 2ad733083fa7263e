//! `media` (clause 29): pictures as well. EMS objects, smart messaging, WAP push, binary content, links to pictures.

use super::super::inspection::Ground;
use super::super::{Clause, Context, Evidence, Refusal, Rule, Submission, Verdict};
use crate::config::Treatment;
use crate::pdu::{CommandStatus, TlvTag};
use crate::text::{Ports, UserData};

/// Clause 29: pictures and other binary content.
const PICTURES: Clause = Clause(29);

#[derive(Debug)]
pub(super) struct Media {
    picture_links: Treatment,
}

impl Media {
    pub(super) fn new(picture_links: Treatment) -> Self {
        Self { picture_links }
    }
}

impl Rule for Media {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        if !context.account.declared().allow_binary {
            if context.findings.binary {
                return refuse(Evidence::Permission("allow_binary"));
            }
            if let Some(element) = element(context.message) {
                return refuse(Evidence::Element(element));
            }
        }
        if let Some(found) = context.findings.on(Ground::Media) {
            return super::refuse(found);
        }
        context
            .findings
            .on(Ground::Picture)
            .map_or(Verdict::Pass, |found| super::treat(self.picture_links, super::refusal(found)))
    }
}

fn refuse(evidence: Evidence) -> Verdict {
    Verdict::Refuse(Refusal { clause: Some(PICTURES), status: CommandStatus::ESME_RSUBMITFAIL, evidence })
}

/// What a message carries besides text, as its header or its port parameters say.
fn element(message: &Submission<'_>) -> Option<&'static str> {
    let by_parameter = message.tlvs.get(TlvTag::DESTINATION_PORT).and_then(|octets| octets.try_into().ok());
    let by_parameter = by_parameter.map(|octets| Ports { destination: u16::from_be_bytes(octets), source: 0 });
    if let Some(element) = by_parameter.and_then(addressed) {
        return Some(element);
    }
    if !message.esm_class.udhi() {
        return None;
    }
    message.texts().find_map(|(_, octets)| {
        let user_data = UserData::split(octets, true).ok()?;
        if user_data.has_picture() {
            return Some("an EMS picture");
        }
        if user_data.has_object() {
            return Some("an EMS object");
        }
        addressed(user_data.ports()?)
    })
}

/// What lives at these ports.
fn addressed(ports: Ports) -> Option<&'static str> {
    if ports.wap_push() {
        return Some("a WAP push");
    }
    ports.smart_messaging().then_some("a smart message")
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, message, submit};
    use super::*;
    use crate::pdu::{DataCoding, EsmClass, SubmitSm};

    /// What refuses a message with this header and these parameters.
    fn refused(scene: &mut Scene, header: &[u8], tlvs: &[(TlvTag, &[u8])]) -> Option<Evidence> {
        let esm_class = EsmClass(if header.is_empty() { 0 } else { EsmClass::UDHI });
        let text = [header, b"hello"].concat();
        let rejection = scene.clear(&submit(SubmitSm { esm_class, short_message: &text, ..message() }, tlvs)).err()?;
        assert_eq!((rejection.clause, rejection.status), (Some(PICTURES), CommandStatus::ESME_RSUBMITFAIL));
        Some(rejection.evidence)
    }

    #[test]
    fn what_is_no_text_needs_the_permission() {
        let port: (TlvTag, &[u8]) = (TlvTag::DESTINATION_PORT, &[0x0B, 0x84]);
        let header = |iei: u8, data: &[u8]| [&[data.len() as u8 + 2, iei, data.len() as u8][..], data].concat();
        let cases = [
            (header(0x10, &[0; 4]), vec![], Some("an EMS picture")),
            (header(0x0B, &[0; 2]), vec![], Some("an EMS object")),
            (header(0x05, &[0x0B, 0x84, 0x23, 0xF0]), vec![], Some("a WAP push")),
            (header(0x05, &[0x0B, 0x85, 0, 0]), vec![], Some("a WAP push")),
            (header(0x05, &[0x15, 0x81, 0, 0]), vec![], Some("a smart message")),
            (header(0x05, &[0x15, 0x8B, 0, 0]), vec![], None),
            (header(0x24, &[1]), vec![], None),
            (vec![], vec![port], Some("a WAP push")),
            (vec![], vec![(TlvTag::DESTINATION_PORT, &[0, 80][..])], None),
        ];
        let mut scene = Scene::new("sender = [{ id = 'SHOP' }]");
        let mut permitted = Scene::new("allow_binary = true\nsender = [{ id = 'SHOP' }]");
        for (header, tlvs, expected) in cases {
            assert_eq!(refused(&mut scene, &header, &tlvs), expected.map(Evidence::Element), "{header:x?}");
            assert_eq!(refused(&mut permitted, &header, &tlvs), None, "{header:x?}");
        }
    }

    #[test]
    fn a_binary_coding_needs_the_permission_and_text_does_not() {
        let mut scene = Scene::new("sender = [{ id = 'SHOP' }]");
        let mut permitted = Scene::new("allow_binary = true\nsender = [{ id = 'SHOP' }]");
        for coding in 0..=255 {
            let pdu = submit(SubmitSm { data_coding: DataCoding(coding), short_message: b"", ..message() }, &[]);
            assert_eq!(permitted.clear(&pdu), Ok(()), "{coding:#x}");
            let pdu = submit(SubmitSm { data_coding: DataCoding(coding), short_message: b"hihi", ..message() }, &[]);
            assert_eq!(permitted.clear(&pdu), Ok(()), "{coding:#x}");
            let binary = matches!(coding, 0x02 | 0x04)
                || (matches!(coding, 0x10..=0x7F) && coding & 0x2C == 0x04)
                || (coding >= 0xF0 && coding & 0x04 != 0);
            let evidence = scene.clear(&pdu).err().map(|rejection| rejection.evidence);
            assert_eq!(evidence == Some(Evidence::Permission("allow_binary")), binary, "{coding:#x}");
            assert!(binary || matches!(evidence, None | Some(Evidence::Undecodable(_))), "{coding:#x}: {evidence:?}");
        }
    }
}
